// What a coordinator sees of a site in a secure sum, as a statistician: nothing but uniform words.
#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "tests/unit/privacy/secagg/real_sum.h"

namespace consilium::secagg {
namespace {

constexpr std::size_t kWords = 1'000'000;
using Words = std::vector<std::uint32_t>;

// The masked vectors of three sites, and what the first of them put in.
std::vector<Words> MaskedVectors(std::uint64_t seed, const std::vector<float>& update) {
  RealSum sum(3, update.size(), seed);
  sum.updates[0] = update;
  std::vector<Words> seen;
  sum.tamper = [&](std::size_t, Words* words) { seen.push_back(*words); };
  EXPECT_TRUE(sum.Run().ok());
  return seen;
}

std::vector<float> Constant(float value) { return std::vector<float>(kWords, value); }

using Histogram = std::array<double, 4 * 256>;  // of each of a word's four bytes

Histogram HistogramOf(const Words& words) {
  Histogram counts{};
  for (std::size_t i = 0; i < kWords; ++i)
    for (std::size_t byte = 0; byte < 4; ++byte) counts[byte * 256 + (words[i] >> (8 * byte) & 0xff)] += 1;
  return counts;
}

// Chi-square over 4 x 255 degrees of freedom: mean 1020, deviation 45.2.
constexpr double kDegrees = 1020, kTail = 5 * 45.2;

double AgainstUniform(const Words& words) {
  double chi2 = 0;
  for (const double count : HistogramOf(words)) chi2 += std::pow(count - kWords / 256.0, 2) / (kWords / 256.0);
  return chi2;
}

double AgainstEachOther(const Words& a, const Words& b) {
  const Histogram left = HistogramOf(a), right = HistogramOf(b);
  double chi2 = 0;
  for (std::size_t i = 0; i < left.size(); ++i)
    if (left[i] + right[i] > 0) chi2 += std::pow(left[i] - right[i], 2) / (left[i] + right[i]);
  return chi2;
}

// Of the words, as the signed numbers that they stand for, with what is under the masks.
double Correlation(const Words& words, const std::vector<float>& update) {
  double xy = 0, xx = 0, yy = 0;
  for (std::size_t i = 0; i < kWords; ++i) {
    const double x = update[i], y = static_cast<std::int32_t>(words[i]);
    xy += x * y, xx += x * x, yy += y * y;
  }
  return xy / std::sqrt(xx * yy);
}

Words Sum(const Words& a, const Words& b) {
  Words sum = a;
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += b[i];
  return sum;
}

TEST(MaskedVector, IsUniformAndHasNothingToDoWithTheUpdateUnderIt) {
  Rng rng(21);
  std::vector<float> update(kWords);
  for (float& value : update) value = rng.Bernoulli(0.5) ? 1.0f : -1.0f;  // at the clip: as loud as can be
  const std::vector<Words> seen = MaskedVectors(21, update);
  for (const Words& words : {seen[0], seen[1], seen[2], Sum(seen[0], seen[1]), Sum(seen[1], seen[2])}) {
    EXPECT_NEAR(AgainstUniform(words), kDegrees, kTail) << "of one site, or of two without the third";
    EXPECT_LT(std::abs(Correlation(words, update)), 5 / std::sqrt(kWords));
  }
  std::vector<float> next(kWords);
  for (std::size_t i = 0; i < kWords; ++i) next[i] = static_cast<float>(static_cast<std::int32_t>(seen[0][i + 1]));
  EXPECT_LT(std::abs(Correlation(seen[0], next)), 5 / std::sqrt(kWords)) << "a word tells nothing of the next one";
}

TEST(MaskedVector, OfZerosCannotBeToldFromOneOfTheLargestValue) {
  const Words zeros = MaskedVectors(22, Constant(0))[0], large = MaskedVectors(23, Constant(1))[0];
  EXPECT_NEAR(AgainstUniform(zeros), kDegrees, kTail);
  EXPECT_NEAR(AgainstUniform(large), kDegrees, kTail);
  EXPECT_NEAR(AgainstEachOther(zeros, large), kDegrees, kTail);
}

// The same statistics on what a site would send without masks, or with masks that are a bit too narrow.
TEST(MaskedVector, ASiteThatMaskedBadlyWouldBeSeen) {
  Rng rng(24);
  std::vector<float> update(kWords);
  for (float& value : update) value = rng.Bernoulli(0.5) ? 1.0f : -1.0f;
  const Quantizer quantizer = Quantizer::For(1, 3).value();
  crypto::KeyStream rounding(crypto::StreamCipher::kAes128Ctr, SecretBytes(Bytes(16, 1)), {});
  Words plain(kWords);
  ASSERT_TRUE(quantizer.Quantize(update, 1, rounding, plain).ok());
  EXPECT_GT(AgainstUniform(plain), kDegrees + 100 * kTail);
  EXPECT_GT(Correlation(plain, update), 0.99);
  Words narrow = plain;
  for (std::uint32_t& word : narrow) word += rng.NextU32() >> 2;  // 30 bits of 32
  EXPECT_GT(AgainstUniform(narrow), kDegrees + kTail);
  EXPECT_GT(std::abs(Correlation(narrow, update)), 5 / std::sqrt(kWords));
}

}  // namespace
}  // namespace consilium::secagg
