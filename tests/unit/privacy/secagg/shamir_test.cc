#include "privacy/secagg/shamir.h"

#include <gtest/gtest.h>

#include <numeric>

#include "comm/base/rng.h"
#include "privacy/secagg/thresholds.h"

namespace consilium::secagg {
namespace {

std::vector<ShareX> Points(std::size_t count) {
  std::vector<ShareX> xs(count);
  std::iota(xs.begin(), xs.end(), ShareX{1});
  return xs;
}

StatusOr<SecretBytes> Rebuild(const std::vector<Share>& shares) {
  std::vector<ShareX> xs;
  for (const Share& share : shares) xs.push_back(share.x);
  ASSIGN_OR_RETURN(const Rebuilder rebuilder, Rebuilder::For(xs));
  return rebuilder.Rebuild(shares);
}

// What the formulas say, with wide integers and %.
std::uint64_t SlowProduct(std::uint64_t a, std::uint64_t b) {
  return static_cast<std::uint64_t>(static_cast<unsigned __int128>(a) * b % kFieldPrime);
}

TEST(Field, AgreesWithLongDivision) {
  Rng rng(3);
  std::vector<std::uint64_t> values = {0, 1, 2, kFieldPrime - 1, kFieldPrime - 2, (kFieldPrime + 1) / 2};
  for (int i = 0; i < 200; ++i) values.push_back(rng.NextU64() % kFieldPrime);
  for (const std::uint64_t a : values) {
    for (const std::uint64_t b : values) {
      EXPECT_EQ(FieldMultiply(a, b), SlowProduct(a, b));
      EXPECT_EQ(FieldAdd(a, b), (a + b) % kFieldPrime);
      EXPECT_EQ(FieldSubtract(a, b), (a + kFieldPrime - b) % kFieldPrime);
    }
    if (a == 0) continue;
    EXPECT_EQ(FieldMultiply(a, FieldInverse(a)), 1u);
  }
}

TEST(Shamir, AnySubsetOfThresholdSharesRebuildsTheSecret) {
  SeededEntropy entropy(1);
  for (std::size_t holders = 1; holders <= 6; ++holders) {
    for (std::size_t threshold = 1; threshold <= holders; ++threshold) {
      const SecretBytes secret = RandomSecret(entropy, kSecretBytes);
      const std::vector<Share> shares = Split(secret, threshold, Points(holders), entropy).value();
      for (unsigned subset = 0; subset < 1u << holders; ++subset) {
        std::vector<Share> some;
        for (std::size_t i = 0; i < holders; ++i)
          if (subset >> i & 1) some.push_back(shares[i]);
        if (some.size() < threshold) continue;
        const StatusOr<SecretBytes> rebuilt = Rebuild(some);
        ASSERT_TRUE(rebuilt.ok()) << rebuilt.status();
        EXPECT_TRUE(rebuilt->EqualsConstantTime(secret)) << holders << " " << threshold << " " << subset;
      }
    }
  }
}

TEST(Shamir, EveryBitOfTheSecretComesBack) {
  SeededEntropy entropy(2);
  for (int bit = 0; bit < 256; ++bit) {
    Bytes bytes(kSecretBytes);
    bytes[static_cast<std::size_t>(bit / 8)] = static_cast<std::uint8_t>(1 << bit % 8);
    const SecretBytes secret{Bytes(bytes)};
    EXPECT_TRUE(Rebuild(Split(secret, 2, Points(2), entropy).value())->EqualsConstantTime(secret)) << bit;
  }
  EXPECT_TRUE(Rebuild(Split(SecretBytes(Bytes(32, 0xff)), 3, Points(3), entropy).value())
                  ->EqualsConstantTime(SecretBytes(Bytes(32, 0xff))));
}

TEST(Shamir, TooFewSharesLookTheSameWhateverTheSecretIs) {
  // The top byte of one share's limb over many splits of two extreme secrets: uniform for both.
  SeededEntropy entropy(4);
  for (const std::uint8_t fill : {0x00, 0xff}) {
    std::array<int, 16> counts{};
    constexpr int kSplits = 16000;
    for (int i = 0; i < kSplits; ++i)
      ++counts[Split(SecretBytes(Bytes(32, fill)), 2, Points(2), entropy).value()[0].y[0] >> 57];
    double chi2 = 0;
    for (const int count : counts) chi2 += (count - kSplits / 16.0) * (count - kSplits / 16.0) / (kSplits / 16.0);
    EXPECT_LT(chi2, 45) << "15 degrees of freedom: above 45 once in 10^4";
  }
}

TEST(Shamir, FewerSharesThanTheThresholdDoNotRebuild) {
  SeededEntropy entropy(5);
  int rebuilt = 0;
  for (int i = 0; i < 200; ++i) {
    const SecretBytes secret = RandomSecret(entropy, kSecretBytes);
    std::vector<Share> shares = Split(secret, 3, Points(5), entropy).value();
    shares.resize(2);
    const StatusOr<SecretBytes> wrong = Rebuild(shares);
    rebuilt += wrong.ok() && wrong->EqualsConstantTime(secret);
  }
  EXPECT_EQ(rebuilt, 0);
}

TEST(Shamir, AWrongShareIsNoticedOrGivesAnotherSecret) {
  SeededEntropy entropy(6);
  int noticed = 0;
  for (int i = 0; i < 200; ++i) {
    const SecretBytes secret = RandomSecret(entropy, kSecretBytes);
    std::vector<Share> shares = Split(secret, 3, Points(3), entropy).value();
    std::uint64_t& wrong_limb = shares[1].y[static_cast<std::size_t>(i % 5)];
    wrong_limb = FieldAdd(wrong_limb, FieldMultiply(static_cast<std::uint64_t>(i + 1), 0x123456789abcdef));
    const StatusOr<SecretBytes> wrong = Rebuild(shares);
    EXPECT_FALSE(wrong.ok() && wrong->EqualsConstantTime(secret));
    noticed += !wrong.ok();
  }
  EXPECT_GT(noticed, 190) << "the zero bits above each limb catch 511 of 512";
}

TEST(Shamir, BadArgumentsAndBadSharesAreRefused) {
  SeededEntropy entropy(7);
  const SecretBytes secret = RandomSecret(entropy, kSecretBytes);
  EXPECT_FALSE(Split(SecretBytes(31), 1, Points(1), entropy).ok());
  EXPECT_FALSE(Split(secret, 0, Points(3), entropy).ok());
  EXPECT_FALSE(Split(secret, 4, Points(3), entropy).ok());
  EXPECT_FALSE(Split(secret, 1, std::vector<ShareX>{0, 1}, entropy).ok()) << "0 is the secret itself";
  EXPECT_FALSE(Split(secret, 1, std::vector<ShareX>{2, 2}, entropy).ok());
  EXPECT_FALSE(Rebuilder::For({}).ok());
  const std::vector<Share> shares = Split(secret, 2, Points(2), entropy).value();
  const Rebuilder rebuilder = Rebuilder::For(Points(2)).value();
  EXPECT_FALSE(rebuilder.Rebuild({shares.data(), 1}).ok());
  EXPECT_FALSE(rebuilder.Rebuild(std::vector<Share>{shares[1], shares[0]}).ok());
  std::vector<Share> outside = shares;
  outside[0].y[3] = kFieldPrime;
  EXPECT_EQ(rebuilder.Rebuild(outside).code(), StatusCode::kDataLoss);
}

TEST(Thresholds, AreThoseOfTheTable) {
  const std::size_t table[][3] = {{3, 3, 0},   {4, 3, 1},    {5, 4, 1},    {6, 5, 1},    {8, 6, 2},    {10, 7, 3},
                                  {20, 14, 6}, {32, 22, 10}, {50, 34, 16}, {64, 43, 21}, {100, 67, 33}};
  for (const auto& [sites, threshold, drops] : table) {
    const CompleteThreshold found = ThresholdFor(sites, DefaultCorrupt(sites)).value();
    EXPECT_EQ(found.threshold, threshold) << sites;
    EXPECT_EQ(found.drops_allowed, drops) << sites;
  }
}

TEST(Thresholds, TwoWorldsOfHonestSitesCanNeverBothHaveEnoughShares) {
  for (std::size_t sites = 3; sites <= 100; ++sites)
    for (std::size_t corrupt = 0; corrupt < sites; ++corrupt) {
      const StatusOr<CompleteThreshold> found = ThresholdFor(sites, corrupt);
      if (!found.ok()) continue;
      EXPECT_GT(2 * found->threshold, sites + corrupt);
      EXPECT_LE(found->threshold, sites);
    }
  EXPECT_FALSE(ThresholdFor(2, 0).ok());
  EXPECT_FALSE(ThresholdFor(5, 5).ok());
}

}  // namespace
}  // namespace consilium::secagg
