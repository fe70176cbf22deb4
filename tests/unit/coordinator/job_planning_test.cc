// A job whose sites plan the network together: statistics, one plan, the first weights, then rounds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "comm/wire/preparation.h"
#include "job_world.h"
#include "stage.h"

namespace consilium::coordinator {
namespace {

using ::testing::HasSubstr;

const wire::TaskKey kStatistics = Prepare(""), kFirst = Prepare(wire::kInitialModelSubject);

JobOptions Planning(const std::string& mode, int sites_min = 2) {
  return {.mode = mode, .rounds = 1, .sites_min = sites_min, .model = kPlanTogether};
}

Stage& ConnectAll(Stage& stage) { return stage.Connect("a").Connect("b").Connect("c"); }

TEST(JobPlanning, InModeWaitEverySiteStatesOnePlanIsPinnedAndTheFirstSiteMakesTheFirstModel) {
  Stage stage(Planning("wait"));
  ConnectAll(stage).TakeLines();
  stage.Prepared("a", kStatistics).Prepared("b", kStatistics);
  EXPECT_EQ(stage.TakeLines("plan"), "") << "c has not answered";
  stage.Prepared("c", kStatistics);
  EXPECT_THAT(stage.TakeLines(), HasSubstr("persist RoundClosed\n"
                                           "report statistics_closed"));
  ASSERT_TRUE(stage.state().pinned());
  EXPECT_EQ(stage.state().job_json(), PlannedJson(Planning("wait")));
  EXPECT_EQ(stage.state().work(), Work::kInitialModel);
  stage.Prepared("b", kFirst);
  EXPECT_EQ(stage.state().work(), Work::kInitialModel) << "b was not asked";
  stage.Prepared("a", kFirst);
  EXPECT_EQ(stage.state().work(), Work::kTraining);
  EXPECT_EQ(stage.state().model().digest, FakeBlob("ainitial-modelanswer").digest);
  stage.Update("a", 0).Update("b", 0).Update("c", 0);
  EXPECT_EQ(stage.state().round(), Round(1));
}

TEST(JobPlanning, TheOrderOfTheExchangeIsJournalledBeforeItIsSaid) {
  Stage stage(Planning("close", 1));
  stage.Connect("b").Advance(std::chrono::seconds(30));
  stage.TakeLines();
  stage.Prepared("b", kStatistics).Prepared("b", kFirst).Advance(std::chrono::seconds(30));  // a and c may still come
  std::string order;
  const std::string lines = stage.TakeLines();
  for (std::size_t at = 0, end = 0; (end = lines.find('\n', at)) != std::string::npos; at = end + 1) {
    const std::string line = lines.substr(at, end - at);
    if (!line.starts_with("report") && !line.starts_with("timer")) order += line + "\n";
  }
  EXPECT_EQ(order,
            "persist UpdateAccepted\n"
            "send b Receipt trial/statistics before round 0.0 accepted\n"
            "persist RoundClosed\n"
            "plan from b\n"
            "persist PlanPinned\n"
            "persist RoundOpened\n"
            "send b Task trial/first model before round 0.0\n"
            "persist UpdateAccepted\n"
            "send b Receipt trial/first model before round 0.0 accepted\n"
            "persist RoundClosed\n"
            "keep the first model\n"
            "persist ModelInitialized\n"
            "publish 0\n"
            "persist RoundOpened\n"
            "send b Task trial/round 0.0\n");
}

TEST(JobPlanning, InModeCloseThePlanIsMadeAtTheDeadlineWithoutASilentSiteThatMayTrainLater) {
  Stage stage(Planning("close"));
  ConnectAll(stage);
  stage.Prepared("a", kStatistics).Prepared("b", kStatistics);
  EXPECT_EQ(stage.state().work(), Work::kStatistics);
  stage.Advance(std::chrono::seconds(100));
  EXPECT_EQ(stage.state().planned_from(), (std::set<SiteName>{SiteName("a"), SiteName("b")}));
  stage.TakeLines();
  stage.Prepared("c", kStatistics);
  EXPECT_THAT(stage.TakeLines("send"), HasSubstr("send c Receipt trial/statistics before round 0.0 late"));
  // Only those whose data are in the plan make its model; the first that comes counts.
  EXPECT_FALSE(stage.state().cohort().contains(SiteName("c")));
  stage.Prepared("b", kFirst);
  EXPECT_EQ(stage.state().work(), Work::kTraining);
  EXPECT_THAT(stage.TakeLines("send"), HasSubstr("send a StandDown trial/first model before round 0.0"));
  EXPECT_TRUE(stage.state().cohort().contains(SiteName("c")));
}

TEST(JobPlanning, WithFewerStatementsThanSitesMinTheJobFailsAndSaysWhatASiteSaid) {
  Stage stage(Planning("close", 3));
  ConnectAll(stage);
  stage.Prepared("a", kStatistics).Prepared("b", kStatistics).Fail("c", kStatistics, "4 cases are fewer than 5");
  EXPECT_EQ(stage.state().phase(), Phase::kFinished);
  EXPECT_THAT(stage.state().outcome().message, HasSubstr("the plan has 2 of at least 3 answers"));
  EXPECT_THAT(stage.state().outcome().message, HasSubstr("c (failed: 4 cases are fewer than 5)"));
}

TEST(JobPlanning, StatisticsThatGiveNoPlanEndTheJobWithTheReason) {
  Stage stage(Planning("wait"));
  stage.fail_folds = "the sites' statistics give no plan: b beside a: channels 'CT'";
  ConnectAll(stage).Prepared("a", kStatistics).Prepared("b", kStatistics).Prepared("c", kStatistics);
  EXPECT_EQ(stage.state().phase(), Phase::kFinished);
  EXPECT_EQ(stage.state().outcome().message, *stage.fail_folds);
}

TEST(JobPlanning, LostStatisticsAreAskedForAgainAndALostFirstModelToo) {
  Stage stage(Planning("wait"));
  stage.hold_folds = true;
  ConnectAll(stage).Prepared("a", kStatistics).Prepared("b", kStatistics).Prepared("c", kStatistics);
  ASSERT_EQ(stage.state().phase(), Phase::kFolding);
  stage.hold_folds = false;
  stage.Restart({SiteName("b")});
  EXPECT_EQ(stage.state().phase(), Phase::kCollecting);
  ConnectAll(stage).TakeLines();
  stage.hold_folds = true;
  stage.Prepared("b", kStatistics);
  EXPECT_EQ(stage.TakeLines("plan"), "plan from a b c\n");
  stage.Tell(PlanMade{PlannedJson(Planning("wait")), FakeBlob("plans"), Digest(), 12, 5}).Prepared("a", kFirst);
  ASSERT_EQ(stage.state().phase(), Phase::kFolding);
  stage.Restart({SiteName("a")});
  EXPECT_EQ(stage.state().phase(), Phase::kCollecting);
  EXPECT_EQ(stage.state().work(), Work::kInitialModel);
}

TEST(JobPlanning, AJobThatAsksForAPlanBeginsWithoutAModel) {
  JobOpened job = MakeJob(Planning("wait"));
  job.model = FakeBlob("a model");
  EXPECT_EQ(JobMachine::Open(job).code(), StatusCode::kInvalidArgument);
}

TEST(JobPlanning, ASiteWhoseSoftwareCannotPlanIsNotAskedAndIsNamed) {
  Stage stage(Planning("close"));
  wire::Capability old = AbleSite();
  old.features.erase("planning");
  stage.Connect("a").Connect("b").Connect("c", old).Advance(std::chrono::seconds(30));
  EXPECT_FALSE(stage.state().cohort().contains(SiteName("c")));
  EXPECT_THAT(stage.machine().WhyUnfit(SiteName("c")), HasSubstr("lacks planning"));
  stage.Prepared("a", kStatistics).Prepared("b", kStatistics).Prepared("a", kFirst);
  EXPECT_TRUE(stage.state().cohort().contains(SiteName("c"))) << "it can train what the others planned";
}

TEST(JobPlanning, AnAsynchronousJobIsPreparedAsAnyOther) {
  JobOptions options = AsyncJob(2, 2, 5);
  options.model = kPlanTogether;
  Stage stage(options);
  ConnectAll(stage).Prepared("a", kStatistics).Prepared("b", kStatistics).Prepared("c", kStatistics);
  stage.Prepared("c", kFirst);
  ASSERT_TRUE(stage.state().async());
  EXPECT_EQ(stage.state().in_hand().size(), 3u);
  stage.Update("a", 0).Update("c", 0);
  EXPECT_EQ(stage.state().round(), Round(1));
}

TEST(JobPlanning, ACrashAfterAnyActionEndsInTheSamePlanAndTheSameModel) {
  for (const char* mode : {"wait", "close"}) {
    WorldOptions options{.job = {.mode = mode, .rounds = 2, .sites_min = 3, .model = kPlanTogether}};
    const WorldOutcome undisturbed = RunWorld(options);
    ASSERT_TRUE(undisturbed.finished) << mode;
    ASSERT_EQ(undisturbed.code, StatusCode::kOk) << mode;
    for (std::size_t crash = 1; crash <= undisturbed.actions; ++crash) {
      options.crashes = {crash};
      options.seed = 1 + crash % 7;
      const WorldOutcome outcome = RunWorld(options);
      ASSERT_TRUE(outcome.finished) << mode << ", crash after action " << crash;
      EXPECT_EQ(outcome.code, StatusCode::kOk) << mode << ", crash after action " << crash;
      EXPECT_EQ(outcome.model, undisturbed.model) << mode << ", crash after action " << crash;
    }
  }
}

}  // namespace
}  // namespace consilium::coordinator
