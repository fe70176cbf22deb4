#include "comm/wire/apply_plan.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "tests/testing/run_program.h"

namespace consilium::wire {
namespace {

using ::testing::HasSubstr;
using Numbers = std::vector<std::int64_t>;

// Of a CT whose coarsest axis is the last one of the data.
Json Plans() {
  return Json::parse(R"({
    "transpose_forward": [2, 0, 1],
    "foreground_intensity_properties_per_channel": {
      "0": {"mean": 40.5, "std": 20, "percentile_00_5": -90, "percentile_99_5": 180}},
    "configurations": {
      "3d_fullres": {
        "batch_size": 3, "patch_size": [16, 64, 32], "spacing": [5.0, 0.7, 0.8],
        "normalization_schemes": ["CTNormalization"], "use_mask_for_norm": [false],
        "architecture": {
          "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
          "arch_kwargs": {"n_stages": 3, "features_per_stage": [32, 64, 80], "strides": [[1,1,1],[1,2,2],[2,2,2]],
                          "kernel_sizes": [[1,3,3],[3,3,3],[3,3,3]], "n_conv_per_stage": [2,2,2],
                          "n_conv_per_stage_decoder": [2,2]}}},
      "mine": {"inherits_from": "3d_fullres", "batch_size": 5},
      "loop": {"inherits_from": "loop2"}, "loop2": {"inherits_from": "loop"}
    }})");
}

JobSpec Job() {
  JobSpec job;
  job.name = "ct";
  job.data.dataset = "Dataset009_Spleen";
  return job;
}

TEST(ApplyPlanTest, ThePlanBecomesExplicitNumbersInTheOrderOfTheData) {
  const StatusOr<JobSpec> job = ApplyPlan(Job(), Plans(), "plans.json");
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->model.architecture, "plain_unet");
  EXPECT_EQ(job->model.patch_size, (Numbers{64, 32, 16}));
  EXPECT_EQ(job->model.strides, (std::vector<Numbers>{{1, 1, 1}, {2, 2, 1}, {2, 2, 2}}));
  EXPECT_EQ(job->model.kernels, (std::vector<Numbers>{{3, 3, 1}, {3, 3, 3}, {3, 3, 3}}));
  EXPECT_EQ(job->model.base_features, 32);
  EXPECT_EQ(job->model.features_max, 80);
  EXPECT_EQ(job->train.batch_size, 3);
  EXPECT_EQ(job->data.spacing, (std::vector<double>{0.7, 0.8, 5.0}));
  ASSERT_EQ(job->data.normalization.size(), 1U);
  EXPECT_EQ(job->data.normalization[0].scheme, "CTNormalization");
  EXPECT_EQ(job->data.normalization[0].mean, 40.5);
  EXPECT_EQ(job->data.normalization[0].percentile_99_5, 180);
}

TEST(ApplyPlanTest, AResidualPlanIsAResidualNetworkWithTheBlocksThatAreBuilt) {
  Json plans = Plans();
  Json& architecture = plans["configurations"]["3d_fullres"]["architecture"];
  architecture["network_class_name"] = "dynamic_network_architectures.architectures.unet.ResidualEncoderUNet";
  Json& kwargs = architecture["arch_kwargs"];
  kwargs.erase("n_conv_per_stage");
  EXPECT_THAT(ApplyPlan(Job(), plans, "plans.json").status().message(), HasSubstr("n_blocks_per_stage is missing"));
  kwargs["n_blocks_per_stage"] = {1, 3, 4};
  EXPECT_EQ(ApplyPlan(Job(), plans, "plans.json").code(), StatusCode::kUnimplemented) << "two in the decoder";
  kwargs["n_conv_per_stage_decoder"] = {1, 1};
  const StatusOr<JobSpec> job = ApplyPlan(Job(), plans, "plans.json");
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->model.architecture, "resenc_unet");
  kwargs["n_blocks_per_stage"] = {1, 3, 3};
  EXPECT_THAT(ApplyPlan(Job(), plans, "plans.json").status().message(), HasSubstr("in stage 2 4 is built"));
  kwargs["n_blocks_per_stage"] = {1, 3};
  EXPECT_EQ(ApplyPlan(Job(), plans, "plans.json").code(), StatusCode::kInvalidArgument);
}

