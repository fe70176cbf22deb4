#include "privacy/secagg/quantizer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "comm/base/rng.h"

namespace consilium::secagg {
namespace {

crypto::KeyStream Noise(std::uint8_t fill) {
  return crypto::KeyStream(crypto::StreamCipher::kAes128Ctr, SecretBytes(Bytes(16, fill)), {});
}

TEST(Quantizer, NoSumOfItsSitesCanOverflowTheRing) {
  for (const std::size_t sites : {1u, 3u, 31u, 32u, 127u, 128u, 1023u}) {
    const Quantizer quantizer = Quantizer::For(1.5, sites).value();
    EXPECT_LT(static_cast<std::uint64_t>(quantizer.levels()) * sites, std::uint64_t{1} << 31) << sites;
    // The extremes of all sites together come back.
    for (const float value : {1.5f, -1.5f, 99.0f, -99.0f}) {
      std::uint32_t one = 0, sum = 0;
      crypto::KeyStream noise = Noise(1);
      for (std::size_t i = 0; i < sites; ++i) {
        ASSERT_TRUE(quantizer.Quantize({&value, 1}, 1, noise, {&one, 1}).ok());
        sum += one;
      }
      double real = 0;
      ASSERT_TRUE(quantizer.Dequantize({&sum, 1}, sites, {&real, 1}).ok());
      EXPECT_EQ(real, (value > 0 ? 1.5 : -1.5) * static_cast<double>(sites));
    }
  }
}

TEST(Quantizer, TheMeanOfManySitesIsWithinHalfAStepOverTheRoot) {
  constexpr std::size_t kSites = 20, kValues = 20000;
  const Quantizer quantizer = Quantizer::For(2.0, kSites).value();
  std::vector<std::uint32_t> sum(kValues), one(kValues);
  std::vector<double> truth(kValues), real(kValues);
  std::vector<float> values(kValues);
  Rng rng(5);
  for (std::size_t site = 0; site < kSites; ++site) {
    for (float& value : values) value = static_cast<float>(rng.Uniform(-2, 2));
    crypto::KeyStream noise = Noise(static_cast<std::uint8_t>(site));
    EXPECT_EQ(quantizer.Quantize(values, 1, noise, one).value(), 0u);
    for (std::size_t i = 0; i < kValues; ++i) sum[i] += one[i], truth[i] += values[i];
  }
  ASSERT_TRUE(quantizer.Dequantize(sum, kSites, real).ok());
  double square = 0, worst = 0;
  for (std::size_t i = 0; i < kValues; ++i) {
    const double error = std::fabs(real[i] - truth[i]) / kSites;
    square += error * error, worst = std::max(worst, error);
  }
  EXPECT_LE(std::sqrt(square / kValues), 0.5 * quantizer.step() / std::sqrt(double{kSites}));
  EXPECT_LE(worst, quantizer.step());
}

TEST(Quantizer, RoundsWithoutBiasAlsoBetweenTwoSteps) {
  const Quantizer quantizer = Quantizer::For(1.0, 1000).value();
  const std::vector<float> values(200000, static_cast<float>(quantizer.step() * 0.25));
  std::vector<std::uint32_t> out(values.size());
  crypto::KeyStream noise = Noise(9);
  ASSERT_TRUE(quantizer.Quantize(values, 1, noise, out).ok());
  double up = 0;
  for (const std::uint32_t value : out) {
    ASSERT_LE(value, 1u);
    up += value;
  }
  EXPECT_NEAR(up / static_cast<double>(out.size()), 0.25, 0.006) << "six standard deviations";
}

TEST(Quantizer, CountsWhatItClipsAndScalesByTheWeight) {
  const Quantizer quantizer = Quantizer::For(1.0, 3).value();
  const std::vector<float> values = {0.5f, 2.0f, -3.0f, 1.0f};
  std::vector<std::uint32_t> out(4);
  crypto::KeyStream noise = Noise(1);
  EXPECT_EQ(quantizer.Quantize(values, 0.5, noise, out).value(), 2u);
  std::vector<double> real(4);
  ASSERT_TRUE(quantizer.Dequantize(out, 1, real).ok());
  for (const auto& [i, expected] : {std::pair{0, 0.25}, {1, 0.5}, {2, -0.5}, {3, 0.5}})
    EXPECT_NEAR(real[static_cast<std::size_t>(i)], expected, quantizer.step());
}

TEST(Quantizer, RefusesWhatCannotBeSummed) {
  EXPECT_FALSE(Quantizer::For(0, 3).ok());
  EXPECT_FALSE(Quantizer::For(INFINITY, 3).ok());
  EXPECT_FALSE(Quantizer::For(1, 0).ok());
  EXPECT_FALSE(Quantizer::For(1, 1024).ok());
  const Quantizer quantizer = Quantizer::For(1.0, 3).value();
  std::vector<std::uint32_t> out(2);
  crypto::KeyStream noise = Noise(1);
  const std::vector<float> bad = {0.0f, NAN};
  const auto result = quantizer.Quantize(bad, 1, noise, out);
  ASSERT_EQ(result.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(result.status().message().find("value 1"), std::string::npos);
  EXPECT_FALSE(quantizer.Quantize(std::vector<float>{0, 0}, 1.5, noise, out).ok());
  // A sum larger than three sites can make: masks were left over.
  std::vector<double> real(1);
  EXPECT_EQ(quantizer.Dequantize(std::vector<std::uint32_t>{0x7fffffff}, 3, real).code(), StatusCode::kDataLoss);
}

}  // namespace
}  // namespace consilium::secagg
