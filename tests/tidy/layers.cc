#include "tests/tidy/layers.h"

#include <algorithm>
#include <iterator>

namespace consilium::tidy {

// clang-format off
std::span<const Layer> Layers() {
  static const Layer kLayers[] = {
      // --- both planes: no torch, no gRPC
      {"comm/base",            {},                                              {"openssl", "yaml-cpp", "json", "spdlog", "cli11"}},
      {"comm/tensor",          {"comm/base"},                                   {}},
      {"comm/report",          {"comm/base"},                                   {}},
      {"comm/wire",            {"comm/base", "comm/tensor"},                    {}},
      {"comm/transport",       {"comm/base", "comm/tensor", "comm/wire"},       {}},
      {"comm/sim",             {"comm/base", "comm/tensor", "comm/wire", "comm/transport"}, {}},
      {"privacy/crypto",       {"comm/base", "comm/tensor", "comm/wire"},       {"openssl"}},
      {"privacy/secagg",       {"comm/base", "comm/tensor", "comm/wire", "privacy/crypto"}, {}},
      {"privacy/dp",           {"comm/base", "comm/tensor", "comm/wire", "privacy/crypto"}, {}},
      {"privacy/private_sum",  {"comm/base", "comm/tensor", "comm/wire", "privacy/crypto", "privacy/dp", "privacy/secagg"}, {}},
      {"privacy/pki",          {"comm/base", "comm/tensor", "comm/wire", "comm/transport", "privacy/crypto"}, {}},  // kits and who is who
      {"privacy/policy",       {"comm/base", "comm/tensor", "comm/wire", "comm/transport", "privacy/crypto", "privacy/pki"}, {}},
      {"datasets/planner",     {"comm/base"},                                   {}},
      {"datasets/partition",   {"comm/base"},                                   {}},

      // --- data plane: no gRPC, absl, Boost. Torch stays out of datasets until one of them needs it.
      {"datasets",             {"comm/base", "comm/tensor", "datasets/*"},      {}},
      {"datasets/image",       {"comm/base"},                                   {"nifti", "png", "zlib", "dicom"}},
      {"comm/collective",      {"comm/base"},                                   {"torch", "mpi", "gloo", "nccl"}},
      {"trainer",              {"comm/base", "comm/tensor", "comm/wire", "comm/collective", "privacy/dp", "datasets/*", "trainer/*"},
                                                                                {"torch"}},
      {"trainer/startup",      {"comm/base"},                                   {}},  // runs before torch may be touched
      {"trainer/simulate",     {"comm/base", "comm/tensor", "comm/wire", "comm/sim", "comm/transport", "privacy/*", "datasets/*", "trainer/*",
                                "coordinator/core", "coordinator/strategies", "client/core"}, {"torch"}},

      // --- control plane: no torch. The two cores are pure, and neither includes the other.
      {"comm/transport/grpc",  {"comm/base", "comm/tensor", "comm/wire", "comm/transport"}, {"grpc", "protobuf", "openssl"}},
      {"coordinator/core",     {"comm/base", "comm/tensor", "comm/wire", "privacy/*", "datasets/planner"}, {}},
      {"coordinator/strategies", {"comm/base", "comm/wire", "coordinator/core"}, {}},  // pure, as the core
      {"client/core",          {"comm/base", "comm/tensor", "comm/wire", "privacy/*", "datasets/planner"}, {}},
      {"coordinator",          {"comm/base", "comm/tensor", "comm/wire", "comm/transport", "comm/transport/grpc", "privacy/*", "coordinator/*"},
                                                                                {"sqlite", "boost"}},
      {"client",               {"comm/base", "comm/tensor", "comm/wire", "comm/transport", "comm/transport/grpc", "privacy/*", "client/*"},
                                                                                {"sqlite", "boost"}},
      {"deploy/demo",          {"comm/base", "comm/report", "comm/tensor", "comm/wire", "coordinator/*", "client/*"}, {}},
      {"",                     {"comm/base", "coordinator/*", "client/*", "deploy/demo"}, {}},  // consilium.cc, the front door

      // --- tests may include anything; nothing includes tests, because no row names them
      {"tests",                {"*"},                                           {"*"}},
  };
  return kLayers;
}
// clang-format on

namespace {

bool IsBelow(std::string_view folder, std::string_view parent) {
  return folder == parent || (folder.starts_with(parent) && folder.substr(parent.size()).starts_with("/"));
}

bool Matches(std::string_view pattern, std::string_view folder) {
  if (pattern == "*") return true;
  if (pattern.ends_with("/*")) return IsBelow(folder, pattern.substr(0, pattern.size() - 2));
  return pattern == folder;
}

struct Library {
  std::string_view name;
  std::vector<std::string_view> headers;  // a folder ("torch/"), the start of a name ("nifti"), or a whole name
};

const Library kLibraries[] = {
    {"torch", {"torch/", "ATen/", "c10/", "caffe2/"}},
    {"gloo", {"gloo/"}},
    {"nccl", {"nccl.h", "cuda"}},
    {"mpi", {"mpi.h"}},
    {"grpc", {"grpc/", "grpcpp/", "grpc++/"}},
    {"protobuf", {"google/protobuf/"}},
    {"absl", {"absl/"}},
    {"boost", {"boost/"}},
    {"sqlite", {"sqlite3.h"}},
    {"openssl", {"openssl/"}},
    {"yaml-cpp", {"yaml-cpp/"}},
    {"json", {"nlohmann/"}},
    {"spdlog", {"spdlog/", "fmt/"}},
    {"cli11", {"CLI/"}},
    {"nifti", {"nifti", "znzlib.h"}},
    {"png", {"png.h"}},
    {"zlib", {"zlib.h"}},
    {"dicom", {"dcmtk/"}},
    {"gtest", {"gtest/", "gmock/"}},
    {"benchmark", {"benchmark/"}},
};

// The operating system's and the compiler's; the C++ library's have neither a dot nor a slash.
constexpr std::string_view kSystemFolders[] = {"sys/", "netinet/", "arpa/", "net/", "linux/", "sanitizer/"};
constexpr std::string_view kSystemHeaders[] = {"dirent.h",  "dlfcn.h",     "fcntl.h",  "ftw.h",    "grp.h",
                                               "ifaddrs.h", "immintrin.h", "netdb.h",  "poll.h",   "pthread.h",
                                               "pwd.h",     "sched.h",     "signal.h", "spawn.h",  "strings.h",
                                               "termios.h", "unistd.h",    "stdlib.h", "malloc.h", "time.h"};

}  // namespace

const Layer* LayerOf(std::string_view folder) {
  const Layer* best = nullptr;
  for (const Layer& layer : Layers()) {
    const bool matches = layer.folder.empty() ? folder.empty() : IsBelow(folder, layer.folder);
    if (matches && (best == nullptr || layer.folder.size() > best->folder.size())) best = &layer;
  }
  return best;
}

bool MayInclude(const Layer& layer, std::string_view own_folder, std::string_view included_folder) {
  return own_folder == included_folder ||
         std::any_of(layer.may_include.begin(), layer.may_include.end(),
                     [&](std::string_view pattern) { return Matches(pattern, included_folder); });
}

bool MaySee(const Layer& layer, std::string_view library) {
  return std::any_of(layer.libraries.begin(), layer.libraries.end(),
                     [&](std::string_view allowed) { return allowed == "*" || allowed == library; });
}

std::string_view LibraryOf(std::string_view header) {
  if (header.find_first_of("./") == std::string_view::npos) return "";
  for (const std::string_view folder : kSystemFolders)
    if (header.starts_with(folder)) return "";
  if (std::find(std::begin(kSystemHeaders), std::end(kSystemHeaders), header) != std::end(kSystemHeaders)) return "";
  for (const Library& library : kLibraries)
    for (const std::string_view start : library.headers)
      if (header.starts_with(start)) return library.name;
  return "?";
}

}  // namespace consilium::tidy