TEST(ApplyPlanTest, TheResolvedJobSurvivesItsOwnTextAndHasADigestOfItsOwn) {
  const StatusOr<JobSpec> job = ApplyPlan(Job(), Plans(), "plans.json");
  ASSERT_TRUE(job.ok()) << job.status();
  const StatusOr<ConfigNode> root = ConfigNode::Parse(JobToYaml(*job), "job.yaml");
  ASSERT_TRUE(root.ok()) << root.status();
  const StatusOr<JobSpec> again = ParseJob(*root);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(JobDigest(*again), JobDigest(*job));
  Json other = Plans();
  other["foreground_intensity_properties_per_channel"]["0"]["mean"] = 40.25;
  EXPECT_NE(JobDigest(*ApplyPlan(Job(), other, "plans.json")), JobDigest(*job));
}

TEST(ApplyPlanTest, AConfigurationMayInherit) {
  const StatusOr<std::vector<std::pair<std::string, Json>>> keys = PlannedKeys(Plans(), "mine", "plans.json");
  ASSERT_TRUE(keys.ok()) << keys.status();
  for (const auto& [key, value] : *keys) {
    if (key == "train.batch_size") {
      EXPECT_EQ(value, 5);
    }
    if (key == "model.patch_size") {
      EXPECT_EQ(value, (Json{64, 32, 16}));
    }
  }
  EXPECT_THAT(PlannedKeys(Plans(), "loop", "plans.json").status().message(), HasSubstr("inherits from itself"));
}

TEST(ApplyPlanTest, WhatIsNotBuiltOrNotThereIsRefusedByName) {
  const auto refusal = [](const char* pointer, const Json& value, const char* configuration = "3d_fullres") {
    Json plans = Plans();
    plans[Json::json_pointer(pointer)] = value;
    return PlannedKeys(plans, configuration, "plans.json").status();
  };
  const std::string config = "/configurations/3d_fullres";
  Status status = refusal((config + "/architecture/network_class_name").c_str(), "x.ResidualEncoderUNet");
  EXPECT_EQ(status.code(), StatusCode::kUnimplemented);
  EXPECT_THAT(status.message(), HasSubstr("ResidualEncoderUNet"));
  status = refusal((config + "/architecture/arch_kwargs/features_per_stage").c_str(), {32, 48, 80});
  EXPECT_EQ(status.code(), StatusCode::kUnimplemented);
  EXPECT_EQ(refusal("/transpose_forward", {0, 0, 1}).code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(refusal((config + "/patch_size").c_str(), "large").message(), HasSubstr("patch_size"));
  EXPECT_THAT(refusal((config + "/spacing").c_str(), {1, 1}).message(), HasSubstr("spacing"));
  EXPECT_EQ(refusal("/x", 1, "3d_fulres").code(), StatusCode::kNotFound);
  EXPECT_THAT(refusal("/x", 1, "3d_fulres").message(), HasSubstr("3d_fullres"));
  EXPECT_FALSE(PlannedKeys(Json::array(), "2d", "plans.json").ok());
  EXPECT_FALSE(PlannedKeys(Json::object(), "2d", "plans.json").ok());
}

class JobFileWithPlans : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(WriteJson(folder_ / "plans.json", Plans()).ok()); }
  StatusOr<JobSpec> Read(const std::string& model, const std::vector<std::string>& assignments = {}) {
    const std::string text = "name: ct\ndata: {dataset: Dataset009_Spleen}\nmodel: " + model + "\n";
    EXPECT_TRUE(WriteFileAtomic(folder_ / "job.yaml", std::string_view(text)).ok());
    return ReadJob(folder_ / "job.yaml", assignments);
  }
  testing::ScratchFolder folder_;
};

