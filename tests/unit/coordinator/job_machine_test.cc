#include "coordinator/core/job_machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stage.h"

namespace consilium::coordinator {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

void ConnectAll(Stage* stage) { stage->Connect("a").Connect("b").Connect("c"); }

TEST(JobMachine, OneRoundTranscriptPersistsEveryFactBeforeItIsSaid) {
  Stage stage({.mode = "close", .rounds = 1});
  EXPECT_EQ(stage.TakeLines("persist"), "persist JobOpened\n");
  ConnectAll(&stage);
  EXPECT_EQ(stage.TakeLines("send"),
            "send a Task trial/round 0.0\nsend b Task trial/round 0.0\nsend c Task trial/round 0.0\n");
  stage.Update("c", 0, 0, 3).Update("a", 0, 0, 1);
  EXPECT_EQ(stage.TakeLines("send"),
            "send c Receipt trial/round 0.0 accepted\nsend a Receipt trial/round 0.0 accepted\n");
  stage.Update("b", 0, 0, 2);
  std::string lines;
  std::istringstream all(stage.TakeLines());
  for (std::string line; std::getline(all, line);)
    if (!line.starts_with("report")) lines += line + "\n";
  EXPECT_EQ(lines,
            "persist UpdateAccepted\nsend b Receipt trial/round 0.0 accepted\npersist RoundClosed\n"
            "fold a*1 b*2 c*3\npersist ModelPublished\npublish 0\ntimer 25s\ntimer 1m40s\npersist "
            "EvaluationOpened\ntimer 1m40s\n"
            "send a Task trial/evaluation after round 0.0\nsend b Task trial/evaluation after round 0.0\n"
            "send c Task trial/evaluation after round 0.0\n");
  stage.Report("a", 0, 0.8).Report("b", 0, 0.7);
  EXPECT_EQ(stage.state().phase(), Phase::kEvaluating);
  stage.Report("c", 0, 0.9);
  EXPECT_EQ(stage.state().phase(), Phase::kFinished);
  EXPECT_EQ(stage.state().outcome().code, StatusCode::kOk);
  EXPECT_EQ(stage.TakeLines("send a"),
            "send a Receipt trial/evaluation after round 0.0 accepted\nsend a JobEnded ok\n");
}

TEST(JobMachine, EqualWeightingGivesEverySiteTheSameShare) {
  Stage stage({.mode = "close", .weighting = "equal"});
  ConnectAll(&stage);
  stage.Update("a", 0, 0, 10).Update("b", 0, 0, 20).Update("c", 0, 0, 30);
  EXPECT_EQ(stage.TakeLines("fold"), "fold a*1 b*1 c*1\n");
}

// --- mode close

TEST(JobMachineClose, ClosesEarlyWhenAllHaveAnswered) {
  Stage stage({.mode = "close"});
  ConnectAll(&stage);
  stage.Update("a", 0).Update("b", 0).Update("c", 0);
  EXPECT_EQ(ToInt(stage.state().round()), 1u);
  EXPECT_EQ(stage.state().phase(), Phase::kCollecting);
}

TEST(JobMachineClose, AtTheDeadlineTheRoundClosesWithTheOthersAndNamesWhoIsMissing) {
  Stage stage({.mode = "close"});
  ConnectAll(&stage);
  stage.Update("a", 0).Update("b", 0).Disconnect("c");
  stage.TakeLines();
  stage.Advance(seconds(101));
  const std::string lines = stage.TakeLines();
  EXPECT_THAT(lines, HasSubstr(R"(report round_closed {"round":0,"contributors":["a","b"],"missing":["c"])"));
  EXPECT_THAT(lines, HasSubstr("fold a*1 b*1\n"));
}

TEST(JobMachineClose, AMissingSiteThatReturnsJoinsTheNextRoundAndItsLateUpdateIsCounted) {
  Stage stage({.mode = "close"});
  ConnectAll(&stage);
  stage.Update("a", 0).Update("b", 0).Disconnect("c").Advance(seconds(101));
  ASSERT_EQ(ToInt(stage.state().round()), 1u) << "a and b are there, c is not waited for";
  stage.TakeLines();
  stage.Connect("c");
  EXPECT_EQ(stage.TakeLines("send c"), "");
  stage.Update("c", 0);
  EXPECT_EQ(stage.TakeLines("send c"), "send c Receipt trial/round 0.0 late\n");
  stage.Update("a", 1).Update("b", 1);
  EXPECT_EQ(stage.TakeLines("send c"), "send c Task trial/round 2.0\n");
}

TEST(JobMachineClose, ASiteThatReconnectsWithinTheRoundGetsTheSameTaskAgain) {
  Stage stage({.mode = "close"});
  ConnectAll(&stage);
  stage.Disconnect("b").TakeLines();
  stage.Connect("b");
  EXPECT_EQ(stage.TakeLines("send b"), "send b Task trial/round 0.0\n");
}

TEST(JobMachineClose, ASiteThatHasAnsweredIsNotAskedAgain) {
  Stage stage({.mode = "close"});
  ConnectAll(&stage);
  stage.Update("b", 0).Disconnect("b").TakeLines();
  stage.Connect("b");
  EXPECT_EQ(stage.TakeLines("send b"), "");
}

TEST(JobMachineClose, BelowTheMinimumTheJobFailsAndSaysWhoWasAwaited) {
  Stage stage({.mode = "close", .sites_min = 2});
  ConnectAll(&stage);
  stage.Update("a", 0).Disconnect("c").Advance(seconds(101));
  EXPECT_EQ(stage.state().phase(), Phase::kFinished);
  EXPECT_EQ(stage.state().outcome().code, StatusCode::kDeadlineExceeded);
  EXPECT_EQ(stage.state().outcome().message,
            "round 0 has 1 of at least 2 updates after 1m40s; missing: b (connected, no answer), c (not connected)");
  EXPECT_EQ(stage.TakeLines("send b"), "send b Task trial/round 0.0\nsend b JobEnded deadline exceeded\n");
}

TEST(JobMachineClose, AFailedTaskMakesItsSiteMissingWithoutWaitingForTheDeadline) {
  Stage stage({.mode = "close"});
  ConnectAll(&stage);
  stage.Update("a", 0).Update("b", 0).Fail("c", Train(0), "out of memory");
  const std::string lines = stage.TakeLines();
  EXPECT_THAT(lines, HasSubstr(R"("missing":["c"])"));
  EXPECT_THAT(lines, HasSubstr("out of memory"));
  EXPECT_EQ(ToInt(stage.state().round()), 1u);
}

TEST(JobMachineClose, WhenTooManyFailTheJobEndsWithTheirMessages) {
  Stage stage({.mode = "close", .sites_min = 2});
  ConnectAll(&stage);
  stage.Update("a", 0).Fail("b", Train(0), "no such data set").Fail("c", Train(0), "out of memory");
  EXPECT_EQ(stage.state().outcome().code, StatusCode::kFailed);
  EXPECT_THAT(stage.state().outcome().message, HasSubstr("b (failed: no such data set), c (failed: out of memory)"));
}

TEST(JobMachineClose, AnUpdateThatIsBeingCheckedAtTheDeadlineStillCounts) {
  Stage stage({.mode = "close"});
  ConnectAll(&stage);
  stage.SetVerdict("b", std::nullopt);
  stage.Update("a", 0).Update("b", 0).Advance(seconds(101));
  EXPECT_EQ(stage.state().phase(), Phase::kCollecting);
  stage.TakeLines();
  stage.AnswerChecks();
  EXPECT_THAT(stage.TakeLines(), HasSubstr(R"("contributors":["a","b"],"missing":["c"])"));
}

TEST(JobMachineClose, WhoIsAwaitedAtTheDeadlineIsToldToStandDown) {
  Stage stage({.mode = "close"});
  ConnectAll(&stage);
  stage.Update("a", 0).Update("b", 0).TakeLines();
  stage.Advance(seconds(100));
  EXPECT_THAT(stage.TakeLines(), HasSubstr("persist RoundClosed\nsend c StandDown trial/round 0.0\n"));
}

TEST(JobMachineClose, TheFirstRoundGivesEverybodyAMomentToArriveThenOpensWithTheMinimum) {
  Stage stage({.mode = "close", .sites_min = 2});
  stage.Connect("a").Connect("c");
  EXPECT_EQ(stage.state().phase(), Phase::kGathering);
  EXPECT_EQ(stage.machine().awaited(), std::vector<SiteName>{SiteName("b")});
  stage.Advance(seconds(26));
  EXPECT_EQ(stage.state().phase(), Phase::kCollecting);
  EXPECT_EQ(stage.state().cohort().size(), 2u);
}

TEST(JobMachineClose, BeforeTheFirstRoundItWaitsForTheMinimumHoweverLongAndSaysForWhom) {
  Stage stage({.mode = "close", .sites_min = 2});
  stage.Connect("a").Advance(seconds(1000));
  EXPECT_EQ(stage.state().phase(), Phase::kGathering);
  EXPECT_THAT(stage.TakeLines(), HasSubstr(R"(report awaited {"round":0,"sites":["b","c"],"for":"connection")"));
  stage.Connect("b");
  EXPECT_EQ(stage.state().phase(), Phase::kCollecting) << "the moment of grace is long over";
}

TEST(JobMachineClose, ALaterRoundThatCannotOpenFailsAtItsDeadline) {
  Stage stage({.mode = "close", .sites_min = 2});
  ConnectAll(&stage);
  stage.hold_folds = true;
  stage.Update("a", 0).Update("b", 0).Update("c", 0).Disconnect("b").Disconnect("c");
  stage.hold_folds = false;
  stage.Restart().Connect("a").Advance(seconds(101));
  EXPECT_EQ(stage.state().outcome().code, StatusCode::kDeadlineExceeded);
  EXPECT_THAT(stage.state().outcome().message, HasSubstr("round 1 could not open: 1 of at least 2 sites"));
}

TEST(JobMachineClose, AfterARestartARoundOpensOnceTheLastContributorsAreBack) {
  Stage stage({.mode = "close", .sites_min = 1});
  ConnectAll(&stage);
  stage.hold_folds = true;
  stage.Update("a", 0).Update("b", 0).Update("c", 0);
  stage.hold_folds = false;
  stage.Restart().Connect("a").Connect("b");
  EXPECT_EQ(stage.state().phase(), Phase::kGathering);
  stage.Connect("c");
  EXPECT_EQ(stage.state().cohort().size(), 3u);
}

TEST(JobMachineClose, TheEvaluationEndsAtItsDeadlineWithoutTheMissing) {
  Stage stage({.mode = "close", .rounds = 1});
  ConnectAll(&stage);
  stage.Update("a", 0).Update("b", 0).Update("c", 0).Report("a", 0, 0.8).TakeLines();
  stage.Advance(seconds(101));
  EXPECT_EQ(stage.state().outcome().code, StatusCode::kOk);
  EXPECT_THAT(stage.TakeLines("report job_finished"), HasSubstr(R"("missing":["b","c"])"));
}

// --- mode wait

TEST(JobMachineWait, NothingClosesWithoutASiteHoweverLongItTakes) {
  Stage stage({.mode = "wait"});
  ConnectAll(&stage);
  stage.Update("a", 0).Update("b", 0).Disconnect("c").Advance(seconds(350));
  EXPECT_EQ(stage.state().phase(), Phase::kCollecting);
  const std::string lines = stage.TakeLines("report awaited");
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 3) << lines;
  EXPECT_THAT(lines, HasSubstr(R"("sites":["c"],"for":"answer")"));
  stage.Connect("c").Update("c", 0);
  EXPECT_EQ(ToInt(stage.state().round()), 1u);
}

