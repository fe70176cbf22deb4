// What a person asks of the simulation on the command line.
#pragma once

#include <cstdint>

namespace consilium::simtest {

struct SeedRange {
  std::uint64_t first = 1, end = 1001, step = 1;
};

struct Flags {
  SeedRange seeds;
  bool one_seed = false;  // replay it and say what happened
  bool trace = false;
  static Flags& Get();
};

}  // namespace consilium::simtest
