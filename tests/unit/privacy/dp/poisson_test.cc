#include "privacy/dp/poisson.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace consilium::dp {
namespace {

NoiseSource Source(std::string_view purpose) { return {SecretBytes(Bytes(32, 5)), purpose}; }

// Pearson's statistic over classes of at least 20 expected draws each, as a normal deviate (Wilson and Hilferty).
double ChiSquareDeviate(const std::vector<std::int64_t>& draws, double mean) {
  std::vector<double> seen, expected;
  double mass = 0, count = 0, rest = 1;
  const auto total = static_cast<double>(draws.size());
  const auto deviation = std::sqrt(mean);
  const auto low = static_cast<std::int64_t>(std::max(0.0, mean - 8 * deviation));
  const auto high = static_cast<std::int64_t>(mean + 8 * deviation) + 2;
  std::vector<double> histogram(static_cast<std::size_t>(high - low + 1));
  for (const std::int64_t draw : draws)
    if (draw >= low && draw <= high) ++histogram[static_cast<std::size_t>(draw - low)];
  for (std::int64_t k = low; k <= high; ++k) {
    mass += std::exp(PoissonLogProbability(k, mean));
    count += histogram[static_cast<std::size_t>(k - low)];
    if (mass * total < 20 || (rest - mass) * total < 20) continue;
    seen.push_back(count), expected.push_back(mass * total);
    rest -= mass;
    mass = count = 0;
  }
  double left = total;
  for (const double value : seen) left -= value;
  seen.push_back(left), expected.push_back(rest * total);
  double statistic = 0;
  for (std::size_t i = 0; i < seen.size(); ++i)
    statistic += (seen[i] - expected[i]) * (seen[i] - expected[i]) / expected[i];
  const double freedom = static_cast<double>(seen.size()) - 1;
  EXPECT_GT(freedom, 3);
  return (std::cbrt(statistic / freedom) - (1 - 2 / (9 * freedom))) / std::sqrt(2 / (9 * freedom));
}

TEST(PoissonLogProbability, IsTheTextbookFormulaWhereThatKeepsItsDigits) {
  for (const double mean : {1.0, 3.0, 9.0, 10.0, 57.0, 1000.0})
    for (std::int64_t k = 0; k < 1200; k += k < 40 ? 1 : 37) {
      const auto x = static_cast<double>(k);
      EXPECT_NEAR(PoissonLogProbability(k, mean), x * std::log(mean) - mean - std::lgamma(x + 1),
                  1e-11 * (1 + x + mean))
          << k << " of " << mean;
    }
}

TEST(PoissonLogProbability, OfALargeMeanIsThatOfItsNeighboursTimesTheirRatio) {
  const double mean = 0x1p32;
  for (const std::int64_t k : {std::int64_t{4294967296}, std::int64_t{4294967296} + 200'000, std::int64_t{4294600000}})
    EXPECT_NEAR(PoissonLogProbability(k + 1, mean) - PoissonLogProbability(k, mean),
                std::log(mean / static_cast<double>(k + 1)), 1e-12);
  EXPECT_NEAR(PoissonLogProbability(4294967296, mean), -0.5 * std::log(2 * M_PI * mean), 1e-10);
}

// 4.5 deviations: a right sampler fails once in 150,000 keys, and the key is fixed.
TEST(Poisson, SmallAndLargeMeansHaveTheirDistribution) {
  for (const std::int64_t mean : {1, 3, 9, 10, 11, 40, 1000, 30'000}) {
    const PoissonSampler poisson(mean);
    NoiseSource source = Source(Concat("chi-square ", mean));
    std::vector<std::int64_t> draws;
    for (int i = 0; i < 200'000; ++i) draws.push_back(poisson.Draw(&source));
    EXPECT_LT(ChiSquareDeviate(draws, static_cast<double>(mean)), 4.5) << mean;
  }
}

TEST(Poisson, TheTestHasPower) {
  NoiseSource source = Source("power");
  std::vector<std::int64_t> draws;
  for (int i = 0; i < 200'000; ++i) draws.push_back(PoissonSampler(1000).Draw(&source));
  EXPECT_GT(ChiSquareDeviate(draws, 1001), 4.5) << "a mean that is wrong by a thousandth is seen";
}

TEST(Poisson, OfTheMeansThatSumsUseHasItsMoments) {
  for (const std::int64_t mean : {std::int64_t{1} << 28, std::int64_t{1} << 32}) {
    const PoissonSampler poisson(mean);
    NoiseSource source = Source("moments");
    constexpr int kCount = 100'000;
    const double deviation = std::sqrt(static_cast<double>(mean));
    double first = 0, second = 0, fourth = 0, odd = 0;
    for (int i = 0; i < kCount; ++i) {
      const std::int64_t draw = poisson.Draw(&source);
      const double z = static_cast<double>(draw - mean) / deviation;
      first += z / kCount, second += z * z / kCount, fourth += z * z * z * z / kCount;
      odd += static_cast<double>(draw & 1) / kCount;
    }
    const double error = 5 / std::sqrt(kCount);
    EXPECT_NEAR(first, 0, error);
    EXPECT_NEAR(second, 1, error * std::sqrt(2));
    EXPECT_NEAR(fourth, 3, error * std::sqrt(96));
    EXPECT_NEAR(odd, 0.5, error / 2) << "the last digit is as random as the first";
  }
}

TEST(Skellam, NoiseOfSeveralSitesAddsUpToTheirVariances) {
  constexpr std::int64_t kMean = 5000;
  constexpr std::size_t kCount = 50'000, kSites = 7;
  std::vector<std::uint32_t> sum(kCount, 17);
  for (std::size_t site = 0; site < kSites; ++site) {
    NoiseSource source = Source(Concat("site ", site));
    AddSkellam(PoissonSampler(kMean), &source, sum);
  }
  double mean = 0, square = 0;
  for (const std::uint32_t word : sum) {
    const double value = static_cast<std::int32_t>(word - 17);
    mean += value / kCount, square += value * value / kCount;
  }
  const double variance = 2.0 * kMean * kSites;
  EXPECT_NEAR(mean, 0, 5 * std::sqrt(variance / kCount));
  EXPECT_NEAR(square / variance, 1, 5 * std::sqrt(2.0 / kCount));
}

TEST(Skellam, TheSameSecretAndNameGiveTheSameNoise) {
  std::vector<std::uint32_t> one(100), two(100), other(100);
  for (auto& [name, words] : {std::pair{"r 0", &one}, {"r 0", &two}, {"r 1", &other}}) {
    NoiseSource source = Source(name);
    AddSkellam(PoissonSampler(1 << 20), &source, *words);
  }
  EXPECT_EQ(one, two);
  EXPECT_NE(one, other);
}

}  // namespace
}  // namespace consilium::dp
