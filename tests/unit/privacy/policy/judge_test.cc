#include "privacy/policy/judge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "comm/wire/job.h"

namespace consilium::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const pki::WallTime kNow = std::chrono::system_clock::from_time_t(1'780'000'000);

// Allows the question below, exactly.
SitePolicy Narrow() {
  SitePolicy policy;
  policy.project = "heart";
  policy.coordinators = {"hub"};
  policy.jobs = {"hippo*"};
  policy.approval = Approval::kAutomatic;
  policy.tasks = {wire::TaskKind::kTrain};
  policy.datasets = {"Dataset004_*"};
  policy.architectures = {"plain_unet"};
  policy.min_cohort = 3;
  policy.secure_aggregation = Demand::kRequired;
  policy.differential_privacy = Demand::kRequired;
  policy.epsilon_max = 8;
  policy.delta_max = 1e-5;
  policy.rounds_max = 10;
  policy.releases_max = 20;
  policy.metrics = {"loss", "dice*"};
  return policy;
}

Question Fitting() {
  Question question;
  question.coordinator = "hub";
  question.task = {JobId("hippocampus"), Round{3}, Attempt{0}, wire::TaskKind::kTrain};
  question.job = {.name = "hippocampus", .dataset = "Dataset004_Hippocampus", .architecture = "plain_unet"};
  question.job.digest = Sha256Of("the job");
  question.job.cohort_min = 3;
  question.job.secure_aggregation = true;
  question.job.epsilon = 8;
  question.job.delta = 1e-5;
  question.sites = 5;
  question.rounds_spent = 9;
  question.releases_spent = 19;
  question.opens_round = true;
  question.now = kNow;
  return question;
}

TEST(Judge, WhatThePolicyAllowsToTheLetterMayRun) { EXPECT_EQ(Judge(Narrow(), Fitting()), std::nullopt); }

TEST(Judge, EachStepOutsideIsRefusedWithItsOwnCode) {
  struct Step {
    RefusalCode code;
    std::function<void(SitePolicy&, Question&)> take;
  };
  const std::vector<Step> steps = {
      {RefusalCode::kPolicyExpired, [](SitePolicy& p, Question&) { p.until = kNow - std::chrono::seconds(1); }},
      {RefusalCode::kCoordinatorNotAllowed, [](SitePolicy&, Question& q) { q.coordinator = "hub2"; }},
      {RefusalCode::kJobNotAllowed, [](SitePolicy&, Question& q) { q.job.name = "lung"; }},
      {RefusalCode::kJobDigestNotAllowed,
       [](SitePolicy& p, Question&) { p.job_digests = {Sha256Of("another").ToHex()}; }},
      {RefusalCode::kTaskNotAllowed, [](SitePolicy&, Question& q) { q.task.kind = wire::TaskKind::kStatistics; }},
      {RefusalCode::kDatasetNotAllowed, [](SitePolicy&, Question& q) { q.job.dataset = "Dataset005_Prostate"; }},
      {RefusalCode::kArchitectureNotAllowed, [](SitePolicy&, Question& q) { q.job.architecture = "trap_weights"; }},
      {RefusalCode::kCohortTooSmall, [](SitePolicy&, Question& q) { q.job.cohort_min = 2; }},
      {RefusalCode::kCohortTooSmall, [](SitePolicy&, Question& q) { q.job.cohort_min = 0, q.sites = 2; }},
      {RefusalCode::kSecureAggregationRequired, [](SitePolicy&, Question& q) { q.job.secure_aggregation = false; }},
      {RefusalCode::kPrivacyRequired, [](SitePolicy&, Question& q) { q.job.epsilon.reset(); }},
      {RefusalCode::kEpsilonTooLarge, [](SitePolicy&, Question& q) { q.job.epsilon = 8.1; }},
      {RefusalCode::kEpsilonTooLarge, [](SitePolicy&, Question& q) { q.job.epsilon = std::nan(""); }},
      {RefusalCode::kEpsilonTooLarge, [](SitePolicy&, Question& q) { q.job.delta.reset(); }},
      {RefusalCode::kRoundsSpent, [](SitePolicy&, Question& q) { q.rounds_spent = 10; }},
      {RefusalCode::kReleasesSpent, [](SitePolicy&, Question& q) { q.releases_spent = 20; }},
      {RefusalCode::kRefusedByPerson, [](SitePolicy&, Question& q) { q.decision = Decision::kRefused; }},
      {RefusalCode::kNotApproved, [](SitePolicy& p, Question&) { p.approval = Approval::kManual; }},
  };
  for (const Step& step : steps) {
    SitePolicy policy = Narrow();
    Question question = Fitting();
    step.take(policy, question);
    const std::optional<Refusal> refusal = Judge(policy, question);
    ASSERT_TRUE(refusal) << RefusalCodeName(step.code);
    EXPECT_EQ(RefusalCodeName(refusal->code), RefusalCodeName(step.code));
    EXPECT_THAT(ToText(*refusal), HasSubstr(Concat("refused by site policy [", RefusalCodeName(step.code), "]: ")));
  }
}

TEST(Judge, ARoundThatIsDoneAgainIsNoNewRound) {
  Question question = Fitting();
  question.rounds_spent = 10;
  question.opens_round = false;
  EXPECT_EQ(Judge(Narrow(), question), std::nullopt);
}

TEST(Judge, AnEmptyPolicyAllowsNothing) {
  EXPECT_TRUE(Judge(SitePolicy(), Fitting()));
  for (auto clear : std::vector<std::function<void(SitePolicy&)>>{
           [](SitePolicy& p) { p.coordinators.clear(); }, [](SitePolicy& p) { p.jobs.clear(); },
           [](SitePolicy& p) { p.tasks.clear(); }, [](SitePolicy& p) { p.datasets.clear(); },
           [](SitePolicy& p) { p.architectures.clear(); }, [](SitePolicy& p) { p.releases_max = 0; },
           [](SitePolicy& p) { p.rounds_max = 0; }}) {
    SitePolicy policy = Narrow();
    clear(policy);
    EXPECT_TRUE(Judge(policy, Fitting()));
  }
}

TEST(Judge, AnApprovalLetsAJobRunThatNothingElseForbids) {
  SitePolicy policy = Narrow();
  policy.approval = Approval::kManual;
  Question question = Fitting();
  question.decision = Decision::kApproved;
  EXPECT_EQ(Judge(policy, question), std::nullopt);
  question.job.architecture = "trap_weights";
  EXPECT_EQ(Judge(policy, question)->code, RefusalCode::kArchitectureNotAllowed);
}

TEST(Judge, StatisticsOfAJobThatHasNoNetworkYetAreJudgedWithoutItAndTrainingIsNot) {
  SitePolicy policy = Narrow();
  Question question = Fitting();
  question.job.architecture = "plan";
  EXPECT_EQ(Judge(policy, question)->code, RefusalCode::kArchitectureNotAllowed);
  question.task.kind = wire::TaskKind::kStatistics;
  EXPECT_EQ(Judge(policy, question)->code, RefusalCode::kTaskNotAllowed);
  policy.tasks.insert(wire::TaskKind::kStatistics);
  EXPECT_EQ(Judge(policy, question), std::nullopt);
}

TEST(Judge, WhatPrivacyForSitesImpliesForACaseCountsWhereACaseMustBeProtected) {
  SitePolicy policy = Narrow();
  Question question = Fitting();
  question.job.epsilon = 16, question.job.delta = 1e-3, question.job.epsilon_of_sites = true;
  ASSERT_TRUE(Judge(policy, question).has_value());
  EXPECT_EQ(Judge(policy, question)->code, RefusalCode::kEpsilonTooLarge);
  policy.differential_privacy = Demand::kOptional;  // the same job without privacy.sites would run
  EXPECT_EQ(Judge(policy, question), std::nullopt);
}

TEST(FilterMetrics, WhatThePolicyDoesNotNameStaysAndFewCasesLeaveNothing) {
  SitePolicy policy = Narrow();
  std::vector<std::string> withheld;
  const wire::Metrics report = {{"cases", 12}, {"dice", 0.8}, {"dice.1", 0.7}, {"loss", 0.3}, {"patient_age", 61}};
  EXPECT_EQ(FilterMetrics(policy, report, &withheld), (wire::Metrics{{"dice", 0.8}, {"dice.1", 0.7}, {"loss", 0.3}}));
  EXPECT_THAT(withheld, ElementsAre("cases", "patient_age"));
  for (const double cases : {9.0, 0.0, -1.0, std::nan("")}) {
    wire::Metrics few = report;
    few["cases"] = cases;
    EXPECT_TRUE(FilterMetrics(policy, few, &withheld).empty()) << cases;
  }
}

TEST(FactsOf, TheSiteReadsTheJobItselfAndTakesTheSmallestCohortThatARoundMayHave) {
  const auto facts = [](const std::string& federation) {
    return FactsOf(
        "{\"name\": \"h\", \"data\": {\"dataset\": \"Dataset004_Hippocampus\"}, \"model\": {\"patch_size\": [8, 8, "
        "8]}, "
        "\"federation\": {" +
        federation + "}}");
  };
  EXPECT_EQ(facts("\"rounds\": 7, \"sites\": {\"min\": 2}")->cohort_min, 2);
  EXPECT_EQ(facts("\"rounds\": 7, \"sites\": {\"min\": 2}")->rounds, 7);
  EXPECT_EQ(facts("\"mode\": \"wait\", \"sites\": {\"names\": [\"a\", \"b\", \"c\"]}")->cohort_min, 3);
  EXPECT_EQ(facts("\"mode\": \"wait\"")->cohort_min, 0);
  EXPECT_FALSE(facts("\"rounds\": 7")->secure_aggregation);
  EXPECT_FALSE(facts("\"rounds\": 7")->epsilon);
  const auto privacy = facts("}, \"privacy\": {\"records\": {\"epsilon\": 3, \"delta\": 1e-6}");
  ASSERT_TRUE(privacy.ok()) << privacy.status();
  EXPECT_EQ(privacy->epsilon, 3);
  EXPECT_EQ(privacy->delta, 1e-6);
  EXPECT_FALSE(privacy->epsilon_of_sites);
  // Two replacements by zeros lie between a site's parts with and without a case.
  const char* secure = R"("secure_aggregation": {"enabled": true, "min_cohort": 3}})";
  const auto sites = facts(Concat(secure, ", \"privacy\": {\"sites\": {\"epsilon\": 3, \"delta\": 1e-6}"));
  ASSERT_TRUE(sites.ok()) << sites.status();
  EXPECT_EQ(sites->epsilon, 6);
  EXPECT_NEAR(sites->delta.value(), (1 + std::exp(3)) * 1e-6, 1e-18);
  EXPECT_TRUE(sites->epsilon_of_sites);
  // Where both are there, the cases' own promise counts: it rests on nobody but the site.
  const auto both = facts(Concat(secure, ", \"privacy\": {\"sites\": {\"epsilon\": 3}, \"records\": {\"epsilon\": 7}"));
  ASSERT_TRUE(both.ok()) << both.status();
  EXPECT_EQ(both->epsilon, 7);
  EXPECT_FALSE(both->epsilon_of_sites);
  EXPECT_FALSE(facts("\"unknown\": 7").ok());
  for (const char* text : {"", "[]", "{", "7"}) EXPECT_FALSE(FactsOf(text).ok()) << text;
}

}  // namespace
}  // namespace consilium::policy
