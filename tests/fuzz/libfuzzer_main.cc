// Any target under libFuzzer.  CONSILIUM_FUZZ_TARGET names it (--targets lists them); CONSILIUM_FUZZ_SEEDS is a folder
// into which its seeds are written first, as a corpus.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "target.h"

namespace {

const consilium::fuzz::Target* chosen = nullptr;

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  GTEST_FLAG_SET(break_on_failure, true);  // shared parts of tests speak gtest
  static const std::vector<consilium::fuzz::Target> targets = consilium::fuzz::AllTargets();
  if (*argc == 2 && std::string_view((*argv)[1]) == "--targets") {
    for (const consilium::fuzz::Target& target : targets)
      std::printf("%.*s\n", static_cast<int>(target.name.size()), target.name.data());
    std::exit(0);
  }
  const char* name = std::getenv("CONSILIUM_FUZZ_TARGET");
  for (const consilium::fuzz::Target& target : targets)
    if (name != nullptr && target.name == name) chosen = &target;
  if (chosen == nullptr) {
    std::fprintf(stderr, "Set CONSILIUM_FUZZ_TARGET to one of those that --targets lists\n");
    std::exit(2);
  }
  if (const char* folder = std::getenv("CONSILIUM_FUZZ_SEEDS")) {
    std::filesystem::create_directories(folder);
    int number = 0;
    for (const consilium::Bytes& seed : chosen->seeds())
      std::ofstream(std::filesystem::path(folder) / ("seed-" + std::to_string(number++)), std::ios::binary)
          << consilium::AsText(seed);
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  chosen->run({data, size});
  return 0;
}
