#include "privacy/secagg/mask.h"

#include <gtest/gtest.h>

#include "comm/base/rng.h"

namespace consilium::secagg {
namespace {

SecretBytes Seed(std::uint8_t fill) { return SecretBytes(Bytes(32, fill)); }

std::vector<std::uint32_t> MaskOf(const SecretBytes& seed, const MaskOptions& options, std::uint64_t begin,
                                  std::size_t size) {
  std::vector<std::uint32_t> sum(size);
  const MaskTerm term = {&seed, Sign::kAdd};
  ApplyMasks({&term, 1}, options, begin, sum);
  return sum;
}

TEST(Mask, APairsMasksCancelBitForBit) {
  const SecretBytes pair = Seed(1), other = Seed(2);
  Rng rng(1);
  std::vector<std::uint32_t> sum(10007), before;
  for (std::uint32_t& value : sum) value = rng.NextU32();
  before = sum;
  const MaskTerm there[] = {{&pair, Sign::kAdd}, {&other, Sign::kSubtract}};
  ApplyMasks(there, {}, 0, sum);
  EXPECT_NE(sum, before);
  const MaskTerm back[] = {{&other, Sign::kAdd}, {&pair, Sign::kSubtract}};
  ApplyMasks(back, {}, 0, sum);
  EXPECT_EQ(sum, before);
}

TEST(Mask, IsTheSameHoweverItIsCutAndHoweverManyThreadsMakeIt) {
  const SecretBytes seed = Seed(3);
  const std::vector<std::uint32_t> whole = MaskOf(seed, {}, 0, 40000);
  for (const unsigned threads : {2u, 3u, 8u}) EXPECT_EQ(MaskOf(seed, {.threads = threads}, 0, 40000), whole) << threads;
  for (const std::uint64_t begin : {1u, 2u, 3u, 4u, 2047u, 2048u, 2049u, 39990u})
    for (const std::size_t size : {1u, 2u, 3u, 5u, 4096u, 9001u}) {
      if (begin + size > whole.size()) continue;
      const std::vector<std::uint32_t> part = MaskOf(seed, {}, begin, size);
      EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + static_cast<std::ptrdiff_t>(begin)))
          << begin << " " << size;
    }
}

TEST(Mask, BelongsToItsSeedItsSessionAndItsCipher) {
  const SecretBytes seed = Seed(4), close = Seed(5);
  const std::vector<std::uint32_t> mask = MaskOf(seed, {}, 0, 100);
  EXPECT_NE(MaskOf(close, {}, 0, 100), mask);
  EXPECT_NE(MaskOf(seed, {.context = Sha256Of("another round")}, 0, 100), mask);
  EXPECT_NE(MaskOf(seed, {.cipher = crypto::StreamCipher::kAes256Ctr}, 0, 100), mask);
}

TEST(Mask, AMaskedVectorIsUniformWhateverIsUnderIt) {
  const SecretBytes seed = Seed(6);
  std::vector<std::uint32_t> words(1 << 20);  // zeros underneath: the worst case
  const MaskTerm term = {&seed, Sign::kAdd};
  ApplyMasks({&term, 1}, {}, 0, words);
  std::vector<double> counts(256);
  for (const std::uint32_t word : words)
    for (int byte = 0; byte < 4; ++byte) counts[word >> 8 * byte & 0xff] += 1;
  const double expected = 4.0 * static_cast<double>(words.size()) / 256;
  double chi2 = 0;
  for (const double count : counts) chi2 += (count - expected) * (count - expected) / expected;
  EXPECT_GT(chi2, 170) << "255 degrees of freedom: below 170 or above 350 once in 10^5";
  EXPECT_LT(chi2, 350);
}

TEST(Mask, ItsFirstWordsAreFrozen) {  // made with HMAC and AES of other programs
  const SecretBytes seed = Seed(7);
  const std::vector<std::uint32_t> mask = MaskOf(seed, {.context = Sha256Of("context")}, 0, 4);
  const std::vector<std::uint32_t> later = MaskOf(seed, {.context = Sha256Of("context")}, 1000003, 2);
  EXPECT_EQ(ToHex({reinterpret_cast<const std::uint8_t*>(mask.data()), 16}), "46b806f1b74a8b816ca95b853efb7f38");
  EXPECT_EQ(ToHex({reinterpret_cast<const std::uint8_t*>(later.data()), 8}), "f23bbd5f617f16d1");
}

}  // namespace
}  // namespace consilium::secagg
