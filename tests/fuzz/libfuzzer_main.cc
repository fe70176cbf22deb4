// Any fuzzer, or a target alone, under libFuzzer.  CONSILIUM_FUZZ_TARGET names it (--fuzzers and --targets list them);
// CONSILIUM_FUZZ_SEEDS is a folder into which its seeds are written first, as a corpus.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "target.h"

namespace {

consilium::fuzz::Fuzzer chosen;

template <typename Named>
void List(const std::vector<Named>& all) {
  for (const Named& one : all) std::printf("%.*s\n", static_cast<int>(one.name.size()), one.name.data());
  std::exit(0);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  GTEST_FLAG_SET(break_on_failure, true);  // shared parts of tests speak gtest
  const std::vector<consilium::fuzz::Target> targets = consilium::fuzz::AllTargets();
  const std::vector<consilium::fuzz::Fuzzer> fuzzers = consilium::fuzz::AllFuzzers();
  const std::string_view argument = *argc == 2 ? (*argv)[1] : "";
  if (argument == "--fuzzers") List(fuzzers);
  if (argument == "--targets") List(targets);
  const char* name = std::getenv("CONSILIUM_FUZZ_TARGET");
  const std::string_view wanted = name == nullptr ? "" : name;
  for (const consilium::fuzz::Target& target : targets)
    if (target.name == wanted) chosen = {target.name, {target}};
  for (const consilium::fuzz::Fuzzer& fuzzer : fuzzers)
    if (fuzzer.name == wanted) chosen = fuzzer;
  if (chosen.targets.empty()) {
    std::fprintf(stderr, "Set CONSILIUM_FUZZ_TARGET to one of those that --fuzzers and --targets list\n");
    std::exit(2);
  }
  if (const char* folder = std::getenv("CONSILIUM_FUZZ_SEEDS")) {
    std::filesystem::create_directories(folder);
    int number = 0;
    for (const consilium::Bytes& seed : chosen.Seeds())
      std::ofstream(std::filesystem::path(folder) / ("seed-" + std::to_string(number++)), std::ios::binary)
          << consilium::AsText(seed);
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  chosen.Run({data, size});
  return 0;
}
