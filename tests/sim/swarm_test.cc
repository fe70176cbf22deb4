// Thousands of federations, each with its own configuration and its own misfortunes.
//
//   consilium_sim_test --seed=N            one of them; with --trace all that happened
//   consilium_sim_test --seeds=A..B        these
//   SIM_SHARD=I/N SIM_SEEDS=COUNT          what the suite runs: every N-th of the first COUNT, beginning at I
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "federation.h"
#include "flags.h"

namespace consilium::simtest {
namespace {

struct Tally {
  std::uint64_t runs = 0, finished_well = 0, events = 0, kills = 0, power_losses = 0, exits = 0, broken = 0,
                resumed = 0;
  void Add(const Outcome& outcome) {
    ++runs;
    finished_well += outcome.finished && outcome.code == StatusCode::kOk;
    events += outcome.events;
    kills += outcome.counters.kills;
    power_losses += outcome.counters.power_losses;
    exits += outcome.counters.exits;
    broken += outcome.network.streams_broken;
    resumed += outcome.transfers.resumed;
  }
};

void ExpectWell(const Scenario& scenario, Tally* tally) {
  const Outcome outcome = Simulate(scenario);
  tally->Add(outcome);
  for (const std::string& violation : outcome.violations)
    ADD_FAILURE() << violation << "\n  " << Describe(scenario)
                  << "\n  again with: consilium_sim_test --seed=" << scenario.seed << " --trace";
}

TEST(Swarm, NoSeedBreaksAPromiseAndEveryJobEndsOnceTheWorldIsHealed) {
  const SeedRange range = Flags::Get().seeds;
  Tally tally;
  for (std::uint64_t seed = range.first; seed < range.end && !::testing::Test::HasFailure(); seed += range.step)
    ExpectWell(DrawScenario(seed), &tally);
  std::cout << "[ swarm    ] " << tally.runs << " runs, " << tally.events << " events, " << tally.kills << " kills ("
            << tally.power_losses << " of them losses of power), " << tally.broken << " broken streams, "
            << tally.resumed << " resumed transfers, " << tally.exits << " ends for want of disk or work; "
            << tally.finished_well << " jobs ended well\n";
  if (tally.runs >= 500) {
    EXPECT_GT(tally.finished_well, tally.runs / 2) << "most jobs survive what is done to them";
    EXPECT_GT(tally.kills, 2 * tally.runs) << "kills that do not happen show nothing";
    EXPECT_GT(tally.resumed, tally.runs / 10);
  }
}

TEST(Swarm, ASeedHasOneHistory) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    const Outcome first = Simulate(DrawScenario(seed));
    const Outcome second = Simulate(DrawScenario(seed));
    EXPECT_EQ(first.trace, second.trace) << "seed " << seed;
    EXPECT_EQ(first.events, second.events) << "seed " << seed;
    EXPECT_NE(first.trace, Simulate(DrawScenario(seed + 1000)).trace);
  }
}

TEST(Swarm, ListeningDoesNotChangeTheHistory) {
  const Scenario scenario = DrawScenario(7);
  std::size_t lines = 0;
  const Outcome heard = Simulate(scenario, {.listener = [&](const std::string&) { ++lines; }});
  EXPECT_EQ(heard.trace, Simulate(scenario).trace);
  EXPECT_GT(lines, 50u);
}

}  // namespace
}  // namespace consilium::simtest
