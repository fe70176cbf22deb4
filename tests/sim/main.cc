#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>

#include "federation.h"
#include "flags.h"

namespace consilium::simtest {

Flags& Flags::Get() {
  static Flags flags;
  return flags;
}

namespace {

// False when it is not one of ours.
bool TakeFlag(const std::string& argument, Flags* flags) {
  unsigned long long first = 0, last = 0;
  if (argument == "--trace") {
    flags->trace = true;
  } else if (std::sscanf(argument.c_str(), "--seed=%llu", &first) == 1) {
    flags->one_seed = true;
    flags->seeds = {first, first + 1, 1};
  } else if (std::sscanf(argument.c_str(), "--seeds=%llu..%llu", &first, &last) == 2) {
    flags->seeds = {first, last + 1, 1};
  } else {
    return false;
  }
  return true;
}

void TakeEnvironment(Flags* flags) {
  if (const char* count = std::getenv("SIM_SEEDS"))
    flags->seeds.end = flags->seeds.first + std::strtoull(count, nullptr, 10);
  unsigned shard = 0, shards = 1;
  if (const char* text = std::getenv("SIM_SHARD");
      text != nullptr && std::sscanf(text, "%u/%u", &shard, &shards) == 2) {
    flags->seeds.first += shard;
    flags->seeds.step = shards;
  }
}

// 0 well, 1 a promise was broken, 2 not live.
int Replay(const Flags& flags) {
  const Scenario scenario = DrawScenario(flags.seeds.first);
  std::cout << Describe(scenario) << "\n";
  RunOptions options;
  if (flags.trace) options.listener = [](const std::string& line) { std::cout << line << "\n"; };
  const Outcome outcome = Simulate(scenario, options);
  for (const std::string& violation : outcome.violations) std::cout << "VIOLATION: " << violation << "\n";
  std::cout << (outcome.finished ? "finished" : "not finished") << " (" << StatusCodeName(outcome.code) << ") after "
            << FormatDuration(outcome.took) << " and " << outcome.events << " events; " << outcome.counters.kills
            << " kills; trace " << std::hex << outcome.trace << "\n";
  if (outcome.violations.empty()) return 0;
  return outcome.violations.front().starts_with("not live") ? 2 : 1;
}

}  // namespace
}  // namespace consilium::simtest

int main(int argc, char** argv) {
  using consilium::simtest::Flags;
  ::testing::InitGoogleTest(&argc, argv);
  Flags& flags = Flags::Get();
  consilium::simtest::TakeEnvironment(&flags);
  for (int i = 1; i < argc; ++i) {
    if (consilium::simtest::TakeFlag(argv[i], &flags)) continue;
    std::cerr << "unknown argument " << argv[i] << "; known: --seed=N, --seeds=A..B, --trace, and googletest's\n";
    return 64;
  }
  if (flags.one_seed) return consilium::simtest::Replay(flags);
  return RUN_ALL_TESTS();
}