TEST(JobMachineWait, OpensForAllSitesBeforeAnyIsConnected) {
  Stage stage({.mode = "wait"});
  EXPECT_EQ(stage.state().cohort().size(), 3u);
  EXPECT_EQ(stage.TakeLines("send"), "");
  stage.Connect("b");
  EXPECT_EQ(stage.TakeLines("send"), "send b Task trial/round 0.0\n");
}

TEST(JobMachineWait, AFailedTaskIsTriedThreeTimesThenTheJobEndsWithTheSitesMessage) {
  Stage stage({.mode = "wait"});
  ConnectAll(&stage);
  stage.TakeLines();
  stage.Fail("b", Train(0, 0), "worker died");
  EXPECT_EQ(stage.TakeLines("send b"), "send b Receipt trial/round 0.0 accepted\nsend b Task trial/round 0.1\n");
  stage.Fail("b", Train(0, 0), "worker died");
  EXPECT_EQ(stage.TakeLines("send b"), "send b Receipt trial/round 0.0 late\n") << "said twice, counted once";
  stage.Fail("b", Train(0, 1), "worker died").Fail("b", Train(0, 2), "disk on fire");
  EXPECT_EQ(stage.state().outcome().code, StatusCode::kFailed);
  EXPECT_EQ(stage.state().outcome().message, "round 0: b failed 3 times, the last time with: disk on fire");
}

