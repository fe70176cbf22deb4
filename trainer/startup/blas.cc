#include "trainer/startup/blas.h"

#include <dlfcn.h>
#include <strings.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <vector>

#include "comm/base/status.h"
#include "trainer/startup/execute_anew.h"

namespace consilium::trainer {
namespace {

constexpr char kCoreVariable[] = "OPENBLAS_CORETYPE";
constexpr char kSwitchVariable[] = "CONSILIUM_BLAS_CURE";
// "<pid> applied" or "<pid> undone". The pid survives exec, and children have another: so the marker stops a loop and
// says nothing about a child that inherits it.
constexpr char kMarkerVariable[] = "CONSILIUM_BLAS_CURED";

enum Level { kSse, kAvx, kAvx2, kAvx512 };

struct Core {
  const char* name;
  Level level;
};
// OpenBLAS's dynamic-arch cores (driver/others/dynamic.c), by the widest vectors that their kernels use.
constexpr Core kCores[] = {{"Generic", kSse},     {"Katmai", kSse},        {"Coppermine", kSse},
                           {"Northwood", kSse},   {"Prescott", kSse},      {"Banias", kSse},
                           {"Core2", kSse},       {"Penryn", kSse},        {"Dunnington", kSse},
                           {"Nehalem", kSse},     {"Atom", kSse},          {"Nano", kSse},
                           {"Athlon", kSse},      {"Opteron", kSse},       {"Opteron_SSE3", kSse},
                           {"Barcelona", kSse},   {"Bobcat", kSse},        {"Sandybridge", kAvx},
                           {"Bulldozer", kAvx},   {"Piledriver", kAvx},    {"Steamroller", kAvx},
                           {"Excavator", kAvx2},  {"Haswell", kAvx2},      {"Zen", kAvx2},
                           {"SkylakeX", kAvx512}, {"Cooperlake", kAvx512}, {"SapphireRapids", kAvx512}};

std::optional<Level> LevelOf(std::string_view name) {
  for (const Core& core : kCores)
    if (name.size() == std::strlen(core.name) && ::strncasecmp(name.data(), core.name, name.size()) == 0)
      return core.level;
  return std::nullopt;
}

std::string Marker(const char* state) { return std::to_string(::getpid()) + " " + state; }

bool MarkerIs(const char* state) {
  const char* marker = std::getenv(kMarkerVariable);
  return marker != nullptr && Marker(state) == marker;
}

// Executes this program anew; returns only when the system refuses, and then everything is as it was.
void ExecuteAnew(char** argv, const char* core, const std::string& marker) {
  std::vector<std::string> lines;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view name = std::string_view(*entry).substr(0, std::string_view(*entry).find('='));
    if (name != kCoreVariable && name != kMarkerVariable) lines.emplace_back(*entry);
  }
  if (core != nullptr) lines.push_back(std::string(kCoreVariable) + "=" + core);
  lines.push_back(std::string(kMarkerVariable) + "=" + marker);
  std::vector<char*> environment;
  for (std::string& line : lines) environment.push_back(line.data());
  environment.push_back(nullptr);
  ExecuteThisProgram(argv, environment.data());
}

}  // namespace

CpuFeatures ThisCpu() {
  CpuFeatures cpu;
#if defined(__x86_64__)
  __builtin_cpu_init();  // asks CPUID, and XGETBV for what the operating system saves
  cpu.avx = __builtin_cpu_supports("avx");
  cpu.avx2_fma = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  cpu.avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl");
  cpu.amd = __builtin_cpu_is("amd");
#endif
  return cpu;
}

std::string BetterCore(std::string_view core, const CpuFeatures& cpu) {
  const std::optional<Level> picked = LevelOf(core);
  if (!picked) return "";
  const Level able = cpu.avx512 ? kAvx512 : cpu.avx2_fma ? kAvx2 : cpu.avx ? kAvx : kSse;
  if (*picked >= able) return "";
  if (able == kAvx512) return "SKYLAKEX";
  if (able == kAvx2) return cpu.amd ? "ZEN" : "HASWELL";
  return "SANDYBRIDGE";
}

BlasLibrary LoadedBlas() {
  // At run time, because Debian chooses what stands behind libblas.so.3 on the machine that runs us. The question goes
  // to the library that holds sgemm_ (and what it depends on), because an OpenBLAS may also be loaded for LAPACK alone.
  BlasLibrary library;
  Dl_info info{};
  void* sgemm = ::dlsym(RTLD_DEFAULT, "sgemm_");
  if (sgemm == nullptr || ::dladdr(sgemm, &info) == 0) return library;
  std::error_code error;
  library.path = std::filesystem::canonical(info.dli_fname, error).string();
  if (error) library.path = info.dli_fname;
  void* handle = ::dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
  if (handle == nullptr) return library;
  using NameFunction = const char* (*)();
  if (const auto core_name = reinterpret_cast<NameFunction>(::dlsym(handle, "openblas_get_corename"))) {
    library.kind = BlasKind::kOpenBlas;
    library.core = core_name();
  }
  if (const auto config = reinterpret_cast<NameFunction>(::dlsym(handle, "openblas_get_config"))) {
    const std::string text = config();  // "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ..."
    library.version = text.substr(0, text.find(' ', text.find(' ') + 1));
  }
  ::dlclose(handle);
  return library;
}

void CureBlas(char** argv) {
  const BlasLibrary library = LoadedBlas();
  if (library.kind != BlasKind::kOpenBlas || MarkerIs("undone")) return;
  if (MarkerIs("applied")) {
    // Is the core that was asked for in use? A library built without it falls back to something, perhaps to worse.
    const char* asked = std::getenv(kCoreVariable);
    if (asked != nullptr && ::strcasecmp(asked, library.core.c_str()) != 0)
      ExecuteAnew(argv, nullptr, Marker("undone"));
    return;
  }
  const char* cure = std::getenv(kSwitchVariable);
  if ((cure != nullptr && std::strcmp(cure, "off") == 0) || std::getenv(kCoreVariable) != nullptr) return;
  if (const std::string core = BetterCore(library.core, ThisCpu()); !core.empty())
    ExecuteAnew(argv, core.c_str(), Marker("applied"));
}

BlasCure CureOfThisProcess() {
  if (MarkerIs("applied")) return BlasCure::kApplied;
  if (MarkerIs("undone")) return BlasCure::kFailed;
  const char* cure = std::getenv(kSwitchVariable);
  if (cure != nullptr && std::strcmp(cure, "off") == 0) return BlasCure::kOff;
  return std::getenv(kCoreVariable) != nullptr ? BlasCure::kUsersChoice : BlasCure::kNotNeeded;
}

}  // namespace consilium::trainer
