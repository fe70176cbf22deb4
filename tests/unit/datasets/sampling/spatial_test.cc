#include "datasets/sampling/spatial.h"

#include <gmock/gmock.h>

#include <cmath>
#include <map>

namespace consilium::datasets {
namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr Matrix3 kIdentity = {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};

std::size_t Count(const Shape3& shape) { return static_cast<std::size_t>(VoxelCount(shape)); }

std::vector<float> RandomImage(const Shape3& shape) {
  Rng rng(/*seed=*/5);
  std::vector<float> image(Count(shape));
  for (float& voxel : image) voxel = static_cast<float>(rng.Normal());
  return image;
}
std::vector<std::int16_t> RandomLabels(const Shape3& shape) {
  Rng rng(/*seed=*/6);
  std::vector<std::int16_t> labels(Count(shape));
  for (std::int16_t& label : labels) label = static_cast<std::int16_t>(static_cast<int>(rng.Below(4)) - 1);
  return labels;
}

// Position by position from the formula, every neighbour looked up.
template <typename T, typename Weigh>
void ForEachByTheFormula(const Shape3& shape, const Resampling& resampling, const Shape3& patch, const T& outside,
                         const std::vector<T>& source, const Weigh& weigh) {
  std::size_t out = 0;
  for (std::int64_t z = 0; z < patch[0]; ++z)
    for (std::int64_t y = 0; y < patch[1]; ++y)
      for (std::int64_t x = 0; x < patch[2]; ++x, ++out) {
        const double from_middle[3] = {static_cast<double>(z) - (static_cast<double>(patch[0]) - 1) / 2,
                                       static_cast<double>(y) - (static_cast<double>(patch[1]) - 1) / 2,
                                       static_cast<double>(x) - (static_cast<double>(patch[2]) - 1) / 2};
        double at[3];
        for (std::size_t a = 0; a < 3; ++a) {
          at[a] = resampling.centre[a];
          for (std::size_t b = 0; b < 3; ++b) at[a] += resampling.matrix[a][b] * from_middle[b];
        }
        std::vector<std::pair<T, double>> around;
        for (int i = 0; i < 8; ++i) {
          std::int64_t voxel[3];
          double weight = 1;
          bool in = true;
          for (int a = 0; a < 3; ++a) {
            const double low = std::floor(at[a]);
            const bool upper = (i >> a & 1) != 0;
            voxel[a] = static_cast<std::int64_t>(low) + (upper ? 1 : 0);
            weight *= upper ? at[a] - low : 1 - (at[a] - low);
            in = in && voxel[a] >= 0 && voxel[a] < shape[static_cast<std::size_t>(a)];
          }
          const auto flat = (voxel[0] * shape[1] + voxel[1]) * shape[2] + voxel[2];
          around.emplace_back(in ? source[static_cast<std::size_t>(flat)] : outside, weight);
        }
        weigh(out, around);
      }
}

std::vector<Resampling> SomeResamplings() {
  return {{kIdentity, {4, 5, 6}},
          {SpatialMatrix({0.3, -0.2, 0.5}, 1.3, false), {4.5, 5, 6.25}},
          {SpatialMatrix({-0.5, 0.5, 0.1}, 0.7, false), {0, 10, 3}},
          {SpatialMatrix({2.5, 0, 0}, 1.1, true), {3, 4.5, 6}},
          {SpatialMatrix({0, 0, 0}, 1.4, true), {8, 4.5, 6}},
          {SpatialMatrix({0.3, 0.3, 0.3}, 1, false), {-40, 5, 6}}};
}
constexpr Shape3 kShape = {9, 11, 13}, kPatch = {7, 10, 8};

TEST(SpatialTest, WindowsAreAsLargeAsNnunetsInitialPatches) {
  EXPECT_EQ(SpatialRangeOf({128, 128, 128}, 3).window, (Shape3{205, 205, 205}));
  EXPECT_EQ(SpatialRangeOf({40, 56, 40}, 3).window, (Shape3{73, 80, 64}));
  EXPECT_EQ(SpatialRangeOf({80, 192, 160}, 3).window, (Shape3{194, 289, 210}));
  EXPECT_EQ(SpatialRangeOf({20, 320, 256}, 3).window, (Shape3{20, 376, 376}));
  EXPECT_EQ(SpatialRangeOf({1, 56, 40}, 2).window[0], 1);
}

TEST(SpatialTest, WhatMayBeTurnedFollowsFromThePatch) {
  EXPECT_FALSE(SpatialRangeOf({40, 56, 40}, 3).in_plane);
  EXPECT_NEAR(SpatialRangeOf({40, 56, 40}, 3).angle_max[2], kPi / 6, 1e-12);
  EXPECT_TRUE(SpatialRangeOf({20, 320, 256}, 3).in_plane) << "thick slices";
  EXPECT_NEAR(SpatialRangeOf({20, 320, 256}, 3).angle_max[0], kPi, 1e-12);
  EXPECT_EQ(SpatialRangeOf({20, 320, 256}, 3).angle_max[1], 0);
  EXPECT_NEAR(SpatialRangeOf({1, 56, 40}, 2).angle_max[0], kPi, 1e-12);
  EXPECT_NEAR(SpatialRangeOf({1, 90, 40}, 2).angle_max[0], kPi / 12, 1e-12) << "long patches";
}

TEST(SpatialTest, TheMatrixIsTheProductOfTheRotationsTimesTheFactor) {
  // numpy: Rz(0.3) @ Ry(0.2) @ Rx(0.1) * 1.1
  const Matrix3 matrix = SpatialMatrix({0.1, 0.2, 0.3}, 1.1, false);
  const Matrix3 expected = {
      {{1.0299227, -0.3026054, 0.2401857}, {0.3185924, 1.0520676, -0.0406527}, {-0.2185363, 0.1076277, 1.0726874}}};
  for (std::size_t row = 0; row < 3; ++row)
    for (std::size_t column = 0; column < 3; ++column)
      EXPECT_NEAR(matrix[row][column], expected[row][column], 2e-6) << row << ", " << column;
  const Matrix3 turned = SpatialMatrix({3.0, 0.2, 0.3}, 2, true);
  EXPECT_NEAR(turned[1][1], 2 * std::cos(3.0), 1e-6);
  EXPECT_NEAR(turned[1][2], -2 * std::sin(3.0), 1e-6);
  EXPECT_EQ(turned[0], (std::array<double, 3>{1, 0, 0})) << "slices stay where they are";
}

TEST(SpatialTest, ImagesEqualTheFormulaWithZerosOutside) {
  const std::vector<float> source = RandomImage(kShape);
  for (const Resampling& resampling : SomeResamplings()) {
    std::vector<float> found(Count(kPatch), -99);
    ResamplePatch(source, kShape, resampling, kPatch, found);
    ForEachByTheFormula<float>(kShape, resampling, kPatch, 0, source, [&](std::size_t out, const auto& around) {
      double expected = 0;
      for (const auto& [value, weight] : around) expected += weight * static_cast<double>(value);
      ASSERT_NEAR(found[out], expected, 2e-5) << out;
    });
  }
}

TEST(SpatialTest, LabelsAreTheHeaviestOfTheEightAroundAndMinusOneOutside) {
  const std::vector<std::int16_t> source = RandomLabels(kShape);
  for (const Resampling& resampling : SomeResamplings()) {
    std::vector<std::int16_t> found(Count(kPatch), -99);
    ResamplePatch(source, kShape, resampling, kPatch, found);
    ForEachByTheFormula<std::int16_t>(kShape, resampling, kPatch, -1, source, [&](std::size_t out, const auto& around) {
      std::map<std::int16_t, double> weights;
      for (const auto& [label, weight] : around) weights[label] += weight;
      double best = 0;
      for (const auto& [label, weight] : weights) best = std::max(best, weight);
      ASSERT_TRUE(weights.contains(found[out])) << out;
      ASSERT_GE(weights[found[out]], best - 1e-5) << out;
    });
  }
}

TEST(SpatialTest, TheIdentityIsACropAndAQuarterTurnMovesVoxelsExactly) {
  const std::vector<float> source = RandomImage({1, 6, 6});
  std::vector<float> same(36), turned(36);
  ResamplePatch(source, {1, 6, 6}, {kIdentity, {0, 2.5, 2.5}}, {1, 6, 6}, same);
  EXPECT_EQ(same, source);
  ResamplePatch(source, {1, 6, 6}, {SpatialMatrix({kPi / 2, 0, 0}, 1, true), {0, 2.5, 2.5}}, {1, 6, 6}, turned);
  for (std::size_t y = 0; y < 6; ++y)
    for (std::size_t x = 0; x < 6; ++x) EXPECT_NEAR(turned[y * 6 + x], source[(5 - x) * 6 + y], 1e-4) << y << ", " << x;
}

TEST(SpatialTest, EachOfTheTwoComesInAFifthOfTheSamples) {
  const SpatialRange range = SpatialRangeOf({40, 56, 40}, 3);
  int any = 0, scaled = 0;
  constexpr int kSamples = 20000;
  for (int i = 0; i < kSamples; ++i) {
    Rng rng(/*seed=*/9, static_cast<std::uint64_t>(i));
    const std::optional<Matrix3> matrix = DrawSpatial(range, rng);
    if (!matrix) continue;
    ++any;
    double length = 0;
    for (const double entry : (*matrix)[0]) length += entry * entry;
    EXPECT_GT(length, 0.69 * 0.69);
    EXPECT_LT(length, 1.41 * 1.41);
    scaled += std::abs(length - 1) > 1e-5 ? 1 : 0;
  }
  EXPECT_NEAR(static_cast<double>(any) / kSamples, 0.36, 0.015);
  EXPECT_NEAR(static_cast<double>(scaled) / kSamples, 0.2, 0.012);
}

}  // namespace
}  // namespace consilium::datasets
