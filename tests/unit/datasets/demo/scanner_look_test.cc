#include "datasets/demo/scanner_look.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "comm/base/rng.h"

namespace consilium::datasets {
namespace {

// Smooth structure: three tissues with soft borders and a little texture, about as an MRI crop has.
Image Tissue(std::uint64_t seed) {
  Image image = {.channels = 1, .shape = {24, 24, 24}};
  image.geometry.spacing = {1, 1, 1};
  Rng rng(seed);
  const double phase = rng.Uniform(0, 6);
  for (int z = 0; z < 24; ++z)
    for (int y = 0; y < 24; ++y)
      for (int x = 0; x < 24; ++x) {
        const double wave = std::sin(z * 0.4 + phase) + std::sin(y * 0.3) + std::sin(x * 0.5 - phase);
        image.voxels.push_back(static_cast<float>(500 + 300 * std::tanh(wave) + 15 * rng.Normal()));
      }
  return image;
}

std::array<double, 40> HistogramOfZScores(const Image& image) {
  const double n = static_cast<double>(image.voxels.size());
  const double mean = std::accumulate(image.voxels.begin(), image.voxels.end(), 0.0) / n;
  double squares = 0;
  for (const float value : image.voxels) squares += (value - mean) * (value - mean);
  const double deviation = std::sqrt(squares / n);
  std::array<double, 40> histogram{};
  for (const float value : image.voxels) {
    const double z = std::clamp((value - mean) / deviation, -3.9, 3.9);
    histogram[static_cast<std::size_t>((z + 4) * 5)] += 1 / n;
  }
  return histogram;
}

// Half of the L1 distance: the share of voxels that would have to move, 0..1.
double Distance(const Image& a, const Image& b) {
  const auto first = HistogramOfZScores(a), second = HistogramOfZScores(b);
  double sum = 0;
  for (std::size_t i = 0; i < first.size(); ++i) sum += std::abs(first[i] - second[i]);
  return sum / 2;
}

Image Seen(const ScannerLook& look, Image image, std::uint64_t stream = 0) {
  ApplyScannerLook(look, RobustRange(image.voxels), 1, stream, image);
  return image;
}

TEST(ScannerLook, DefaultsStayDifferentAfterAZScoreWhereAMereScaleVanishes) {
  const Image original = Tissue(1);
  Image scaled = original;
  for (float& value : scaled.voxels) value = value * 3.7f + 1000;
  EXPECT_LT(Distance(original, scaled), 0.02);
  const auto looks = DefaultScannerLooks();
  for (std::size_t a = 0; a < looks.size(); ++a)
    for (std::size_t b = a + 1; b < looks.size(); ++b) {
      const double between = Distance(Seen(looks[a], original), Seen(looks[b], original));
      EXPECT_GT(between, 0.12) << looks[a].scanner << " and " << looks[b].scanner;
      EXPECT_GT(between, 3 * Distance(Seen(looks[a], original, 5), Seen(looks[a], original, 6)));
    }
}

TEST(ScannerLook, CurvesAreMonotoneAndKeepBlackAndWhite) {
  for (const ScannerLook& look : DefaultScannerLooks()) {
    EXPECT_DOUBLE_EQ(ContrastCurve(look, 0), 0) << look.scanner;
    EXPECT_DOUBLE_EQ(ContrastCurve(look, 1), 1) << look.scanner;
    EXPECT_DOUBLE_EQ(ContrastCurve(look, -3), 0);
    EXPECT_DOUBLE_EQ(ContrastCurve(look, 7), 1);
    for (int i = 0; i < 1000; ++i) EXPECT_LT(ContrastCurve(look, i / 1000.0), ContrastCurve(look, (i + 1) / 1000.0));
  }
}

TEST(ScannerLook, WritesWholeNumbersFromZeroAndTheSameOnesForTheSameSeed) {
  for (const ScannerLook& look : DefaultScannerLooks()) {
    const Image once = Seen(look, Tissue(2), 9), again = Seen(look, Tissue(2), 9), other = Seen(look, Tissue(2), 10);
    EXPECT_EQ(once.voxels, again.voxels);
    EXPECT_NE(once.voxels, other.voxels);
    for (const float value : once.voxels) {
      ASSERT_EQ(value, std::round(value));
      ASSERT_GE(value, 0);
    }
  }
}

TEST(ScannerLook, BlurIsAGaussianInMillimetres) {
  Image image = {.channels = 1, .shape = {21, 21, 21}};
  image.geometry.spacing = {2, 1, 1};
  image.voxels.assign(21 * 21 * 21, 0.0f);
  image.voxels[(10 * 21 + 10) * 21 + 10] = 1;
  ApplyScannerLook({.blur_sigma_mm = 1.5, .intensity_max = 1e7}, {0, 1}, 1, 0, image);
  std::array<double, 3> second_moment{};
  double sum = 0;
  for (int z = 0; z < 21; ++z)
    for (int y = 0; y < 21; ++y)
      for (int x = 0; x < 21; ++x) {
        const double value = image.voxels[static_cast<std::size_t>((z * 21 + y) * 21 + x)];
        sum += value;
        second_moment[0] += value * (z - 10) * (z - 10) * 4;
        second_moment[1] += value * (y - 10) * (y - 10);
        second_moment[2] += value * (x - 10) * (x - 10);
      }
  EXPECT_NEAR(sum, 1e7, 2e4);
  for (const double moment : second_moment) EXPECT_NEAR(std::sqrt(moment / sum), 1.5, 0.02);
}

TEST(ScannerLook, NoiseHasItsShareOfTheRange) {
  Image image = {.channels = 1, .shape = {30, 30, 30}};
  image.geometry.spacing = {1, 1, 1};
  image.voxels.assign(27000, 150.0f);
  ApplyScannerLook({.noise = 0.05, .intensity_max = 10000}, {100, 200}, 3, 4, image);
  double sum = 0, squares = 0;
  for (const float value : image.voxels) {
    sum += value;
    squares += (value - 5000.0) * (value - 5000.0);
  }
  EXPECT_NEAR(sum / 27000, 5000, 15);
  EXPECT_NEAR(std::sqrt(squares / 27000), 500, 12);
}

TEST(RobustRange, IgnoresAFewExtremesAndIsNeverEmpty) {
  std::vector<float> voxels(1001);
  std::iota(voxels.begin(), voxels.end(), 0.0f);
  voxels[3] = 1e6f;
  const IntensityRange range = RobustRange(voxels);
  EXPECT_NEAR(range.low, 5, 1.5);
  EXPECT_NEAR(range.high, 996, 1.5);
  const IntensityRange flat = RobustRange(std::vector<float>(10, 7.0f));
  EXPECT_EQ(flat.low, 7.0f);
  EXPECT_EQ(flat.high, 8.0f);
  EXPECT_LT(RobustRange({}).low, RobustRange({}).high);
}

}  // namespace
}  // namespace consilium::datasets
