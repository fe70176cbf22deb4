#include "datasets/preprocess/prepared_case.h"

#include <gmock/gmock.h>

#include <cmath>

namespace consilium::datasets {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// 1 x 4 x 5, not zero in rows 1..2, columns 1..3 but for one corner.
Image SmallImage() {
  return {.channels = 1,
          .shape = {1, 4, 5},
          .voxels = {0, 0, 0, 0, 0,  //
                     0, 2, 4, 4, 0,  //
                     0, 4, 6, 0, 0,  //
                     0, 0, 0, 0, 0},
          .geometry = {.spacing = {999, 1, 1}, .dimensions = 2, .offset = {1, 2, 3}}};
}
LabelMap SmallLabels() {
  return {.shape = {1, 4, 5},
          .labels = {0, 0, 0, 0, 0,  //
                     0, 1, 2, 0, 0,  //
                     0, 2, 2, 0, 0,  //
                     0, 0, 0, 0, 0},
          .geometry = {}};
}

TEST(PreparedCaseTest, CropNormalisationAndMaskEqualTheHandComputation) {
  const StatusOr<PreparedCase> prepared =
      PrepareCase("x", SmallImage(), SmallLabels(), {.num_classes = 3, .normalization = {}});
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  EXPECT_EQ(prepared->shape, (Shape3{1, 2, 3}));
  EXPECT_EQ(prepared->crop_begin, (Shape3{0, 1, 1}));
  EXPECT_EQ(prepared->original_shape, (Shape3{1, 4, 5}));
  EXPECT_EQ(prepared->geometry, SmallImage().geometry);
  // 2 4 4 4 6 0: mean 20/6, variance (4 + 3*16 + 36)/6 - (20/6)^2 = 88/6 - 400/36 = 32/9
  const double deviation = std::sqrt(32.0 / 9.0);
  ASSERT_EQ(prepared->image.size(), 6U);
  EXPECT_NEAR(prepared->image[0], (2 - 10.0 / 3) / deviation, 1e-6);
  EXPECT_NEAR(prepared->image[4], (6 - 10.0 / 3) / deviation, 1e-6);
  EXPECT_NEAR(prepared->image[5], (0 - 10.0 / 3) / deviation, 1e-6);
  EXPECT_THAT(prepared->labels, ElementsAre(1, 2, 0, 2, 2, -1)) << "background outside the mask is -1, inside it is 0";
  EXPECT_THAT(prepared->class_locations, ElementsAre(ElementsAre(0), ElementsAre(1, 3, 4)));
}

TEST(PreparedCaseTest, InsideTheMaskOnlyTakesItsStatisticsThere) {
  const StatusOr<PreparedCase> prepared = PrepareCase(
      "x", SmallImage(), std::nullopt, {.num_classes = 3, .normalization = {}, .normalize_inside_mask_only = true});
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  const float edge = static_cast<float>(2 / std::sqrt(8.0 / 5.0));  // 2 4 4 4 6: mean 4, variance 8/5
  EXPECT_THAT(prepared->image, ElementsAre(-edge, 0, 0, 0, edge, 0));
  EXPECT_THAT(prepared->labels, IsEmpty());
  EXPECT_THAT(prepared->class_locations, IsEmpty());
}

TEST(PreparedCaseTest, ALabelledVoxelCountsAsSeenEvenWhereTheImageIsZero) {
  LabelMap labels = SmallLabels();
  labels.labels[2 * 5 + 3] = 1;
  const PreparedCase prepared = *PrepareCase("x", SmallImage(), labels, {.num_classes = 3, .normalization = {}});
  EXPECT_EQ(prepared.labels[5], 1);
}

TEST(PreparedCaseTest, ChannelsAreCroppedTogetherAndNormalisedApart) {
  const Image image{.channels = 2, .shape = {1, 1, 4}, .voxels = {0, 10, 20, 0, 0, 0, 51, 0}, .geometry = {}};
  const StatusOr<PreparedCase> prepared = PrepareCase(
      "x", image, std::nullopt, {.num_classes = 2, .normalization = {Normalization::kZScore, Normalization::kRgb0To1}});
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  EXPECT_THAT(prepared->image, ElementsAre(-1, 1, 0, 0.2F));
}

TEST(PreparedCaseTest, APredictionReturnsToItsPlaceInTheSourcesGrid) {
  const PreparedCase prepared = *PrepareCase("x", SmallImage(), std::nullopt, {.num_classes = 3, .normalization = {}});
  const LabelMap restored = RestoreGrid(prepared, std::vector<std::int16_t>{1, 2, 0, 2, -1, 1});
  EXPECT_EQ(restored.shape, (Shape3{1, 4, 5}));
  EXPECT_EQ(restored.geometry, SmallImage().geometry);
  EXPECT_THAT(restored.labels, ElementsAre(0, 0, 0, 0, 0,  //
                                           0, 1, 2, 0, 0,  //
                                           0, 2, 0, 1, 0,  //
                                           0, 0, 0, 0, 0));
}

TEST(PreparedCaseTest, RestoringTheCroppedLabelsGivesTheLabelsBackInThreeDimensions) {
  Image image{.channels = 1, .shape = {6, 5, 4}, .voxels = std::vector<float>(120, 0.0F), .geometry = {}};
  LabelMap labels{.shape = image.shape, .labels = std::vector<std::int16_t>(120, 0), .geometry = {}};
  for (std::size_t i = 41; i < 80; ++i)
    image.voxels[i] = 1.0F + static_cast<float>(i), labels.labels[i] = static_cast<std::int16_t>(i % 3);
  const StatusOr<PreparedCase> prepared = PrepareCase("x", image, labels, {.num_classes = 3, .normalization = {}});
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  EXPECT_EQ(prepared->shape, (Shape3{2, 5, 4}));
  EXPECT_EQ(prepared->crop_begin, (Shape3{2, 0, 0}));
  EXPECT_EQ(RestoreGrid(*prepared, prepared->labels).labels, labels.labels);
}

TEST(PreparedCaseTest, UnusableInputIsRefusedByCase) {
  const PrepareOptions options{.num_classes = 3, .normalization = {}};
  Image zero = SmallImage();
  zero.voxels.assign(20, 0.0F);
  EXPECT_THAT(PrepareCase("x", zero, std::nullopt, options).status().message(),
              HasSubstr("case x: the image is zero everywhere"));
  Image broken = SmallImage();
  broken.voxels[6] = std::nanf("");
  EXPECT_THAT(PrepareCase("x", broken, std::nullopt, options).status().message(), HasSubstr("voxel 6 is nan"));
  LabelMap labels = SmallLabels();
  labels.labels[0] = 3;
  EXPECT_THAT(PrepareCase("x", SmallImage(), labels, options).status().message(),
              HasSubstr("label value 3 is not in 0..2"));
  labels = SmallLabels();
  labels.shape = {1, 5, 4};
  EXPECT_THAT(PrepareCase("x", SmallImage(), labels, options).status().message(), HasSubstr("differ in shape"));
  EXPECT_THAT(PrepareCase("x", SmallImage(), std::nullopt,
                          {.num_classes = 3, .normalization = {Normalization::kNone, Normalization::kNone}})
                  .status()
                  .message(),
              HasSubstr("1 channels, expected 2"));
}

TEST(PreparedCaseTest, OptionsFollowTheDescriptionAndCtAsksForPlans) {
  DatasetDescription description{
      .channel_names = {"T1", "noNorm"}, .labels = {{"background", 0}, {"x", 1}}, .file_ending = ".png"};
  const StatusOr<PrepareOptions> options = PrepareOptionsFor(description);
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->num_classes, 2);
  EXPECT_THAT(options->normalization, ElementsAre(Normalization::kZScore, Normalization::kNone));
  description.channel_names[1] = "CT";
  EXPECT_EQ(PrepareOptionsFor(description).code(), StatusCode::kFailedPrecondition);
}

TEST(PreparedCaseTest, SpacingsMayDifferByOnePercent) {
  EXPECT_TRUE(RequireSpacing("x", {1.009, 1, 1}, {1, 1, 1}).ok());
  const Status status = RequireSpacing("x", {1.02, 1, 1}, {1, 1, 1});
  EXPECT_EQ(status.code(), StatusCode::kUnimplemented);
  EXPECT_THAT(status.message(), HasSubstr("case x has voxels of 1.02 x 1 x 1 mm"));
  EXPECT_FALSE(RequireSpacing("x", {std::nan(""), 1, 1}, {1, 1, 1}).ok());
}

}  // namespace
}  // namespace consilium::datasets
