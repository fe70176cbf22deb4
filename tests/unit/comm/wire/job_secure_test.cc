#include "comm/wire/capability.h"
#include "tests/unit/comm/wire/job_text.h"

namespace consilium::wire {
namespace {

using ::testing::HasSubstr;

constexpr char kJob[] = R"(
name: trial
data: {dataset: Dataset001_Toy}
model: {patch_size: [8, 8, 8]}
federation: {rounds: 3, secure_aggregation: {enabled: true, min_cohort: 3}}
)";

StatusOr<JobSpec> Parse(const std::vector<std::string>& assignments) { return ParseText(kJob, assignments); }

TEST(JobSecure, BringsItsModeAndItsMinimumOfSites) {
  const StatusOr<JobSpec> job = Parse({"federation.secure_aggregation.clip=0.5", "federation.personal=[\"*.norm.*\"]"});
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->federation.mode, RoundMode::kSecure);
  EXPECT_EQ(job->federation.sites_min, 3);
  EXPECT_EQ(job->federation.secure.clip, 0.5);
  EXPECT_EQ(UpdateKindOf(job->federation), UpdateKind::kDelta);
  EXPECT_TRUE(FeaturesNeeded(*job).contains("secure_aggregation"));
  ReadAgain(*job);
}

TEST(JobSecure, FiveSitesAreTheLeastUnlessTheJobSaysThree) {
  EXPECT_EQ(Parse({"federation.secure_aggregation={enabled: true}"})->federation.sites_min, 5);
}

TEST(JobSecure, WithoutItTheResolvedJobIsWhatItWas) {
  const StatusOr<JobSpec> job = Parse({"federation.secure_aggregation.enabled=false"});
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->federation.mode, RoundMode::kClose);
  EXPECT_FALSE(JobToJson(*job)["federation"].contains("secure_aggregation"));
}

TEST(JobSecure, WhatCannotBeDoneWithASumIsRefusedWithTheReason) {
  const std::vector<RefusedJob> refused = {
      {{"federation.strategy.name=median"}, "compares single updates, and the coordinator sees none"},
      {{"federation.strategy.name=krum", "federation.sites.min=7"}, "compares single updates"},
      {{"federation.strategy.name=bulyan", "federation.sites.min=7"}, "compares single updates"},
      {{"federation.strategy.name=geometric_median"}, "compares single updates"},
      {{"federation.strategy.name=trimmed_mean"}, "compares single updates"},
      {{"federation.strategy.name=norm_clipping"}, "norms of single updates"},
      {{"federation.strategy.name=clustered"}, "different models from single updates"},
      {{"federation.strategy.name=mixing"}, "different models from single updates"},
      {{"federation.strategy.name=fedbuff"}, "one by one as they come"},
      {{"federation.compression=topk"}, "compression does not go with secure_aggregation"},
      {{"federation.compression=int8"}, "compression does not go with secure_aggregation"},
      {{"federation.cross_site=true"}, "cross_site does not go with secure_aggregation"},
      {{"federation.mode=close"}, "goes with mode secure alone"},
      {{"federation.mode=wait"}, "goes with mode secure alone"},
      {{"federation.sites={min: 3, fraction: 0.5}"}, "mode secure asks every site that is there"},
      {{"federation.sites.min=2"}, "federation.sites.min must be at least that, found 2"},
      {{"federation.sites.min=1001"}, "at most 1000 sites"},
      {{"federation.secure_aggregation.min_cohort=2"}, "3 to 1000 sites"},
      {{"federation.secure_aggregation.clip=0"}, "clip"},
      {{"federation.secure_aggregation.enabled=false", "federation.mode=secure"},
       "secure_aggregation: {enabled: true}"},
  };
  ExpectRefused(kJob, refused);
}

TEST(JobSecure, EveryStrategyIsEitherSummedOrRefused) {
  for (const StrategySpec& strategy : Strategies()) {
    const StatusOr<JobSpec> job =
        Parse({Concat("federation.strategy.name=", strategy.name), "federation.sites.min=11"});
    if (job.ok()) {
      EXPECT_TRUE(strategy.aux_up.empty() && strategy.metric.empty() && !strategy.several_models) << strategy.name;
    } else {
      EXPECT_THAT(job.status().message(), HasSubstr("does not go with secure_aggregation")) << strategy.name;
    }
  }
}

}  // namespace
}  // namespace consilium::wire
