#include "comm/wire/capability.h"
#include "tests/unit/comm/wire/job_text.h"

namespace consilium::wire {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

constexpr char kJob[] = R"(
name: trial
data: {dataset: Dataset001_Toy}
model: {patch_size: [8, 8, 8]}
privacy: {sites: {epsilon: 3, delta: 1e-6, clip: 0.5}}
federation: {rounds: 5, secure_aggregation: {enabled: true, min_cohort: 3}}
)";

StatusOr<JobSpec> Parse(const std::vector<std::string>& assignments) { return ParseText(kJob, assignments); }

TEST(JobSitePrivacy, IsReadAndWrittenAsItWasSaidAndMakesAllSitesEqual) {
  for (const char* more :
       {"privacy.sites.noise_multiplier=1.5", "privacy.sites.accept_noise=true",
        "privacy.sites={epsilon: 3, adaptive_clip: true, clip_quantile: 0.8}", "privacy.records={epsilon: 8}"}) {
    const StatusOr<JobSpec> job = Parse({more});
    ASSERT_TRUE(job.ok()) << job.status();
    EXPECT_TRUE(job->site_privacy.enabled);
    EXPECT_EQ(job->site_privacy.epsilon, 3);
    EXPECT_EQ(job->federation.weighting, "equal");
    EXPECT_TRUE(FeaturesNeeded(*job).contains("site_privacy"));
    EXPECT_TRUE(FeaturesOfThisBuild().contains("site_privacy"));
    EXPECT_EQ(ReadAgain(*job).site_privacy, job->site_privacy);
  }
  EXPECT_EQ(Parse({})->site_privacy.clip, 0.5);
  EXPECT_FALSE(Parse({})->record_privacy.enabled);
  EXPECT_TRUE(Parse({"privacy.records={epsilon: 8}"})->record_privacy.enabled);
}

TEST(JobSitePrivacy, EachNumberChangesTheDigest) {
  for (const char* assignment :
       {"privacy.sites.epsilon=4", "privacy.sites.delta=1e-5", "privacy.sites.clip=1",
        "privacy.sites.adaptive_clip=true", "privacy.sites.noise_multiplier=2", "privacy.sites.accept_noise=true"})
    EXPECT_NE(JobDigest(*Parse({assignment})), JobDigest(*Parse({}))) << assignment;
}

TEST(JobSitePrivacy, NumbersThatProtectNobodyAreRefused) {
  for (const char* assignment :
       {"privacy.sites.epsilon=0", "privacy.sites.epsilon=1e4", "privacy.sites.delta=0.1", "privacy.sites.delta=0",
        "privacy.sites.clip=0", "privacy.sites.clip=1e10", "privacy.sites.noise_multiplier=0",
        "privacy.sites.clip_quantile=0.5", "privacy.sites={epsilon: 3, adaptive_clip: true, clip_quantile: 1}"})
    EXPECT_EQ(Parse({assignment}).code(), StatusCode::kInvalidArgument) << assignment;
  EXPECT_THAT(Parse({"privacy={sites: {clip: 1}}"}).status().message(), HasSubstr("privacy.sites.epsilon is missing"));
}

TEST(JobSitePrivacy, WhatWouldTellMoreThanTheNoisyMeanIsRefusedWithTheReason) {
  const std::vector<RefusedJob> refused = {
      {{"federation={rounds: 5}"}, "it needs federation.secure_aggregation"},
      {{"federation.secure_aggregation.enabled=false", "federation.mode=wait"}, "made by all sites together"},
      {{"federation.strategy.name=krum"}, "the coordinator sees none"},
      {{"federation.strategy.name=scaffold"}, "beside the update"},
      {{"federation.strategy.name=qfedavg"}, "it needs each site's"},
      {{"federation.personalization.method=finetune"}, "scores of each site's own model"},
      {{"federation.evaluate.every=2"}, "each site's score without noise"},
      {{"federation.cross_site=true"}, "each site's own model"},
      {{"model={architecture: plan}"}, "statistics"},
      {{"federation.strategy.weighting=examples"}, "every site has the same weight"},
      {{"federation.secure_aggregation.clip=2"}, "clipped as a whole"},
      {{"federation.secure_aggregation.examples_max=5"}, "cases are not counted"},
  };
  ExpectRefused(kJob, refused,
                AnyOf(HasSubstr("job.yaml:"), HasSubstr("--set federation"), HasSubstr("--set model")));
}

TEST(JobSitePrivacy, GoesWithAveragingServersMomentsAndWhatStaysAtTheSite) {
  for (const char* assignment : {"federation.strategy.name=fedavgm", "federation.strategy.name=fedprox",
                                 "federation.strategy.name=fedadam", "federation.strategy.name=ditto",
                                 "federation.strategy.weighting=equal", "federation.personal=[\"*.norm.*\"]"}) {
    const StatusOr<JobSpec> job = Parse({assignment});
    EXPECT_TRUE(job.ok()) << assignment << ": " << job.status();
  }
}

}  // namespace
}  // namespace consilium::wire
