#include "datasets/planner/experiment_planner.h"

#include <gmock/gmock.h>

#include <filesystem>

namespace consilium::datasets {
namespace {

using ::testing::HasSubstr;
using Numbers = std::vector<std::int64_t>;

DatasetFacts Facts(std::int64_t labels, std::int64_t num_training) {
  return {.name = "Dataset900_Test",
          .channel_names = {"MRI"},
          .labels = labels,
          .num_training = num_training,
          .file_ending = ".nii.gz"};
}

DatasetFingerprint Uniform(const std::array<double, 3>& spacing, const std::array<std::int64_t, 3>& shape) {
  return {.spacings = {spacing}, .shapes_after_crop = {shape}, .channels = {{}}};
}

Plans PlanOf(const DatasetFingerprint& fingerprint, const DatasetFacts& facts, const PlannerOptions& options = {}) {
  const StatusOr<Plans> plans = PlanExperiment(facts, PlanInputOf(fingerprint, options), options);
  EXPECT_TRUE(plans.ok()) << plans.status();
  return plans.ok() ? *plans : Plans{};
}

TEST(ExperimentPlannerTest, HippocampusEqualsThePublishedPlan) {
  const Plans plans = PlanOf(Uniform({1, 1, 1}, {36, 50, 35}), Facts(3, 260));
  EXPECT_EQ(plans.fullres->patch_size, (Numbers{40, 56, 40}));
  EXPECT_EQ(plans.fullres->batch_size, 9);
  EXPECT_EQ(plans.fullres->kernels, std::vector<Numbers>(4, Numbers{3, 3, 3}));
  EXPECT_EQ(plans.flat->patch_size, (Numbers{56, 40}));
  EXPECT_EQ(plans.flat->batch_size, 366);
  EXPECT_FALSE(plans.lowres);
  EXPECT_FALSE(plans.fullres->batch_dice);
  EXPECT_TRUE(plans.flat->batch_dice);
}

// tests/unit/datasets/planner/planner_goldens.json: five presets on data sets of the Decathlon's shapes and on random
// ones, computed by a separate transcription of nnU-Net's published rules to Python.
TEST(ExperimentPlannerTest, EveryPresetEqualsTheReferenceOnNamedAndRandomDatasets) {
  const StatusOr<Json> goldens =
      ReadJson(std::filesystem::path(CONSILIUM_SOURCE_DIR) / "tests/unit/datasets/planner" / "planner_goldens.json");
  ASSERT_TRUE(goldens.ok()) << goldens.status();
  ASSERT_GE(goldens->size(), 60U);
  std::size_t with_lowres = 0;
  for (const Json& golden : *goldens) {
    SCOPED_TRACE(golden["name"].get<std::string>());
    DatasetFingerprint fingerprint{
        .spacings = golden["spacings"], .shapes_after_crop = golden["shapes"], .channels = {{}}};
    const StatusOr<PlannerPreset> preset = PlannerPresetNamed(golden["preset"]);
    ASSERT_TRUE(preset.ok()) << preset.status();
    const Plans plans = PlanOf(fingerprint, Facts(golden["labels"], golden["training"]), {.preset = *preset});
    const Json& expected = golden["expected"];
    EXPECT_EQ(Json(plans.transpose_forward), expected["transpose"]);
    for (const auto& [name, found] :
         {std::pair{"2d", &plans.flat}, {"3d_fullres", &plans.fullres}, {"3d_lowres", &plans.lowres}}) {
      SCOPED_TRACE(name);
      ASSERT_EQ(found->has_value(), expected.contains(name));
      if (!expected.contains(name)) continue;
      const Json& reference = expected[name];
      EXPECT_EQ(Json((*found)->patch_size), reference["patch"]);
      EXPECT_EQ(Json((*found)->strides), reference["strides"]);
      EXPECT_EQ(Json((*found)->kernels), reference["kernels"]);
      EXPECT_EQ((*found)->batch_size, reference["batch"].get<std::int64_t>());
      EXPECT_EQ((*found)->batch_dice, reference["batch_dice"].get<bool>());
      for (std::size_t axis = 0; axis < reference["spacing"].size(); ++axis) {
        EXPECT_DOUBLE_EQ((*found)->spacing[axis], reference["spacing"][axis].get<double>());
        EXPECT_DOUBLE_EQ((*found)->median_shape[axis], reference["median"][axis].get<double>());
      }
    }
    with_lowres += expected.contains("3d_lowres") ? 1 : 0;
  }
  EXPECT_GE(with_lowres, 10U) << "the goldens must exercise the cascade";
}

TEST(ExperimentPlannerTest, AnisotropicDataTakeATenthPercentileButNeverFinerThanTheOtherAxes) {
  const std::array<std::vector<double>, 3> shapes = {{{10, 10, 10}, {200, 200, 200}, {200, 200, 200}}};
  EXPECT_EQ(TargetSpacing({{{5, 10, 10}, {1, 1, 1}, {1, 1, 1}}}, shapes)[0], 6);  // numpy.percentile([5, 10, 10], 10)
  EXPECT_EQ(TargetSpacing({{{0.5, 0.5, 10, 10, 10}, {1, 1, 1, 1, 1}, {1, 1, 1, 1, 1}}}, shapes)[0], 1 + 1e-5);
  const std::array<std::vector<double>, 3> cubes = {{{200}, {200}, {200}}};
  EXPECT_EQ(TargetSpacing({{{5}, {1}, {1}}}, cubes)[0], 5) << "coarse, but not short of voxels: the median stays";
}

TEST(ExperimentPlannerTest, TheCoarsestAxisGoesFirstAndTheWayBackUndoesIt) {
  const Plans plans = PlanOf(Uniform({0.8, 4, 0.7}, {300, 40, 280}), Facts(2, 50));
  EXPECT_EQ(plans.transpose_forward, (std::array<std::int64_t, 3>{1, 0, 2}));
  EXPECT_EQ(plans.transpose_backward, (std::array<std::int64_t, 3>{1, 0, 2}));
  EXPECT_EQ(plans.original_median_shape, (std::array<std::int64_t, 3>{40, 300, 280}));
  EXPECT_EQ(plans.fullres->spacing, (std::vector<double>{4, 0.8, 0.7}));
  const Plans last = PlanOf(Uniform({0.8, 0.7, 4}, {300, 280, 40}), Facts(2, 50));
  EXPECT_EQ(last.transpose_forward, (std::array<std::int64_t, 3>{2, 0, 1}));
  EXPECT_EQ(last.transpose_backward, (std::array<std::int64_t, 3>{1, 2, 0}));
}

TEST(ExperimentPlannerTest, NormalisationFollowsFromChannelNamesAndTheMaskFromTheCrop) {
  DatasetFacts facts = Facts(2, 10);
  facts.channel_names = {"CT", "T2", "noNorm", "rgb_to_0_1", "rescale_to_0_1"};
  DatasetFingerprint fingerprint = Uniform({1, 1, 1}, {64, 64, 64});
  fingerprint.channels.resize(5);
  fingerprint.median_relative_size = 0.74;
  const Plans plans = PlanOf(fingerprint, facts);
  EXPECT_EQ(plans.normalization_schemes,
            (std::vector<std::string>{"CTNormalization", "ZScoreNormalization", "NoNormalization",
                                      "RGBTo01Normalization", "RescaleTo01Normalization"}));
  EXPECT_EQ(plans.use_mask_for_norm, (std::vector<bool>{false, true, false, false, false}));
  fingerprint.median_relative_size = 0.75;
  EXPECT_EQ(PlanOf(fingerprint, facts).use_mask_for_norm, std::vector<bool>(5, false));
}

TEST(ExperimentPlannerTest, MoreMemoryGivesLargerPatchesAndTooLittleIsRefused) {
  const DatasetFingerprint fingerprint = Uniform({1, 1, 1}, {300, 300, 300});
  EXPECT_EQ(PlanOf(fingerprint, Facts(3, 100)).fullres->patch_size, (Numbers{128, 128, 128}));
  EXPECT_GT(PlanOf(fingerprint, Facts(3, 100), {.memory_gb = 40}).fullres->patch_size[0], 128);
  const PlannerOptions tiny{.memory_gb = 1e-9};
  const StatusOr<Plans> refused = PlanExperiment(Facts(3, 100), PlanInputOf(fingerprint, tiny), tiny);
  EXPECT_EQ(refused.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(refused.status().message(), HasSubstr("no patch fits"));
}

TEST(ExperimentPlannerTest, ThePlansFileHasNnunetsKeys) {
  const Json json = PlansToJson(PlanOf(Uniform({1, .767578125, .767578125}, {482, 512, 512}), Facts(3, 131)));
  EXPECT_EQ(json["plans_name"], "nnUNetPlans");
  EXPECT_EQ(json["experiment_planner_used"], "ExperimentPlanner");
  EXPECT_EQ(json["image_reader_writer"], "SimpleITKIO");
  EXPECT_EQ(json["original_median_shape_after_transp"], (Json{482, 512, 512}));
  EXPECT_EQ(json["configurations"]["3d_cascade_fullres"],
            (Json{{"inherits_from", "3d_fullres"}, {"previous_stage", "3d_lowres"}}));
  EXPECT_EQ(json["configurations"]["3d_lowres"]["next_stage"], "3d_cascade_fullres");
  const Json& fullres = json["configurations"]["3d_fullres"];
  EXPECT_EQ(fullres["data_identifier"], "nnUNetPlans_3d_fullres");
  EXPECT_EQ(fullres["median_image_size_in_voxels"].dump(), "[482.0,512.0,512.0]");
  EXPECT_EQ(fullres["resampling_fn_data_kwargs"].dump(),
            R"({"is_seg":false,"order":3,"order_z":0,"force_separate_z":null})");
  EXPECT_EQ(fullres["architecture"]["network_class_name"],
            "dynamic_network_architectures.architectures.unet.PlainConvUNet");
  EXPECT_EQ(fullres["architecture"]["arch_kwargs"]["features_per_stage"], (Json{32, 64, 128, 256, 320, 320}));
  EXPECT_EQ(fullres["architecture"]["arch_kwargs"]["n_conv_per_stage_decoder"], (Json{2, 2, 2, 2, 2}));
  EXPECT_EQ(fullres["architecture"]["arch_kwargs"]["conv_op"], "torch.nn.modules.conv.Conv3d");
  const Json residual =
      PlansToJson(PlanOf(Uniform({1, .77, .77}, {482, 512, 512}), Facts(3, 131), {.preset = PlannerPreset::kResEncL}));
  EXPECT_EQ(residual["plans_name"], "nnUNetResEncUNetLPlans");
  EXPECT_EQ(residual["configurations"]["3d_fullres"]["data_identifier"], "nnUNetPlans_3d_fullres");
  EXPECT_EQ(residual["configurations"]["3d_lowres"]["data_identifier"], "nnUNetResEncUNetLPlans_3d_lowres");
  EXPECT_EQ(residual["configurations"]["3d_fullres"]["architecture"]["arch_kwargs"]["n_blocks_per_stage"],
            (Json{1, 3, 4, 6, 6, 6}));
}

TEST(ExperimentPlannerTest, AnUnknownPlannerIsAnsweredWithThoseThereAre) {
  const Status status = PlannerPresetNamed("resenc-k").status();
  EXPECT_THAT(status.message(), HasSubstr("default, resenc, resenc-m, resenc-l, resenc-xl"));
  EXPECT_EQ(*PlannerPresetNamed("nnUNetPlannerResEncL"), PlannerPreset::kResEncL);
}

TEST(ExperimentPlannerTest, WhatCannotBePlannedForIsRefused) {
  const PlanInput input = PlanInputOf(Uniform({1, 1, 1}, {36, 50, 35}), {});
  EXPECT_THAT(PlanExperiment(Facts(1, 10), input, {}).status().message(), HasSubstr("1 labels"));
  EXPECT_THAT(PlanExperiment(Facts(2, 0), input, {}).status().message(), HasSubstr("0 training cases"));
  DatasetFacts two_channels = Facts(2, 10);
  two_channels.channel_names.push_back("T2");
  EXPECT_THAT(PlanExperiment(two_channels, input, {}).status().message(), HasSubstr("intensities of 1 channels"));
}

}  // namespace
}  // namespace consilium::datasets
