// Silence, operators' words, and what the job says it waits for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stage.h"

namespace consilium::coordinator {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;

Stage& ConnectAll(Stage* stage) { return stage->Connect("a").Connect("b").Connect("c"); }

wire::Heartbeat Working(const wire::TaskKey& task, double progress = 0.5) {
  return {.phase = wire::SitePhase::kTraining, .task = task, .progress = progress};
}

const Wait* Find(const std::vector<Wait>& waits, const std::string& who) {
  for (const Wait& wait : waits)
    if (wait.who == who) return &wait;
  return nullptr;
}

TEST(JobWatch, ASiteWhoseHeartbeatsStopIsSilentSoonAndDisconnectedLater) {
  Stage stage({.mode = "close"});
  ConnectAll(&stage);
  stage.Mute("b").Advance(seconds(11));
  EXPECT_TRUE(stage.machine().IsSilent(SiteName("b"), stage.now()));
  EXPECT_FALSE(stage.machine().IsSilent(SiteName("a"), stage.now()));
  EXPECT_TRUE(stage.machine().IsConnected(SiteName("b")));
  stage.TakeLines();
  stage.Advance(seconds(30));
  EXPECT_FALSE(stage.machine().IsConnected(SiteName("b")));
  EXPECT_THAT(stage.TakeLines("disconnect"), HasSubstr("disconnect b: nothing was heard of it for "));
  stage.Connect("b");
  EXPECT_THAT(stage.TakeLines("send b"), HasSubstr("Task trial/round 0.0")) << "and is welcome back";
}

TEST(JobWatch, ASiteThatTrainsAndBeatsIsNeverSilent) {
  Stage stage({.mode = "wait", .deadline = "10h"});
  ConnectAll(&stage);
  for (int i = 0; i < 200; ++i) {
    for (const char* site : {"a", "b", "c"}) stage.Beat(site, Working(Train(0)));
    stage.Advance(minutes(1));
  }
  for (const char* site : {"a", "b", "c"}) EXPECT_TRUE(stage.machine().IsConnected(SiteName(site)));
}

TEST(JobWatch, ASiteThatStillWorksOnAClosedRoundIsStoodDownOnceByItsHeartbeat) {
  Stage stage({.mode = "close"});
  ConnectAll(&stage).Update("a", 0).Update("b", 0).Disconnect("c").Advance(seconds(101));
  stage.Connect("c").TakeLines();
  stage.Beat("c", Working(Train(0))).Beat("c", Working(Train(0)));
  EXPECT_EQ(stage.TakeLines("send c"), "send c StandDown trial/round 0.0\n");
}

TEST(JobWatch, InAnOpenRoundAHeartbeatStopsNobody) {
  Stage stage({.mode = "wait"});
  ConnectAll(&stage).Update("a", 0).TakeLines();
  stage.Beat("a", Working(Train(0))).Fail("b", Train(0), "out of memory").Beat("b", Working(Train(0)));
  EXPECT_EQ(stage.TakeLines("send").find("StandDown"), std::string::npos) << "receipts and attempts say it better";
}

TEST(JobWatch, AFailureIsInTheStateAtOnceAndEndsOnlyItsSitesPart) {
  Stage stage({.mode = "close"});
  ConnectAll(&stage).Fail("c", Train(0), "std::bad_alloc at epoch 3");
  EXPECT_EQ(stage.state().cohort().at(SiteName("c")).last_failure->message, "std::bad_alloc at epoch 3");
  EXPECT_EQ(stage.state().phase(), Phase::kCollecting);
  EXPECT_EQ(stage.state().Awaited().size(), 2u);
}

TEST(JobWatch, AnAbortEndsTheJobInEveryPhaseAndTellsEverybodyWhy) {
  for (const int updates : {-1, 0, 1, 2, 3}) {
    Stage stage({.mode = "close"});
    stage.hold_folds = true;
    if (updates >= 0) ConnectAll(&stage);
    if (updates > 0) stage.Update("a", 0);
    if (updates > 1) stage.Update("b", 0);
    if (updates > 2) stage.Update("c", 0);
    stage.TakeLines();
    stage.Tell(AbortJob{"ada", "wrong data set"});
    EXPECT_EQ(stage.state().outcome().code, StatusCode::kCancelled);
    EXPECT_EQ(stage.state().outcome().message, "aborted by ada: wrong data set");
    if (updates >= 0) {
      EXPECT_THAT(stage.TakeLines("send a"), HasSubstr("JobEnded cancelled"));
    }
    stage.Tell(AbortJob{"bob", "again"});
    EXPECT_EQ(stage.state().outcome().message, "aborted by ada: wrong data set");
  }
}

TEST(JobWatch, APausedJobOpensNoRoundUntilItIsResumedAlsoAfterARestart) {
  Stage stage({.mode = "close"});
  ConnectAll(&stage).Tell(PauseJob{"ada"}).Update("a", 0).Update("b", 0).Update("c", 0);
  EXPECT_EQ(stage.state().phase(), Phase::kGathering);
  stage.Advance(seconds(500));
  EXPECT_EQ(stage.state().phase(), Phase::kGathering) << "a pause has no deadline";
  EXPECT_EQ(Find(stage.machine().waiting(stage.now()), "ada")->what, "the job to be resumed");
  stage.Restart();
  ConnectAll(&stage).Advance(seconds(500));
  EXPECT_EQ(stage.state().phase(), Phase::kGathering);
  stage.Tell(ResumeJob{"bob"});
  EXPECT_EQ(stage.state().phase(), Phase::kCollecting);
}

TEST(JobWatch, EveryWaitSaysWhatForOnWhomSinceWhenAndUntilWhen) {
  Stage stage({.mode = "close"});
  stage.Connect("a").Connect("b");
  std::vector<Wait> waits = stage.machine().waiting(stage.now());
  ASSERT_EQ(waits.size(), 1u);
  EXPECT_EQ(waits[0].who, "c");
  EXPECT_EQ(waits[0].what, "its connection");
  EXPECT_EQ(waits[0].state, "not connected");
  EXPECT_EQ(*waits[0].until - waits[0].since, seconds(25));

  stage.Connect("c").Beat("a", Working(Train(0), 0.25)).Update("b", 0).Disconnect("c");
  waits = stage.machine().waiting(stage.now());
  ASSERT_EQ(waits.size(), 2u);
  EXPECT_EQ(Find(waits, "a")->what, "its answer to trial/round 0.0");
  EXPECT_EQ(Find(waits, "a")->state, "training 25 %");
  EXPECT_EQ(Find(waits, "a")->then, "the round closes without it");
  EXPECT_EQ(*Find(waits, "a")->until - Find(waits, "a")->since, seconds(100));
  EXPECT_THAT(Find(waits, "c")->state, HasSubstr("not connected, last heard "));

  stage.hold_folds = true;
  stage.Connect("c").Update("a", 0).Update("c", 0);
  waits = stage.machine().waiting(stage.now());
  ASSERT_EQ(waits.size(), 1u);
  EXPECT_EQ(waits[0].who, "the coordinator");
  EXPECT_EQ(waits[0].what, "the model of round 0");
}

TEST(JobWatch, TheTimersOfClosedRoundsAreNotAwaited) {
  Stage stage({.rounds = 40});
  for (const char* site : {"a", "b", "c"}) stage.Connect(site);
  for (int round = 0; round < 39; ++round) {
    for (const char* site : {"a", "b", "c"}) stage.Update(site, round);
    ASSERT_LE(stage.awaited_timers(), 4u) << "round " << round;
  }
  EXPECT_GE(stage.awaited_timers(), 1u);
}

TEST(JobWatch, InModeWaitAWaitHasNoEndAndSaysSo) {
  Stage stage({.mode = "wait"});
  const std::vector<Wait> waits = stage.machine().waiting(stage.now());
  ASSERT_EQ(waits.size(), 3u);
  EXPECT_FALSE(waits[0].until.has_value());
  EXPECT_EQ(waits[0].then, "the round waits for it");
}

}  // namespace
}  // namespace consilium::coordinator
