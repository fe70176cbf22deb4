#include "tests/unit/comm/wire/job_text.h"

namespace consilium::wire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kJob[] =
    "name: tiny\n"
    "data: {dataset: Dataset900_Tiny}\n"
    "model: {patch_size: [16, 16, 16]}\n"
    "train: {learning_rate: 0.05, momentum: 0.9}\n"
    "federation: {}\n";

StatusOr<JobSpec> Parse(const std::vector<std::string>& assignments) { return ParseText(kJob, assignments); }

TEST(JobPersonal, WithoutAWordEverythingIsSharedAndASiteOfTheFirstVersionCanReadTheJob) {
  const auto job = Parse({});
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_TRUE(job->federation.personal.empty());
  EXPECT_EQ(job->federation.personalization.method, PersonalizationMethod::kNone);
  EXPECT_EQ(job->federation.local_momentum, LocalMomentum::kKeep);
  const Json federation = JobToJson(*job)["federation"];
  for (const char* key : {"personal", "personalization"}) EXPECT_FALSE(federation.contains(key)) << key;
  EXPECT_FALSE(federation["local"].contains("momentum"));
}

TEST(JobPersonal, PatternsAreKeptInOrder) {
  const auto job = Parse({"federation.personal=['*.norm.*', 'decoder.seg_layers.*']"});
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_THAT(job->federation.personal, ElementsAre("*.norm.*", "decoder.seg_layers.*"));
  ReadAgain(*job);
  EXPECT_EQ(Parse({"federation.personal=['']"}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Parse({"federation.personal=[a, a]"}).code(), StatusCode::kInvalidArgument);
}

TEST(JobPersonal, FinetuningTakesATenthOfTheLearningRateUnlessToldOtherwise) {
  auto job = Parse({"federation.personalization={method: finetune}"});
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->federation.personalization.method, PersonalizationMethod::kFinetune);
  EXPECT_EQ(job->federation.personalization.iterations, 100);
  EXPECT_DOUBLE_EQ(job->federation.personalization.learning_rate, 0.005);
  ReadAgain(*job);
  job = Parse({"federation.personalization={method: finetune, iterations: 7, learning_rate: 0.5}"});
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->federation.personalization.iterations, 7);
  EXPECT_DOUBLE_EQ(job->federation.personalization.learning_rate, 0.5);
  ReadAgain(*job);
}

TEST(JobPersonal, DittoIsAPersonalizationBesideAnyStrategy) {
  const auto job = Parse({"federation.personalization={method: ditto, lambda: 0.75}"});
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->federation.strategy, "fedavg");
  EXPECT_EQ(job->federation.personalization.method, PersonalizationMethod::kDitto);
  EXPECT_DOUBLE_EQ(job->federation.personalization.lambda, 0.75);
  ReadAgain(*job);
}

TEST(JobPersonal, ANumberOfAnotherMethodIsRefused) {
  for (const char* value : {"{method: ditto, iterations: 5}", "{method: finetune, lambda: 1}", "{lambda: 1}",
                            "{method: finetune, iterations: 0}", "{method: fedper}"}) {
    const auto job = Parse({std::string("federation.personalization=") + value});
    EXPECT_EQ(job.code(), StatusCode::kInvalidArgument) << value;
    EXPECT_THAT(job.status().message(), HasSubstr("federation.personalization")) << value;
  }
}

TEST(JobPersonal, MomentumCanBeginAnewInEachRound) {
  const auto job = Parse({"federation.local.momentum=reset"});
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->federation.local_momentum, LocalMomentum::kReset);
  ReadAgain(*job);
  EXPECT_EQ(Parse({"federation.local.momentum=forget"}).code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace consilium::wire