TEST_F(JobFileWithPlans, IsResolvedWhenItIsReadAndItsOwnKeysWin) {
  const StatusOr<JobSpec> job =
      Read("{architecture: plan, plans: plans.json, base_features: 8}", {"train.batch_size=2"});
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->model.patch_size, (Numbers{64, 32, 16}));
  EXPECT_EQ(job->model.base_features, 8);
  EXPECT_EQ(job->train.batch_size, 2);
}

TEST_F(JobFileWithPlans, SaysWhatIsMissing) {
  EXPECT_THAT(Read("{architecture: plan}").status().message(), HasSubstr("needs model.plans"));
  EXPECT_THAT(Read("{patch_size: [8, 8, 8], plans: plans.json}").status().message(), HasSubstr("architecture: plan"));
  EXPECT_THAT(Read("{architecture: plan, plans: other.json}").status().message(), HasSubstr("other.json"));
  EXPECT_EQ(Read("{architecture: plan, plans: plans.json}", {"data.configuration=2d"}).status().code(),
            StatusCode::kNotFound);
}

TEST_F(JobFileWithPlans, WithoutAPlansFileTheSitesOfAFederationPlanAndOnlyACoordinatorTakesSuchAJob) {
  const Status here = Read("{architecture: plan}", {"federation.rounds=2"}).status();
  EXPECT_EQ(here.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(here.message(), HasSubstr("planned by the sites when the job begins"));
  const StatusOr<JobSpec> job = ReadJobToSubmit(folder_ / "job.yaml", {"federation.rounds=2"});
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_TRUE(NeedsPlan(*job));
  // Its text says what it says itself, and nothing of what the plan will.
  const Json json = JobToJson(*job);
  EXPECT_EQ(json["model"].dump(), R"({"architecture":"plan","deep_supervision":true})");
  EXPECT_FALSE(json["train"].contains("batch_size"));
  EXPECT_EQ(JobToJson(ParseJob(ConfigNode::Parse(json.dump(), "sent").value()).value()), json);
}

TEST_F(JobFileWithPlans, WhatAJobForAFederationSaysItselfStandsBesideThePlan) {
  const auto resolve = [&](const std::vector<std::string>& more) {
    std::vector<std::string> assignments = {"federation.rounds=2"};
    assignments.insert(assignments.end(), more.begin(), more.end());
    EXPECT_FALSE(Read("{architecture: plan}").ok());  // writes the file
    const StatusOr<JobSpec> job = ReadJobToSubmit(folder_ / "job.yaml", assignments);
    EXPECT_TRUE(job.ok()) << job.status();
    return ApplyPlan(*job, Plans(), "the plan").value();
  };
  const JobSpec plain = resolve({});
  EXPECT_EQ(plain.model.base_features, 32);
  EXPECT_EQ(plain.train.batch_size, 3);
  const JobSpec own = resolve({"model.base_features=8", "train.batch_size=4", "data.spacing=[1, 1, 1]"});
  EXPECT_EQ(own.model.base_features, 8);
  EXPECT_EQ(own.model.features_max, 80);
  EXPECT_EQ(own.train.batch_size, 4);
  EXPECT_EQ(own.data.spacing, (std::vector<double>{1, 1, 1}));
  EXPECT_EQ(own.model.patch_size, plain.model.patch_size);
  for (const char* decided : {"model.patch_size=[8, 8, 8]", "model.strides=[[1, 1, 1], [2, 2, 2]]"})
    EXPECT_THAT(ReadJobToSubmit(folder_ / "job.yaml", {"federation.rounds=2", decided}).status().message(),
                HasSubstr("what the plan decides"));
}

}  // namespace
}  // namespace consilium::wire
