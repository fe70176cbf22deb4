// kill -9 of the coordinator at every point of a job of three sites and three rounds, in memory.
#include <gtest/gtest.h>

#include "job_world.h"

namespace consilium::coordinator {
namespace {

class EveryMode : public ::testing::TestWithParam<const char*> {
 protected:
  WorldOptions World() const { return {.job = {.mode = GetParam(), .rounds = 3, .sites_min = 3}}; }
};
INSTANTIATE_TEST_SUITE_P(Modes, EveryMode, ::testing::Values("wait", "close"),
                         [](const auto& info) { return std::string(info.param); });

void ExpectSame(const WorldOutcome& outcome, const WorldOutcome& undisturbed, const std::string& where) {
  ASSERT_TRUE(outcome.finished) << where;
  EXPECT_EQ(outcome.code, StatusCode::kOk) << where;
  EXPECT_EQ(outcome.model, undisturbed.model) << where;
  EXPECT_EQ(outcome.evaluations, undisturbed.evaluations) << where;
  EXPECT_EQ(outcome.rounds_trained, undisturbed.rounds_trained) << where << ": nothing is trained twice";
}

TEST_P(EveryMode, ACrashAfterAnyActionEndsInTheSameModel) {
  const WorldOutcome undisturbed = RunWorld(World());
  ASSERT_TRUE(undisturbed.finished);
  ASSERT_EQ(undisturbed.code, StatusCode::kOk);
  ASSERT_EQ(undisturbed.rounds_trained, 3u * 3u + 3u);
  ASSERT_GT(undisturbed.actions, 90u);
  for (std::size_t crash = 1; crash <= undisturbed.actions; ++crash) {
    WorldOptions options = World();
    options.crashes = {crash};
    ExpectSame(RunWorld(options), undisturbed, Concat("crash after action ", crash));
  }
}

TEST_P(EveryMode, TwoCrashesAnywhereEndInTheSameModel) {
  const WorldOutcome undisturbed = RunWorld(World());
  for (std::size_t first = 1; first <= undisturbed.actions; first += 3) {
    for (std::size_t second = first + 1; second <= first + 40; second += 2) {
      WorldOptions options = World();
      options.crashes = {first, second};
      ExpectSame(RunWorld(options), undisturbed, Concat("crashes after actions ", first, " and ", second));
    }
  }
}

TEST_P(EveryMode, TheOrderOfArrivalDoesNotMatter) {
  const WorldOutcome undisturbed = RunWorld(World());
  for (std::uint64_t seed = 2; seed < 300; ++seed) {
    WorldOptions options = World();
    options.seed = seed;
    ExpectSame(RunWorld(options), undisturbed, Concat("seed ", seed));
  }
}

TEST(JobCrash, InModeWaitCutConnectionsAndCrashesTogetherChangeNothing) {
  const WorldOptions calm{.job = {.mode = "wait", .rounds = 3, .sites_min = 3}};
  const WorldOutcome undisturbed = RunWorld(calm);
  for (std::uint64_t seed = 1; seed < 400; ++seed) {
    WorldOptions options = calm;
    options.seed = seed;
    options.restart_site_every = 5 + seed % 20;
    Rng rng(seed, 1);
    for (int i = 0; i < 4; ++i) options.crashes.push_back(1 + rng.Below(2 * undisturbed.actions));
    ExpectSame(RunWorld(options), undisturbed, Concat("seed ", seed));
  }
}

TEST(JobCrash, RoundEvaluationsTheBestModelAndTheMatrixSurviveACrashAfterAnyAction) {
  for (const char* mode : {"wait", "close"}) {
    WorldOptions options{
        .job = {
            .mode = mode, .rounds = 3, .sites_min = 3, .more = R"(, "evaluate": {"every": 1}, "cross_site": true)"}};
    const WorldOutcome undisturbed = RunWorld(options);
    ASSERT_TRUE(undisturbed.finished);
    ASSERT_EQ(undisturbed.round_evaluations, 3u);
    ASSERT_EQ(undisturbed.matrix.size(), 4u) << "the global model and three sites' own";
    ASSERT_TRUE(undisturbed.best);
    for (std::size_t crash = 1; crash <= undisturbed.actions; ++crash) {
      options.crashes = {crash};
      const WorldOutcome outcome = RunWorld(options);
      ExpectSame(outcome, undisturbed, Concat(mode, ", crash after action ", crash));
      EXPECT_EQ(outcome.matrix, undisturbed.matrix) << crash;
      EXPECT_EQ(outcome.best, undisturbed.best) << crash;
    }
  }
}

// In these modes the final weights depend on who was first, so the promise is safety and an end.
TEST(JobCrash, OverSelectedAndAsynchronousRoundsUseEveryAcceptedUpdateOnceWhereverACrashComes) {
  const JobOptions over{.mode = "close",
                        .rounds = 3,
                        .sites_min = 1,
                        .sites = {"a", "b", "c", "d", "e"},
                        .select = R"(, "fraction": 0.4, "over_select": 1)"};
  for (const JobOptions& job : {over, AsyncJob(4, 2, 1), AsyncJob(3, 5, 0, 2)}) {
    const WorldOutcome undisturbed = RunWorld({.job = job});
    ASSERT_TRUE(undisturbed.finished) << job.mode;
    const bool async = job.mode == "async";
    EXPECT_EQ(undisturbed.updates_used, async ? (job.rounds == 4 ? 8u : 15u) : 6u);
    for (std::size_t crash = 1; crash <= undisturbed.actions; ++crash) {
      const WorldOutcome outcome = RunWorld({.job = job, .seed = crash, .crashes = {crash}, .restart_site_every = 30});
      ASSERT_TRUE(outcome.finished) << job.mode << ", crash after action " << crash;
      EXPECT_EQ(outcome.code, StatusCode::kOk);
      if (async) {
        EXPECT_EQ(outcome.updates_used, undisturbed.updates_used) << "crash after action " << crash;
      }
    }
  }
}

}  // namespace
}  // namespace consilium::coordinator