TEST(JobMachineWait, ASiteWhosePolicyOrBudgetForbidsTheJobIsAskedOnceAndTheJobEndsWithItsReason) {
  for (const StatusCode code : {StatusCode::kPermissionDenied, StatusCode::kPrivacyBudget}) {
    Stage stage({.mode = "wait"});
    ConnectAll(&stage);
    stage.TakeLines();
    stage.Fail("b", Train(0, 0), "not with our patients", code);
    EXPECT_EQ(stage.state().outcome().code, code);
    EXPECT_EQ(stage.state().outcome().message, "round 0: b failed 1 time, the last time with: not with our patients");
  }
}

TEST(JobMachineWait, ABadUpdateIsTrainedAgain) {
  Stage stage({.mode = "wait"});
  ConnectAll(&stage);
  stage.SetVerdict("b", DataLoss("tensor 'w' has a NaN"));
  stage.TakeLines();
  stage.Update("b", 0);
  EXPECT_EQ(stage.TakeLines("send b"), "send b Receipt trial/round 0.0 bad_update\nsend b Task trial/round 0.1\n");
  stage.SetVerdict("b", Status());
  stage.Update("b", 0, 1).Update("a", 0).Update("c", 0);
  EXPECT_EQ(ToInt(stage.state().round()), 1u);
}

