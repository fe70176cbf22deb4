#include "privacy/dp/noise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace consilium::dp {
namespace {

SecretBytes Secret(std::uint8_t fill) { return SecretBytes(Bytes(32, fill)); }

std::vector<double> Draw(NoiseSource source, int count) {
  std::vector<double> values;
  for (int i = 0; i < count; ++i) values.push_back(source.Gaussian());
  return values;
}

TEST(NoiseSource, TheSamePurposeGivesTheSameNoiseAndAnotherOneAnother) {
  const std::vector<double> one = Draw({Secret(1), "trial/round 0.0/noise"}, 100);
  EXPECT_EQ(one, Draw({Secret(1), "trial/round 0.0/noise"}, 100));
  EXPECT_NE(one, Draw({Secret(1), "trial/round 0.1/noise"}, 100));
  EXPECT_NE(one, Draw({Secret(2), "trial/round 0.0/noise"}, 100));
}

// Bounds of 5 standard errors: a right generator fails once in a million keys, and the key is fixed.
TEST(NoiseSource, GaussiansHaveTheMomentsAndTheDistributionOfANormal) {
  constexpr int kCount = 200'000;
  std::vector<double> values = Draw({Secret(3), "moments"}, kCount);
  double mean = 0, square = 0, fourth = 0, neighbours = 0;
  for (int i = 0; i < kCount; ++i) {
    const double value = values[static_cast<std::size_t>(i)];
    mean += value / kCount, square += value * value / kCount, fourth += std::pow(value, 4) / kCount;
    if (i > 0) neighbours += value * values[static_cast<std::size_t>(i - 1)] / kCount;
  }
  const double error = 5 / std::sqrt(kCount);
  EXPECT_NEAR(mean, 0, error);
  EXPECT_NEAR(square, 1, error * std::sqrt(2));
  EXPECT_NEAR(fourth, 3, error * std::sqrt(96));
  EXPECT_NEAR(neighbours, 0, error);
  std::sort(values.begin(), values.end());
  double distance = 0;  // Kolmogorov and Smirnov's
  for (int i = 0; i < kCount; ++i) {
    const double at = 0.5 * std::erfc(-values[static_cast<std::size_t>(i)] / std::sqrt(2.0));
    distance = std::max(distance, std::abs(at - (i + 0.5) / kCount));
  }
  EXPECT_LT(distance, 1.95 / std::sqrt(kCount));  // p = 0.001
}

TEST(NoiseSource, NoiseIsAddedWithItsDeviation) {
  std::vector<float> values(50'000, 7.0f);
  NoiseSource(Secret(4), "add").AddGaussian(0.5, values);
  double mean = 0, square = 0;
  for (const float value : values) mean += value / 5e4, square += (value - 7.0) * (value - 7.0) / 5e4;
  EXPECT_NEAR(mean, 7, 5 * 0.5 / std::sqrt(5e4));
  EXPECT_NEAR(square, 0.25, 5 * 0.25 * std::sqrt(2 / 5e4));
}

TEST(PoissonSample, TakesEachUnitIndependentlyAtItsRate) {
  constexpr int kUnits = 20, kSamples = 20'000;
  constexpr double kRate = 0.1;
  NoiseSource source(Secret(5), "sample");
  std::vector<double> taken(kUnits);
  double empty = 0, both = 0;
  for (int i = 0; i < kSamples; ++i) {
    const std::vector<std::int64_t> sample = PoissonSample(kUnits, kRate, &source);
    for (const std::int64_t unit : sample) taken[static_cast<std::size_t>(unit)] += 1.0 / kSamples;
    empty += sample.empty() ? 1.0 / kSamples : 0;
    both += std::ranges::count(sample, 0) + std::ranges::count(sample, 19) == 2 ? 1.0 / kSamples : 0;
  }
  const double error = 5 * std::sqrt(kRate * (1 - kRate) / kSamples);
  for (const double rate : taken) EXPECT_NEAR(rate, kRate, error);
  EXPECT_NEAR(empty, std::pow(1 - kRate, kUnits), 5 * std::sqrt(0.12 * 0.88 / kSamples));
  EXPECT_NEAR(both, kRate * kRate, 5 * std::sqrt(0.01 * 0.99 / kSamples));
  EXPECT_TRUE(PoissonSample(kUnits, 0, &source).empty());
  EXPECT_EQ(PoissonSample(kUnits, 1, &source).size(), 20u);
}

}  // namespace
}  // namespace consilium::dp
