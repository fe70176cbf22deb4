#include "comm/tensor/compression.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

namespace consilium::tensor {
namespace {

std::vector<float> RandomValues(std::uint64_t seed, std::size_t count, float magnitude) {
  Rng rng(seed);
  std::vector<float> values(count);
  for (float& value : values) value = magnitude * static_cast<float>(rng.Normal());
  return values;
}

TEST(HalfTest, EveryHalfIsReadBackAsItself) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    if ((bits & 0x7c00) == 0x7c00) continue;  // infinities and NaNs are never written
    EXPECT_EQ(HalfFromFloat(FloatFromHalf(static_cast<std::uint16_t>(bits))), bits);
  }
  EXPECT_EQ(FloatFromHalf(0x3c00), 1.0f);
  EXPECT_EQ(FloatFromHalf(0x0001), 0x1p-24f);
  EXPECT_EQ(FloatFromHalf(0x7bff), 65504.0f);
  EXPECT_TRUE(std::isinf(FloatFromHalf(0x7c00)));
  EXPECT_TRUE(std::isnan(FloatFromHalf(0x7e00)));
}

TEST(HalfTest, RoundingIsToNearestAndTiesAreToEven) {
  for (std::uint16_t low = 0; low < 0x7bff; ++low) {
    const auto high = static_cast<std::uint16_t>(low + 1);
    const float middle = (FloatFromHalf(low) + FloatFromHalf(high)) / 2;  // exact in f32
    EXPECT_EQ(HalfFromFloat(middle), low % 2 == 0 ? low : high) << low;
    EXPECT_EQ(HalfFromFloat(std::nextafter(middle, 0.0f)), low);
    EXPECT_EQ(HalfFromFloat(std::nextafter(middle, 1e9f)), high);
    EXPECT_EQ(HalfFromFloat(-std::nextafter(middle, 1e9f)), high | 0x8000);
  }
  EXPECT_EQ(HalfFromFloat(-0.0f), 0x8000);
}

TEST(HalfTest, NothingFiniteBecomesInfinite) {
  for (const float value : {65504.0f, 65520.0f, 1e30f, 3.4e38f}) EXPECT_EQ(HalfFromFloat(value), 0x7bff);
}

TEST(HalfTest, TheScaleKeepsElevenBitsOfTheLargestValuesWhateverTheirSize) {
  for (const float magnitude : {1e-30f, 1e-9f, 1.0f, 1e6f, 1e37f}) {
    const std::vector<float> values = RandomValues(7, 1000, magnitude);
    const float scale = HalfScale(values);
    EXPECT_TRUE(IsHalfScale(scale)) << scale;
    std::vector<std::uint16_t> halves(values.size());
    EncodeHalf(values, scale, halves);
    for (std::size_t i = 0; i < values.size(); ++i)
      EXPECT_LE(std::abs(FloatFromHalf(halves[i]) * scale - values[i]),
                std::max(std::abs(values[i]) * 0x1p-11f, scale * 0x1p-25f));
  }
  EXPECT_EQ(HalfScale({}), 1.0f);
  for (const float bad : {0.0f, -1.0f, 3.0f, 0x1p113f, 0x1p-127f, std::nanf(""), HUGE_VALF})
    EXPECT_FALSE(IsHalfScale(bad)) << bad;
}

TEST(Int8Test, TheErrorIsAtMostHalfAStepToNearestAndOneStepAtRandom) {
  for (const float magnitude : {1e-25f, 1e-4f, 1.0f, 1e36f}) {
    const std::vector<float> values = RandomValues(11, kInt8BlockValues, magnitude);
    const float scale = Int8Scale(values);
    EXPECT_TRUE(std::isfinite(scale * 127));
    std::vector<std::int8_t> codes(values.size());
    Rng dither(3);
    for (Rng* rng : {static_cast<Rng*>(nullptr), &dither}) {
      EncodeInt8(values, scale, rng, codes);
      for (std::size_t i = 0; i < values.size(); ++i)
        EXPECT_LE(std::abs(scale * static_cast<float>(codes[i]) - values[i]), (rng ? 1.0001f : 0.5001f) * scale);
    }
  }
  const std::vector<float> largest(3, 3.4028235e38f);
  EXPECT_TRUE(std::isfinite(Int8Scale(largest) * 127));
}

TEST(Int8Test, RandomRoundingIsExactOnAverage) {
  const std::vector<float> values = {1.0f, 0.3f, -0.3f, 0.0041f, 0.0f, -1.0f};
  const float scale = Int8Scale(values);
  std::vector<double> sums(values.size());
  constexpr int kTries = 20000;
  Rng dither(5);
  for (int i = 0; i < kTries; ++i) {
    std::vector<std::int8_t> codes(values.size());
    EncodeInt8(values, scale, &dither, codes);
    for (std::size_t j = 0; j < codes.size(); ++j) sums[j] += scale * codes[j];
  }
  // The standard deviation of a mean is below scale / 2 / sqrt(tries); five of them.
  for (std::size_t j = 0; j < values.size(); ++j)
    EXPECT_NEAR(sums[j] / kTries, values[j], 5 * 0.5 * scale / std::sqrt(kTries)) << j;
}

TEST(Int8Test, ABlockTooSmallForAScaleIsZero) {
  const std::vector<float> values = {1e-40f, -1e-31f};
  std::vector<std::int8_t> codes(2, 1);
  EXPECT_EQ(Int8Scale(values), 0.0f);
  EncodeInt8(values, 0, nullptr, codes);
  EXPECT_EQ(codes, (std::vector<std::int8_t>{0, 0}));
}

TEST(TopKTest, TheLargestMagnitudesAreThoseOfASort) {
  Rng rng(17);
  for (int round = 0; round < 200; ++round) {
    std::vector<float> values(1 + rng.Below(50));
    for (float& value : values) value = static_cast<float>(rng.Below(7)) - 3.0f;  // many equals
    const std::size_t count = rng.Below(values.size() + 1);
    std::vector<std::uint32_t> expected(values.size());
    std::iota(expected.begin(), expected.end(), 0u);
    std::stable_sort(expected.begin(), expected.end(),
                     [&](auto a, auto b) { return std::abs(values[a]) > std::abs(values[b]); });
    expected.resize(count);
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(LargestMagnitudes(values, count), expected);
  }
}

TEST(CompressionTest, NamesReadBackAndOthersAreToldWhichExist) {
  for (const Compression one : {Compression::kNone, Compression::kHalf, Compression::kInt8, Compression::kTopK})
    EXPECT_EQ(CompressionFromName(std::string(CompressionName(one))).value(), one);
  const Status unknown = CompressionFromName("zip").status();
  EXPECT_EQ(unknown.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(unknown.message().find("none, fp16, int8 and topk"), std::string::npos);
}

}  // namespace
}  // namespace consilium::tensor
