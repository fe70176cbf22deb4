#include "comm/wire/capability.h"
#include "tests/unit/comm/wire/job_text.h"

namespace consilium::wire {
namespace {

using ::testing::HasSubstr;

constexpr char kJob[] = R"(
name: trial
data: {dataset: Dataset001_Toy}
model: {patch_size: [8, 8, 8]}
privacy: {records: {epsilon: 3, delta: 1e-6, clip: 0.5}}
)";

StatusOr<JobSpec> Parse(const std::vector<std::string>& assignments) { return ParseText(kJob, assignments); }

TEST(JobPrivacy, IsReadAndWrittenAsItWasSaid) {
  for (const char* noise : {"privacy.records.noise_multiplier=1.5", "privacy.records.clip=0.5"}) {
    const StatusOr<JobSpec> job = Parse({noise, "federation.rounds=3"});
    ASSERT_TRUE(job.ok()) << job.status();
    EXPECT_TRUE(job->record_privacy.enabled);
    EXPECT_EQ(job->record_privacy.epsilon, 3);
    EXPECT_EQ(job->record_privacy.delta, 1e-6);
    EXPECT_EQ(job->record_privacy.clip, 0.5);
    EXPECT_TRUE(FeaturesNeeded(*job).contains("record_privacy"));
    EXPECT_TRUE(FeaturesOfThisBuild().contains("record_privacy"));
    ReadAgain(*job);
  }
  EXPECT_EQ(Parse({})->record_privacy.noise_multiplier, 0) << "each site chooses its own";
}

TEST(JobPrivacy, WithoutItTheResolvedJobIsWhatItWas) {
  const std::string text(kJob);
  const StatusOr<JobSpec> job = ParseText(text.substr(0, text.find("privacy")), {});
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_FALSE(job->record_privacy.enabled);
  EXPECT_FALSE(JobToJson(*job).contains("privacy"));
  EXPECT_FALSE(FeaturesNeeded(*job).contains("record_privacy"));
}

TEST(JobPrivacy, EachNumberChangesTheDigest) {
  for (const char* assignment : {"privacy.records.epsilon=4", "privacy.records.delta=1e-5", "privacy.records.clip=1",
                                 "privacy.records.noise_multiplier=2"})
    EXPECT_NE(JobDigest(*Parse({assignment})), JobDigest(*Parse({}))) << assignment;
}

TEST(JobPrivacy, NumbersThatProtectNobodyAreRefused) {
  for (const char* assignment :
       {"privacy.records.epsilon=0", "privacy.records.epsilon=1e4", "privacy.records.delta=0.1",
        "privacy.records.delta=0", "privacy.records.clip=0", "privacy.records.noise_multiplier=0"})
    EXPECT_EQ(Parse({assignment}).code(), StatusCode::kInvalidArgument) << assignment;
  const Status status = Parse({"privacy={records: {clip: 1}}"}).status();
  EXPECT_THAT(status.message(), HasSubstr("privacy.records.epsilon is missing"));
  EXPECT_THAT(Parse({"federation.privacy={epsilon: 8}"}).status().message(), HasSubstr("privacy.records"));
}

TEST(JobPrivacy, WhatWouldShowMoreOfACaseIsRefusedWithTheReason) {
  const std::vector<RefusedJob> refused = {
      {{"cluster.ranks=2"}, "trained by one rank"},
      {{"train.batch_size=4", "train.gradient_accumulation=2"}, "one by one"},
      {{"data.fold=all"}, "validates on the training cases"},
      {{"federation.strategy.name=qfedavg"}, "needs each site's loss on its training cases"},
      {{"federation.strategy.name=ditto"}, "a second model on the same cases"},
      {{"federation.personalization.method=finetune"}, "a second model on the same cases"},
      {{"federation.evaluate.every=2"}, "a score without noise after each"},
      {{"federation.cross_site=true"}, "a score without noise for each pair"},
      {{"federation.rounds=2", "model={architecture: plan}"}, "statistics of their cases without noise"},
  };
  ExpectRefused(kJob, refused, HasSubstr("job.yaml:5"));
}

TEST(JobPrivacy, GoesWithAveragingServersMomentsDriftCorrectionCompressionAndSecureSums) {
  for (const std::vector<std::string>& assignments :
       std::vector<std::vector<std::string>>{{"federation.strategy.name=fedadam"},
                                             {"federation.strategy.name=scaffold"},
                                             {"federation.strategy.name=fednova"},
                                             {"federation.strategy.name=fedbuff", "federation.mode=async"},
                                             {"federation.compression=int8"},
                                             {"federation.personal=[\"*.norm.*\"]"},
                                             {"federation.secure_aggregation={enabled: true, min_cohort: 3}"}}) {
    const StatusOr<JobSpec> job = Parse(assignments);
    EXPECT_TRUE(job.ok()) << assignments[0] << ": " << job.status();
  }
}

}  // namespace
}  // namespace consilium::wire