TEST(JobMachineWait, AnEvaluationThatKeepsFailingDoesNotSpoilTheJob) {
  Stage stage({.mode = "wait", .rounds = 1});
  ConnectAll(&stage);
  stage.Update("a", 0).Update("b", 0).Update("c", 0).Report("a", 0, 0.8).Report("b", 0, 0.8);
  for (int attempt = 0; attempt < 3; ++attempt) stage.Fail("c", Evaluate(0, attempt), "no held-out cases");
  EXPECT_EQ(stage.state().outcome().code, StatusCode::kOk);
  EXPECT_EQ(stage.state().evaluations().back().missing.at(SiteName("c")), "no held-out cases");
}

// --- what does not count

TEST(JobMachine, EveryWrongAnswerHasItsReason) {
  Stage stage({.mode = "close", .sites = {"a", "b", "c"}});
  stage.Connect("a").Connect("b").Advance(seconds(26));  // c is not in the cohort of round 0
  stage.Connect("c").Connect("stranger").TakeLines();
  const auto answer = [&](const std::string& site, const wire::TaskKey& task) {
    stage.Say(site, wire::UpdateReady{task, FakeBlob(site), 1, {}});
    return stage.TakeLines("send " + site);
  };
  EXPECT_THAT(answer("c", Train(0)), HasSubstr("not_in_cohort"));
  EXPECT_THAT(answer("stranger", Train(0)), HasSubstr("not_in_cohort"));
  EXPECT_THAT(answer("a", Train(1)), HasSubstr("unknown_task"));
  EXPECT_THAT(answer("a", Train(0, 1)), HasSubstr("unknown_task"));
  EXPECT_THAT(answer("a", Evaluate(0)), HasSubstr("unknown_task"));
  wire::TaskKey other = Train(0);
  other.job = JobId("other");
  EXPECT_THAT(answer("a", other), HasSubstr("unknown_task"));
  EXPECT_THAT(answer("a", Train(0)), HasSubstr("accepted"));
  EXPECT_THAT(answer("a", Train(0)), HasSubstr("duplicate"));
  stage.Update("b", 0);
  EXPECT_EQ(ToInt(stage.state().round()), 1u);
  stage.TakeLines();
  EXPECT_THAT(answer("a", Train(0)), HasSubstr("duplicate")) << "it was used: its receipt got lost";
  EXPECT_THAT(answer("c", Train(0)), HasSubstr("late"));
}

TEST(JobMachine, AnUpdateOfImpossibleSizeOrWeightIsBad) {
  Stage stage({.mode = "wait"});
  ConnectAll(&stage);
  stage.TakeLines();
  wire::BlobManifest huge = FakeBlob("x");
  huge.bytes = std::uint64_t{10} << 30;
  stage.Say("a", wire::UpdateReady{Train(0), huge, 1, {}});
  EXPECT_THAT(stage.TakeLines("send a"), HasSubstr("bad_update"));
  for (const double weight : {0.0, -1.0, 1e300, std::numeric_limits<double>::infinity(), std::nan("")}) {
    Stage fresh({.mode = "wait"});
    fresh.Connect("a").TakeLines();
    fresh.Update("a", 0, 0, weight);
    EXPECT_THAT(fresh.TakeLines("send a"), HasSubstr("bad_update")) << weight;
  }
}

