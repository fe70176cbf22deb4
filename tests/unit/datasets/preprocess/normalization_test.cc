#include "datasets/preprocess/normalization.h"

#include <gmock/gmock.h>

#include <cmath>

namespace consilium::datasets {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::HasSubstr;

std::vector<float> Normalized(Normalization scheme, std::vector<float> voxels,
                              const std::vector<std::uint8_t>& inside = {}) {
  const Status status = Normalize(scheme, voxels, inside);
  EXPECT_TRUE(status.ok()) << status;
  return voxels;
}

TEST(NormalizationTest, TheChannelsNameChoosesTheScheme) {
  EXPECT_EQ(NormalizationFor("CT"), Normalization::kCt);
  EXPECT_EQ(NormalizationFor("noNorm"), Normalization::kNone);
  EXPECT_EQ(NormalizationFor("rescale_to_0_1"), Normalization::kRescale0To1);
  EXPECT_EQ(NormalizationFor("RGB_to_0_1"), Normalization::kRgb0To1);
  for (const char* name : {"MRI", "T2", "zscore", "", "CT2"})
    EXPECT_EQ(NormalizationFor(name), Normalization::kZScore) << name;
}

TEST(NormalizationTest, ZScoreUsesThePopulationDeviation) {
  // mean 5, squares 9 1 1 1 0 0 4 16 -> variance 4
  EXPECT_THAT(Normalized(Normalization::kZScore, {2, 4, 4, 4, 5, 5, 7, 9}),
              ElementsAre(-1.5, -0.5, -0.5, -0.5, 0, 0, 1, 2));
}

TEST(NormalizationTest, ZScoreInsideAMaskLeavesZeroOutside) {
  EXPECT_THAT(Normalized(Normalization::kZScore, {1, 100, 3, -7}, {1, 0, 1, 0}), ElementsAre(-1, 0, 1, 0));
  EXPECT_THAT(Normalized(Normalization::kZScore, {1, 2}, {0, 0}), ElementsAre(1, 2)) << "nothing inside: left alone";
}

TEST(NormalizationTest, AConstantImageBecomesZero) {
  EXPECT_THAT(Normalized(Normalization::kZScore, std::vector<float>(1000, 1.7e6F)), Each(0.0F));
  EXPECT_THAT(Normalized(Normalization::kRescale0To1, {4, 4}), Each(0.0F));
}

TEST(NormalizationTest, LargeIntensitiesKeepTheirVariance) {
  std::vector<float> voxels;
  for (int i = 0; i < 100000; ++i) voxels.push_back(1.6e6F + (i % 2 == 0 ? 0.5F : -0.5F));
  EXPECT_THAT(Normalized(Normalization::kZScore, voxels)[0], FloatNear(1.0F, 1e-4F));
}

TEST(NormalizationTest, OtherSchemesDoAsTheySay) {
  EXPECT_THAT(Normalized(Normalization::kRescale0To1, {-2, 0, 2}), ElementsAre(0, 0.5, 1));
  EXPECT_THAT(Normalized(Normalization::kRgb0To1, {0, 51, 255}), ElementsAre(0, 0.2F, 1));
  EXPECT_THAT(Normalized(Normalization::kNone, {-2, 7}), ElementsAre(-2, 7));
}

TEST(NormalizationTest, WhatCannotBeDoneIsRefused) {
  std::vector<float> voxels{0, 256};
  EXPECT_THAT(Normalize(Normalization::kRgb0To1, voxels, {}).message(), HasSubstr("0..255, one is 256"));
  EXPECT_EQ(Normalize(Normalization::kCt, voxels, {}).code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(Normalize(Normalization::kCt, voxels, {}, CtIntensities{.low = 2, .high = 1}).code(),
            StatusCode::kFailedPrecondition);
}

TEST(NormalizationTest, CtIsClippedToAndScaledByTheWholeDatasetWhateverTheMask) {
  std::vector<float> voxels{-1000, -100, 0, 50, 3000};
  const Status status = Normalize(Normalization::kCt, voxels, std::vector<std::uint8_t>(5, 0),
                                  CtIntensities{.mean = 50, .std = 25, .low = -100, .high = 200});
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_THAT(voxels, ElementsAre(-6, -6, -2, 0, 6));
}

TEST(NormalizationTest, SchemesHaveNnunetsNamesBothWays) {
  for (const Normalization scheme : {Normalization::kZScore, Normalization::kCt, Normalization::kNone,
                                     Normalization::kRescale0To1, Normalization::kRgb0To1})
    EXPECT_EQ(NormalizationNamed(NormalizationName(scheme)), scheme);
  EXPECT_EQ(NormalizationNamed("ct"), std::nullopt);
}

}  // namespace
}  // namespace consilium::datasets
