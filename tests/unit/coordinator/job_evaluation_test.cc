// Evaluations between rounds, the best model, early stop, and every model on every site's cases.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stage.h"

namespace consilium::coordinator {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr char kEveryRound[] = R"(, "evaluate": {"every": 1})";

Stage& Connect(Stage* stage) { return stage->Connect("a").Connect("b"); }

void TrainRound(Stage* stage, int round) { stage->Update("a", round).Update("b", round); }
void ValidateRound(Stage* stage, int round, double dice_a, double dice_b) {
  stage->Validated("a", Validate(round), dice_a, 3).Validated("b", Validate(round), dice_b, 1);
}

JobOptions TwoSites(const std::string& more, const std::string& mode = "close", int rounds = 3) {
  return {.mode = mode, .rounds = rounds, .sites_min = 2, .sites = {"a", "b"}, .more = more};
}

TEST(JobEvaluation, EverySoManyRoundsTheNewestModelIsValidatedBeforeTheNextRoundOpens) {
  Stage stage(TwoSites(R"(, "evaluate": {"every": 2})"));
  Connect(&stage).TakeLines();
  TrainRound(&stage, 0);
  EXPECT_THAT(stage.TakeLines("send a"), HasSubstr("Task trial/round 1.0"));
  TrainRound(&stage, 1);
  EXPECT_THAT(stage.TakeLines("send a"), HasSubstr("Task trial/validation after round 1.0"));
  EXPECT_EQ(stage.state().phase(), Phase::kEvaluating);
  ValidateRound(&stage, 1, 0.9, 0.5);
  EXPECT_THAT(stage.TakeLines("send a"), HasSubstr("Task trial/round 2.0"));
  const EvaluationResult& result = stage.state().evaluations().back();
  EXPECT_DOUBLE_EQ(result.Mean().at("dice"), 0.8) << "3 cases of 0.9 and 1 of 0.5";
  EXPECT_DOUBLE_EQ(result.Mean().at("cases"), 4);
}

TEST(JobEvaluation, TheBestModelIsRememberedAndItsBlobKept) {
  Stage stage(TwoSites(kEveryRound));
  Connect(&stage);
  Digest best;
  for (const int round : {0, 1, 2}) {
    TrainRound(&stage, round);
    if (round == 1) best = stage.state().model().digest;
    const double dice = round == 1 ? 0.9 : 0.6;
    ValidateRound(&stage, round, dice, dice);
  }
  ASSERT_TRUE(stage.state().best());
  EXPECT_EQ(stage.state().best()->round, Round(1));
  EXPECT_DOUBLE_EQ(stage.state().best()->value, 0.9);
  EXPECT_EQ(stage.state().best()->model.digest, best);
  EXPECT_TRUE(stage.state().LiveBlobs().contains(best));
  EXPECT_EQ(stage.state().next(), NextStep::kFinalEvaluation);
}

TEST(JobEvaluation, AFallingLossIsAnImprovement) {
  Stage stage(TwoSites(R"(, "evaluate": {"every": 1, "metric": "loss"})"));
  Connect(&stage);
  for (const int round : {0, 1}) {
    TrainRound(&stage, round);
    for (const char* site : {"a", "b"})
      stage.Say(site, wire::EvaluationReport{Validate(round), {{"loss", round == 0 ? 2.0 : 1.5}}});
  }
  EXPECT_EQ(stage.state().best()->round, Round(1));
}

TEST(JobEvaluation, HeldOutCasesChooseNothing) {
  Stage stage(TwoSites(R"(, "evaluate": {"every": 1, "on": "heldout"})"));
  Connect(&stage).TakeLines();
  TrainRound(&stage, 0);
  EXPECT_THAT(stage.TakeLines("send a"), HasSubstr("Task trial/evaluation after round 0.0"));
  stage.Report("a", 0, 0.9).Report("b", 0, 0.9);
  EXPECT_FALSE(stage.state().best());
  TrainRound(&stage, 1);
  stage.Report("a", 1, 0.9).Report("b", 1, 0.9);
  TrainRound(&stage, 2);
  EXPECT_EQ(stage.state().evaluation()->purpose, Purpose::kFinal) << "the last one is the final one";
}

TEST(JobEvaluation, RoundsEndEarlyAfterSoManyEvaluationsWithoutAnImprovement) {
  Stage stage(TwoSites(R"(, "evaluate": {"every": 1}, "early_stop": {"patience": 2, "min_delta": 0.05})", "close", 9));
  Connect(&stage);
  int round = 0;
  for (const double dice : {0.5, 0.7, 0.72, 0.74}) {
    ASSERT_FALSE(stage.state().all_rounds_done());
    TrainRound(&stage, round);
    ValidateRound(&stage, round++, dice, dice);
  }
  EXPECT_TRUE(stage.state().stopped_early()) << "0.72 and 0.74 are within 0.05 of 0.7";
  EXPECT_EQ(stage.state().best()->round, Round(3)) << "the best is the best, by however little";
  EXPECT_EQ(stage.state().evaluation()->purpose, Purpose::kFinal);
  stage.Report("a", 3, 0.7).Report("b", 3, 0.7);
  EXPECT_EQ(stage.state().outcome().code, StatusCode::kOk);
  EXPECT_EQ(ToInt(stage.state().round()), 4u);
}

TEST(JobEvaluation, AnEvaluationThatNobodyAnswersStopsNothing) {
  Stage stage(TwoSites(R"(, "evaluate": {"every": 1}, "early_stop": {"patience": 1})"));
  Connect(&stage);
  TrainRound(&stage, 0);
  stage.Fail("a", Validate(0), "no validation cases").Fail("b", Validate(0), "no validation cases");
  EXPECT_FALSE(stage.state().stopped_early());
  EXPECT_EQ(stage.state().phase(), Phase::kCollecting);
  EXPECT_EQ(stage.state().evaluations().back().missing.size(), 2u);
}

TEST(JobEvaluation, ARoundEvaluationClosesAtItsDeadlineInModeCloseAndWaitsInModeWait) {
  for (const char* mode : {"close", "wait"}) {
    Stage stage(TwoSites(kEveryRound, mode));
    Connect(&stage);
    TrainRound(&stage, 0);
    stage.Validated("a", Validate(0), 0.5).Advance(seconds(101));
    EXPECT_EQ(stage.state().phase(), mode == std::string("close") ? Phase::kCollecting : Phase::kEvaluating);
  }
}

TEST(JobEvaluation, AcrossSitesEveryModelIsValidatedEverywhereOneAfterTheOther) {
  Stage stage(TwoSites(R"(, "cross_site": true)", "close", 1));
  Connect(&stage);
  TrainRound(&stage, 0);
  stage.Report("a", 0, 0.9).Report("b", 0, 0.9);
  EXPECT_THAT(stage.TakeLines(), HasSubstr("build 2 local models\n"));
  ASSERT_EQ(stage.state().evaluation()->purpose, Purpose::kCrossSite);
  for (const std::string subject : {"", "a", "b"}) {
    EXPECT_EQ(stage.state().KeyFor(SiteName("a")), Validate(0, subject));
    EXPECT_EQ(stage.state().ModelOfTask(SiteName("a")).digest,
              subject.empty() ? stage.state().model().digest : FakeBlob("local model of " + subject).digest);
    stage.Validated("a", Validate(0, subject), subject == "a" ? 0.8 : 0.6);
  }
  EXPECT_EQ(stage.state().Awaited(), std::vector<SiteName>{SiteName("b")});
  stage.Validated("b", Validate(0), 0.7).Fail("b", Validate(0, "a"), "out of memory");
  stage.Validated("b", Validate(0, "b"), 0.9);
  EXPECT_EQ(stage.state().outcome().code, StatusCode::kOk);
  const EvaluationResult& matrix = stage.state().evaluations().back();
  EXPECT_DOUBLE_EQ(matrix.metrics.at("a").at(SiteName("a")).at("dice"), 0.8);
  EXPECT_DOUBLE_EQ(matrix.metrics.at("b").at(SiteName("b")).at("dice"), 0.9);
  EXPECT_FALSE(matrix.metrics.at("a").contains(SiteName("b")));
  EXPECT_EQ(matrix.missing.at(SiteName("b")), "out of memory") << "one subject failed, the others count";
}

TEST(JobEvaluation, ARestartGoesOnWithTheSubjectInHand) {
  Stage stage(TwoSites(R"(, "cross_site": true)", "wait", 1));
  Connect(&stage);
  TrainRound(&stage, 0);
  stage.Report("a", 0, 0.9).Report("b", 0, 0.9).Validated("a", Validate(0), 0.5);
  stage.Restart().TakeLines();
  Connect(&stage);
  EXPECT_EQ(stage.TakeLines("send"),
            "send a Task trial/validation after round 0.0 of a\nsend b Task trial/validation "
            "after round 0.0\n");
}

TEST(JobEvaluation, AFoldThatNeverCanBeDoneFailsTheJobWithItsReason) {
  Stage stage(TwoSites(""));
  Connect(&stage);
  stage.fail_folds = "the result is not finite";
  TrainRound(&stage, 0);
  EXPECT_EQ(stage.state().outcome().code, StatusCode::kFailed);
  EXPECT_EQ(stage.state().outcome().message, "round 0 cannot be aggregated: the result is not finite");
}

}  // namespace
}  // namespace consilium::coordinator