TEST(JobMachine, AnUpdateThatIsSaidTwiceWhileItIsCheckedIsCheckedOnceAndReceiptedOnce) {
  Stage stage({.mode = "wait"});
  ConnectAll(&stage);
  stage.SetVerdict("a", std::nullopt);
  stage.TakeLines();
  stage.Update("a", 0).Update("a", 0).AnswerChecks();
  EXPECT_EQ(stage.TakeLines("send a"), "send a Receipt trial/round 0.0 accepted\n");
}

TEST(JobMachine, ACheckThatEndsAfterItsSiteReportedAFailureChangesNothing) {
  Stage stage({.mode = "wait"});
  ConnectAll(&stage);
  stage.SetVerdict("a", std::nullopt);
  stage.Update("a", 0).Fail("a", Train(0), "disk lost").AnswerChecks();
  EXPECT_FALSE(stage.state().cohort().at(SiteName("a")).update.has_value());
  EXPECT_EQ(stage.state().cohort().at(SiteName("a")).failures, 1u);
}

// --- the end and the beginning

TEST(JobMachine, ASiteThatComesAfterTheEndIsToldSoAlsoAfterARestart) {
  Stage stage({.mode = "wait", .rounds = 1});
  ConnectAll(&stage);
  stage.Update("a", 0).Update("b", 0).Update("c", 0).Report("a", 0, 1).Report("b", 0, 1).Report("c", 0, 1);
  stage.Restart();
  EXPECT_THAT(stage.TakeLines("finish"), HasSubstr("finish")) << "the result files are written again";
  stage.Connect("b");
  EXPECT_EQ(stage.TakeLines("send b"), "send b JobEnded ok\n");
}

TEST(JobMachine, AnUpdateThatWasLostWithTheMachineIsAskedForAgainAlsoAfterItsRoundClosed) {
  for (const bool closed : {false, true}) {
    Stage stage({.mode = "wait"});
    ConnectAll(&stage);
    stage.hold_folds = true;
    stage.Update("a", 0).Update("b", 0);
    if (closed) stage.Update("c", 0);
    stage.hold_folds = false;
    stage.Restart({SiteName("b")}).Connect("a").Connect("b").Connect("c");
    EXPECT_EQ(stage.state().phase(), Phase::kCollecting);
    EXPECT_EQ(stage.state().Awaited().size(), closed ? 1u : 2u);
    stage.Update("b", 0);
    if (!closed) stage.Update("c", 0);
    EXPECT_EQ(ToInt(stage.state().round()), 1u);
  }
}

TEST(JobMachine, AJobWithMoreRequiredSitesThanThereAreIsRefused) {
  const StatusOr<JobMachine> machine = JobMachine::Open(MakeJob({.sites_min = 4}));
  EXPECT_EQ(machine.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(machine.status().message(), HasSubstr("federation.sites.min is 4, but only 3 sites take part"));
}

TEST(JobState, AJournalOutOfOrderIsDataLoss) {
  Stage stage({.mode = "wait", .rounds = 1});
  ConnectAll(&stage);
  stage.Update("a", 0).Update("b", 0).Update("c", 0).Report("a", 0, 1).Report("b", 0, 1).Report("c", 0, 1);
  const std::vector<Record>& journal = stage.journal();
  for (std::size_t skipped = 0; skipped + 1 < journal.size(); ++skipped) {
    std::vector<Record> torn = journal;
    torn.erase(torn.begin() + static_cast<std::ptrdiff_t>(skipped));
    const bool evaluation_lost = std::holds_alternative<EvaluationAccepted>(journal[skipped]);
    // Without one of the evaluations the rest is still a story that could have happened: the site did not answer.
    EXPECT_EQ(JobState::Restore(torn).ok(), evaluation_lost) << "without " << RecordName(journal[skipped]);
    torn = journal;
    torn.insert(torn.begin() + static_cast<std::ptrdiff_t>(skipped), journal[skipped]);
    EXPECT_EQ(JobState::Restore(torn).code(), StatusCode::kDataLoss)
        << "with " << RecordName(journal[skipped]) << " twice";
  }
}

}  // namespace
}  // namespace consilium::coordinator
