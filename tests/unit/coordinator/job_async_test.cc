// Mode async: a buffer of updates makes a round, whoever they come from and whatever they started from.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stage.h"

namespace consilium::coordinator {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

Stage& ConnectAll(Stage* stage) { return stage->Connect("a").Connect("b").Connect("c"); }

TEST(JobAsync, ASiteGetsItsNextTaskAsSoonAsItHasAnsweredOnTheNewestModel) {
  Stage stage(AsyncJob(3, 2, 5));
  ConnectAll(&stage).TakeLines();
  stage.Update("a", 0);
  EXPECT_EQ(stage.TakeLines("send a"), "send a Receipt trial/round 0.0 accepted\nsend a Task trial/round 0.1\n")
      << "no new model yet: the same one, another task";
  stage.Update("b", 0);
  EXPECT_EQ(stage.TakeLines("send b"), "send b Receipt trial/round 0.0 accepted\nsend b Task trial/round 1.0\n");
  EXPECT_EQ(stage.state().in_hand().at(SiteName("c")), Train(0)) << "c goes on undisturbed";
}

TEST(JobAsync, EveryBufferMakesARoundAndStalenessIsCountedFromTheBase) {
  Stage stage(AsyncJob(3, 2, 5));
  ConnectAll(&stage).TakeLines();
  stage.Update("a", 0).Update("a", 0, 1);
  EXPECT_EQ(stage.TakeLines("fold"), "fold a*1 a*1\n") << "a fast site may fill a buffer alone";
  stage.Update("a", 1).Update("c", 0);
  EXPECT_EQ(stage.TakeLines("fold"), "fold a*1 c*1-1\n");
  stage.Update("b", 0).Update("c", 2);
  EXPECT_EQ(stage.TakeLines("fold"), "fold b*1-2 c*1\n");
  EXPECT_TRUE(stage.state().all_rounds_done());
}

TEST(JobAsync, AnUpdateThatIsTooOldIsDroppedCountedAndItsSiteGetsAFreshTask) {
  Stage stage(AsyncJob(5, 1, 1));
  ConnectAll(&stage).TakeLines();
  stage.Disconnect("c").Update("a", 0).Update("a", 1).TakeLines();
  EXPECT_TRUE(stage.state().IsStale(Train(0)));
  stage.Update("c", 0);  // from a connection that is gone, and says it again on the next
  stage.Connect("c").TakeLines();
  stage.Update("c", 0);
  EXPECT_THAT(stage.TakeLines("send c"), HasSubstr("Receipt trial/round 0.0 late"));
  EXPECT_GE(stage.machine().drops().at(SiteName("c")).at(wire::DropReason::kStale), 1u);
  EXPECT_EQ(stage.state().in_hand().at(SiteName("c")), Train(2));
}

TEST(JobAsync, WhoeverWorksOnAModelThatHasBecomeTooOldIsStoodDown) {
  Stage stage(AsyncJob(5, 1, 1));
  ConnectAll(&stage).TakeLines();
  stage.Update("a", 0);
  EXPECT_THAT(stage.TakeLines("send c"), Not(HasSubstr("StandDown")));
  stage.Update("a", 1);
  EXPECT_EQ(stage.TakeLines("send c"), "send c StandDown trial/round 0.0\nsend c Task trial/round 2.0\n");
}

TEST(JobAsync, AnUpdateThatGrewTooOldWhileItWasCheckedIsDroppedNotTaken) {
  Stage stage(AsyncJob(5, 1, 0));
  ConnectAll(&stage);
  stage.SetVerdict("b", std::nullopt);
  stage.Update("b", 0).Update("a", 0).TakeLines();
  stage.AnswerChecks();
  EXPECT_THAT(stage.TakeLines("send b"), HasSubstr("Receipt trial/round 0.0 stale"));
}

TEST(JobAsync, AnUpdateThatArrivesDuringTheFoldIsInTheNextRound) {
  Stage stage(AsyncJob(3, 1, 5));
  ConnectAll(&stage);
  stage.hold_folds = true;
  stage.Update("a", 0);
  ASSERT_EQ(stage.state().phase(), Phase::kFolding);
  stage.TakeLines();
  stage.Update("b", 0);
  EXPECT_EQ(stage.TakeLines("persist"), "") << "its round is not open yet";
  stage.hold_folds = false;
  stage.Tell(FoldDone{Round(0), FakeBlob("model of round 0"), Sha256Of("model of round 0")});
  EXPECT_THAT(stage.TakeLines("fold"), HasSubstr("fold b*1-1\n"));
  EXPECT_EQ(ToInt(stage.state().round()), 2u);
}

TEST(JobAsync, TheModelOfATaskInHandIsKeptAndGivenAgainAfterAReconnect) {
  Stage stage(AsyncJob(5, 1, 3));
  ConnectAll(&stage);
  const Digest first = stage.state().model().digest;
  stage.Update("a", 0).Update("a", 1);
  EXPECT_TRUE(stage.state().LiveBlobs().contains(first));
  EXPECT_EQ(stage.state().ModelOfTask(SiteName("c")).digest, first);
  stage.Disconnect("c").TakeLines();
  stage.Connect("c");
  EXPECT_EQ(stage.TakeLines("send c"), "send c Task trial/round 0.0\n");
  stage.Update("c", 0).Update("b", 0);
  EXPECT_FALSE(stage.state().LiveBlobs().contains(first)) << "nobody works from it any more";
}

TEST(JobAsync, ASiteThatFailsIsAskedAgainInTheNextRoundNotAtOnce) {
  Stage stage(AsyncJob(3, 2, 5));
  ConnectAll(&stage).TakeLines();
  stage.Fail("a", Train(0), "out of memory");
  EXPECT_EQ(stage.TakeLines("send a"), "send a Receipt trial/round 0.0 accepted\n");
  stage.Update("b", 0).Update("c", 0);
  EXPECT_EQ(stage.TakeLines("send a"), "send a Task trial/round 1.0\n");
}

TEST(JobAsync, WhenEverybodyFailsTheJobEndsWithTheirWords) {
  Stage stage(AsyncJob(3, 2, 5));
  ConnectAll(&stage);
  for (const char* site : {"a", "b", "c"}) stage.Fail(site, Train(0), "no GPU");
  EXPECT_EQ(stage.state().phase(), Phase::kFinished);
  EXPECT_EQ(stage.state().outcome().code, StatusCode::kFailed);
}

TEST(JobAsync, AtTheDeadlineABufferWithTheMinimumIsEnoughAndBelowItTheJobFails) {
  Stage enough(AsyncJob(3, 5, 5, 2));
  ConnectAll(&enough).Update("a", 0).Update("b", 0).Advance(seconds(101));
  EXPECT_EQ(ToInt(enough.state().round()), 1u);
  Stage few(AsyncJob(3, 5, 5, 2));
  ConnectAll(&few).Update("a", 0).Advance(seconds(101));
  EXPECT_EQ(few.state().outcome().code, StatusCode::kDeadlineExceeded);
}

TEST(JobAsync, ARestartKeepsTheBufferAndEveryTaskInHand) {
  Stage stage(AsyncJob(3, 3, 5));
  ConnectAll(&stage).Update("a", 0).Update("b", 0);
  stage.Restart().TakeLines();
  ConnectAll(&stage);
  EXPECT_EQ(stage.TakeLines("send"),
            "send a Task trial/round 0.1\nsend b Task trial/round 0.1\nsend c Task trial/round 0.0\n");
  stage.Update("a", 0);
  EXPECT_EQ(stage.TakeLines("send a"), "send a Receipt trial/round 0.0 duplicate\n");
  stage.Update("c", 0);
  EXPECT_EQ(stage.TakeLines("fold"), "fold a*1 b*1 c*1\n");
}

TEST(JobAsync, ALostUpdateLeavesTheBufferAndIsNotAskedForAgain) {
  Stage stage(AsyncJob(3, 3, 5));
  ConnectAll(&stage).Update("a", 0).Update("b", 0);
  stage.Restart({SiteName("a")});
  EXPECT_EQ(stage.state().HeldUpdates().size(), 1u);
}

TEST(JobAsync, AfterTheLastRoundWorkIsStoodDownAndTheModelEvaluated) {
  Stage stage(AsyncJob(1, 1, 5));
  ConnectAll(&stage).TakeLines();
  stage.Update("a", 0);
  const std::string lines = stage.TakeLines("send b");
  EXPECT_EQ(lines, "send b StandDown trial/round 0.0\nsend b Task trial/evaluation after round 0.0\n");
  stage.Report("a", 0, 1).Report("b", 0, 1).Report("c", 0, 1);
  EXPECT_EQ(stage.state().outcome().code, StatusCode::kOk);
}

TEST(JobAsync, APausedJobGivesNoNewTasksAndWaitsForItsResumption) {
  Stage stage(AsyncJob(3, 3, 5));
  ConnectAll(&stage).TakeLines();
  stage.Tell(PauseJob{"ada"}).Update("a", 0).Update("b", 0);
  EXPECT_THAT(stage.TakeLines("send"), Not(HasSubstr("Task")));
  stage.Advance(seconds(250));
  EXPECT_EQ(stage.state().phase(), Phase::kCollecting);
  stage.Tell(ResumeJob{"ada"});
  EXPECT_EQ(stage.TakeLines("send"), "send a Task trial/round 0.1\nsend b Task trial/round 0.1\n");
}

}  // namespace
}  // namespace consilium::coordinator
