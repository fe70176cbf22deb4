// Tests that cannot fail show nothing: faults are put into the shells around the machines, and the swarm has to find
// each within a thousand seeds.  The witness looks at what is durable, said and computed; it does not look into the
// machine.
#include <gtest/gtest.h>

#include <iostream>

#include "comm/base/rng.h"
#include "federation.h"

namespace consilium::simtest {
namespace {

constexpr std::uint64_t kSeedsMax = 1000;

struct Plant {
  const char* name;
  Sabotage sabotage;
  std::size_t occasions;  // one of the first so many is chosen by the seed
};

class PlantedBug : public ::testing::TestWithParam<Plant> {};

TEST_P(PlantedBug, IsFoundWithinAThousandSeeds) {
  std::uint64_t planted = 0;
  for (std::uint64_t seed = 1; seed <= kSeedsMax; ++seed) {
    Scenario scenario = DrawScenario(seed);
    scenario.sabotage = GetParam().sabotage;
    scenario.sabotage_at = 1 + Rng(seed, StreamOf({0x706c616e})).Below(GetParam().occasions);
    const Outcome outcome = Simulate(scenario);
    planted += outcome.counters.sabotage_occasions >= scenario.sabotage_at || scenario.sabotage == Sabotage::kSkipSync;
    if (outcome.violations.empty()) continue;
    std::cout << "[ planted  ] " << GetParam().name << ": found by seed " << seed << " (bug number " << planted
              << "): " << outcome.violations.front() << "\n";
    return;
  }
  FAIL() << GetParam().name << " was planted " << planted << " times and never found";
}

INSTANTIATE_TEST_SUITE_P(Bugs, PlantedBug,
                         ::testing::Values(Plant{"SkipOnePersist", Sabotage::kSkipPersist, 12},
                                           Plant{"SkipOnePersistOfASite", Sabotage::kSkipSitePersist, 6},
                                           Plant{"NeverSync", Sabotage::kSkipSync, 1},
                                           Plant{"CountAnUpdateTwice", Sabotage::kCountTwice, 3},
                                           Plant{"SayBeforePersist", Sabotage::kSayBeforePersist, 20}),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace consilium::simtest
