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

// A box of brightness 3 in a field of 1, and what is labelled in it, at 2 mm.
Image CoarseImage(const Spacing3& spacing) {
  Image image{.channels = 1, .shape = {6, 8, 10}, .voxels = {}, .geometry = {.spacing = spacing}};
  for (std::int64_t z = 0; z < 6; ++z)
    for (std::int64_t y = 0; y < 8; ++y)
      for (std::int64_t x = 0; x < 10; ++x)
        image.voxels.push_back(z >= 2 && z < 4 && y >= 2 && y < 6 && x >= 3 && x < 7 ? 3.0F : 1.0F);
  return image;
}
LabelMap BrightLabels(const Image& image) {
  LabelMap labels{.shape = image.shape, .labels = {}, .geometry = image.geometry};
  for (const float voxel : image.voxels) labels.labels.push_back(voxel > 2 ? 1 : 0);
  return labels;
}

TEST(PreparedCaseTest, ACaseIsNormalisedAndThenResampledToTheSpacingOfTheNetwork) {
  const Image image = CoarseImage({2, 2, 2});
  const PrepareOptions as_it_is{.num_classes = 2, .normalization = {}};
  PrepareOptions options = as_it_is;
  options.spacing = {1, 1, 1};
  const PreparedCase before = *PrepareCase("x", image, BrightLabels(image), as_it_is);
  const StatusOr<PreparedCase> prepared = PrepareCase("x", image, BrightLabels(image), options);
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  EXPECT_EQ(prepared->shape, (Shape3{12, 16, 20}));
  EXPECT_EQ(prepared->cropped_shape, (Shape3{6, 8, 10}));
  EXPECT_EQ(prepared->spacing, (Spacing3{1, 1, 1}));
  EXPECT_EQ(prepared->image,
            ResampleImage(before.image, {.from = {6, 8, 10}, .to = {12, 16, 20}}, Interpolation::kCubic));
  EXPECT_EQ(prepared->labels, ResampleLabels(before.labels, {.from = {6, 8, 10}, .to = {12, 16, 20}}));
  for (const std::uint32_t at : prepared->class_locations[0]) ASSERT_EQ(prepared->labels[at], 1) << "of the new grid";
  EXPECT_EQ(prepared->class_locations[0].size(), 4U * 8 * 8 - 8) << "at the corners the mask is 0.75^3, below a half";
  const ResampleGrid back = GridToSource(*prepared);
  EXPECT_EQ(RestoreGrid(*prepared, ResampleLabels(prepared->labels, back)).labels, BrightLabels(image).labels);
}

TEST(PreparedCaseTest, ThickSlicesAreRepeatedAndFlatPlansLeaveThemAlone) {
  const Image image = CoarseImage({8, 2, 2});
  PrepareOptions options{.num_classes = 2, .normalization = {}};
  options.spacing = {4, 1, 1};
  const PreparedCase thick = *PrepareCase("x", image, BrightLabels(image), options);
  EXPECT_EQ(thick.shape, (Shape3{12, 16, 20}));
  const std::size_t slice = 16 * 20;
  for (std::size_t i = 0; i < slice; ++i)
    ASSERT_EQ(thick.image[4 * slice + i], thick.image[5 * slice + i]) << "nearest along the coarse axis";
  EXPECT_EQ(GridToSource(thick).separate_axis, 0U);
  options.spacing = {1, 1};
  const PreparedCase flat = *PrepareCase("x", image, BrightLabels(image), options);
  EXPECT_EQ(flat.shape, (Shape3{6, 16, 20}));
  EXPECT_EQ(flat.spacing, (Spacing3{8, 1, 1}));
}

TEST(PreparedCaseTest, SpacingsThatMakeNoSenseAreRefused) {
  PrepareOptions options{.num_classes = 2, .normalization = {}};
  for (const std::vector<double>& spacing : {std::vector<double>{1}, {1, 0, 1}, {1, 1, 1, 1}, {1, std::nan("")}}) {
    options.spacing = spacing;
    EXPECT_THAT(PrepareCase("x", CoarseImage({1, 1, 1}), std::nullopt, options).status().message(),
                HasSubstr("2 or 3 lengths above 0"));
  }
  options.spacing = {1, 1, 1};
  EXPECT_THAT(PrepareCase("x", CoarseImage({1, 0, 1}), std::nullopt, options).status().message(),
              HasSubstr("case x has voxels of 1 x 0 x 1 mm"));
  options.spacing = {1e-4, 1e-4, 1e-4};
  EXPECT_EQ(PrepareCase("x", CoarseImage({1, 1, 1}), std::nullopt, options).code(), StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace consilium::datasets
