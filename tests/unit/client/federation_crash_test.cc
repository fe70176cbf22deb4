// kill -9 of the coordinator and of clients at every action of a job of three sites and three rounds: every journal
// write, every send, every file.
#include <gtest/gtest.h>

#include "comm/base/rng.h"
#include "federation_world.h"

namespace consilium::client {
namespace {

class EveryMode : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    undisturbed_ = RunFederation({.mode = GetParam()});
    ASSERT_TRUE(undisturbed_.finished);
    ASSERT_EQ(undisturbed_.tasks_run, 12u);
  }
  void ExpectSame(const FederationOptions& options, const std::string& where) {
    const FederationOutcome outcome = RunFederation(options);
    ASSERT_TRUE(outcome.finished) << where;
    EXPECT_EQ(outcome.model, undisturbed_.model) << where;
    EXPECT_EQ(outcome.evaluations, undisturbed_.evaluations) << where;
  }
  FederationOutcome undisturbed_;
};
INSTANTIATE_TEST_SUITE_P(Modes, EveryMode, ::testing::Values("wait", "close"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(EveryMode, KillingTheCoordinatorAtAnyActionChangesNothing) {
  for (std::size_t crash = 1; crash <= undisturbed_.actions[kHub]; ++crash)
    ExpectSame({.mode = GetParam(), .crashes = {{kHub, {crash}}}}, Concat("action ", crash));
}

TEST_P(EveryMode, KillingAnyClientAtAnyActionChangesNothing) {
  for (const char* site : {"a", "b", "c"})
    for (std::size_t crash = 1; crash <= undisturbed_.actions[site]; ++crash)
      ExpectSame({.mode = GetParam(), .crashes = {{site, {crash}}}}, Concat(site, "'s action ", crash));
}

TEST_P(EveryMode, AnyOrderOfEventsEndsInTheSameModel) {
  for (std::uint64_t seed = 2; seed < 100; ++seed)
    ExpectSame({.mode = GetParam(), .seed = seed}, Concat("seed ", seed));
}

TEST_P(EveryMode, ManyKillsOfEverybodyChangeNothing) {
  for (std::uint64_t seed = 1; seed < 150; ++seed) {
    FederationOptions options{.mode = GetParam(), .seed = seed};
    Rng rng(seed, 7);
    for (const char* actor : {kHub, "a", "b", "c"})
      for (std::uint64_t kills = rng.Below(4); kills > 0; --kills)
        options.crashes[actor].push_back(1 + rng.Below(undisturbed_.actions[actor]));
    ExpectSame(options, Concat("seed ", seed));
  }
}

TEST(FederationCrash, TheMatrixOfModelsAndSitesIsTheSameWhoeverIsKilled) {
  const FederationOptions calm{.mode = "wait", .more = R"(, "cross_site": true, "evaluate": {"every": 2})"};
  const FederationOutcome undisturbed = RunFederation(calm);
  ASSERT_TRUE(undisturbed.finished);
  ASSERT_EQ(undisturbed.matrix.size(), 4u);
  for (std::uint64_t seed = 1; seed < 80; ++seed) {
    FederationOptions options = calm;
    options.seed = seed;
    Rng rng(seed, 11);
    for (const char* actor : {kHub, "a", "b", "c"})
      for (std::uint64_t kills = rng.Below(3); kills > 0; --kills)
        options.crashes[actor].push_back(1 + rng.Below(undisturbed.actions.at(actor)));
    const FederationOutcome outcome = RunFederation(options);
    ASSERT_TRUE(outcome.finished) << "seed " << seed;
    EXPECT_EQ(outcome.model, undisturbed.model) << "seed " << seed;
    EXPECT_EQ(outcome.matrix, undisturbed.matrix) << "seed " << seed;
  }
}

// Asynchronous rounds promise safety (the audit in the world watches it) and an end, not a digest.
TEST(FederationCrash, AsynchronousRoundsUseEveryAcceptedUpdateOnceWhoeverIsKilled) {
  const FederationOptions calm{.mode = "async",
                               .more = R"(, "strategy": {"name": "fedbuff", "buffer": 2, "staleness_max": 1})"};
  const FederationOutcome undisturbed = RunFederation(calm);
  ASSERT_TRUE(undisturbed.finished);
  EXPECT_EQ(undisturbed.updates_used, 6u);
  for (const char* actor : {kHub, "a", "b", "c"}) {
    for (std::size_t crash = 1; crash <= undisturbed.actions.at(actor); ++crash) {
      FederationOptions options = calm;
      options.seed = crash;
      options.crashes[actor] = {crash};
      const FederationOutcome outcome = RunFederation(options);
      ASSERT_TRUE(outcome.finished) << actor << "'s action " << crash;
      EXPECT_EQ(outcome.updates_used, 6u) << actor << "'s action " << crash;
    }
  }
}

}  // namespace
}  // namespace consilium::client
