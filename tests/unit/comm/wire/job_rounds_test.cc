#include "comm/wire/capability.h"
#include "comm/wire/deadline_policy.h"
#include "tests/unit/comm/wire/job_text.h"

namespace consilium::wire {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr char kJob[] = R"(
name: trial
data: {dataset: Dataset001_Toy}
model: {patch_size: [8, 8, 8]}
federation: {rounds: 3}
)";

StatusOr<JobSpec> Parse(const std::vector<std::string>& assignments) { return ParseText(kJob, assignments); }

TEST(JobRounds, WhatIsReadComesBackFromTheResolvedJob) {
  const StatusOr<JobSpec> job =
      Parse({"federation.sites={min: 2, fraction: 0.5, over_select: 1, enough: 3}",
             "federation.evaluate={every: 5, on: validation, metric: loss}",
             "federation.early_stop={patience: 4, min_delta: 0.01}", "federation.cross_site=true"});
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->federation.sites_fraction, 0.5);
  EXPECT_EQ(job->federation.sites_over_select, 1);
  EXPECT_EQ(job->federation.sites_enough, 3);
  EXPECT_EQ(job->federation.evaluate_every, 5);
  EXPECT_EQ(job->federation.evaluate_metric, "loss");
  EXPECT_EQ(job->federation.early_stop_patience, 4);
  EXPECT_TRUE(job->federation.cross_site);
  EXPECT_EQ(JobDigest(ReadAgain(*job)), JobDigest(*job));
}

TEST(JobRounds, FedbuffMakesTheModeAsyncAndNothingElseDoes) {
  const StatusOr<JobSpec> job = Parse({"federation.strategy.name=fedbuff"});
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->federation.mode, RoundMode::kAsync);
  EXPECT_THAT(Parse({"federation.strategy.name=fedbuff", "federation.mode=wait"}).status().message(),
              HasSubstr("mode async and strategy fedbuff belong together, found wait and fedbuff"));
  EXPECT_EQ(Parse({"federation.mode=async"}).code(), StatusCode::kInvalidArgument);
}

TEST(JobRounds, WhatDoesNotGoTogetherIsRefusedWithTheReason) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"federation.mode=wait", "federation.sites={min: 1, fraction: 0.5}"}, "waits for every site"},
      {{"federation.sites={min: 1, over_select: 1}"}, "which has to be below 1"},
      {{"federation.sites={min: 3, enough: 2}"}, "at least federation.sites.min (3)"},
      {{"federation.sites={min: 1, fraction: 0}"}, "a share above 0"},
      {{"federation.early_stop={patience: 2}"}, "early_stop needs federation.evaluate"},
      {{"federation.evaluate={every: 1, on: heldout}", "federation.early_stop={patience: 2}"}, "on: validation"},
      {{"federation.strategy.name=fedbuff", "federation.evaluate={every: 1}"}, "for modes close and wait"},
  };
  for (const auto& [assignments, expected] : cases) {
    const StatusOr<JobSpec> job = Parse(assignments);
    EXPECT_EQ(job.code(), StatusCode::kInvalidArgument) << assignments.front();
    EXPECT_THAT(job.status().message(), HasSubstr(expected));
  }
}

TEST(Capability, OnlyWhatAJobNeedsBeyondTheFirstVersionIsAsked) {
  EXPECT_TRUE(FeaturesNeeded(*Parse({})).empty()) << "plain averaging works with every site";
  EXPECT_EQ(FeaturesNeeded(*Parse({"federation.evaluate={every: 1}"})), std::set<std::string>{"validate"});
  EXPECT_EQ(WhyUnfit({}, {}), "");
  EXPECT_EQ(WhyUnfit({.trainer = "0.1.0"}, {"auxiliary", "validate"}),
            "its software (0.1.0) lacks auxiliary, validate");
  EXPECT_EQ(WhyUnfit({.features = FeaturesOfThisBuild()}, FeaturesNeeded(*Parse({"federation.cross_site=true"}))), "");
}

TEST(DeadlinePolicy, EveryWaitIsDerivedAndInOrderWhateverTheDeadline) {
  for (const Duration deadline :
       {Duration(seconds(1)), Duration(minutes(1)), Duration(minutes(20)), Duration(hours(1)), Duration(hours(48))}) {
    const DeadlinePolicy policy(deadline);
    EXPECT_EQ(policy.task, deadline);
    EXPECT_LE(policy.straggler_grace, policy.task);
    EXPECT_LE(policy.gather_grace, std::min<Duration>(policy.gather, minutes(1)));
    EXPECT_GE(policy.silence, 3 * seconds(DeadlinePolicy::kHeartbeatsMissedMax * 3))
        << "a site is shown as silent long before it is given up";
    EXPECT_LE(policy.silence, minutes(5));
    EXPECT_GE(policy.trainer_silence, minutes(1));
  }
}

}  // namespace
}  // namespace consilium::wire
