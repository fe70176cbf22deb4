#include "coordinator/core/fold.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "comm/base/rng.h"

namespace consilium::coordinator {
namespace {

std::vector<float> Fold(const std::vector<std::vector<float>>& updates, const std::vector<double>& weights) {
  const std::vector<double> shares = SharesOf(weights);
  std::vector<double> sum(updates[0].size());
  StartFold(shares[0], updates[0], sum);
  for (std::size_t i = 1; i < updates.size(); ++i) AddToFold(shares[i], updates[i], sum);
  std::vector<float> out(sum.size());
  FinishFold(sum, out);
  return out;
}

std::vector<float> AnyFloats(Rng* rng, std::size_t count) {
  std::vector<float> values(count);
  for (float& value : values) {
    do {
      const std::uint32_t bits = rng->NextU32();
      std::memcpy(&value, &bits, sizeof value);
    } while (!std::isfinite(value));
  }
  return values;
}

TEST(Fold, OneSiteComesOutBitForBitWhateverItsWeight) {
  Rng rng(1);
  std::vector<float> values = AnyFloats(&rng, 4096);  // denormals and huge ones among them
  for (const float special : {0.0f, -0.0f, std::numeric_limits<float>::max(), std::numeric_limits<float>::denorm_min()})
    values.push_back(special);
  for (const double weight : {1.0, 3.0, 0.1, 1e-300, kWeightMax}) {
    const std::vector<float> folded = Fold({values}, {weight});
    EXPECT_EQ(std::memcmp(folded.data(), values.data(), values.size() * sizeof(float)), 0) << "weight " << weight;
  }
}

TEST(Fold, SitesThatAgreeAreAllRight) {
  Rng rng(2);
  const std::vector<float> values = AnyFloats(&rng, 4096);
  const std::vector<float> folded = Fold({values, values, values}, {1, 10, 7});
  EXPECT_EQ(folded, values);
}

TEST(Fold, IsTheWeightedMeanToWithinOneRoundingOfALongDoubleReference) {
  Rng rng(3);
  for (int trial = 0; trial < 20; ++trial) {
    const std::size_t sites = 1 + rng.Below(8);
    std::vector<std::vector<float>> updates(sites);
    std::vector<double> weights(sites);
    for (std::size_t s = 0; s < sites; ++s) {
      for (int i = 0; i < 256; ++i) updates[s].push_back(static_cast<float>(rng.Normal()));
      weights[s] = static_cast<double>(1 + rng.Below(1000));
    }
    const std::vector<float> folded = Fold(updates, weights);
    for (std::size_t i = 0; i < folded.size(); ++i) {
      long double sum = 0, total = 0, magnitude = 0;
      for (std::size_t s = 0; s < sites; ++s) {
        sum += static_cast<long double>(weights[s]) * updates[s][i];
        magnitude += static_cast<long double>(weights[s]) * std::fabs(updates[s][i]);
        total += weights[s];
      }
      // Half a unit in the last place of the f32 result, plus a few f64 roundings of the largest partial sum.
      const long double bound = std::fabs(sum / total) * 0x1p-24L + magnitude / total * 0x1p-49L;
      EXPECT_LE(std::fabs(static_cast<long double>(folded[i]) - sum / total), bound) << "trial " << trial;
    }
  }
}

TEST(Fold, FindsTheFirstValueThatIsNotFinite) {
  std::vector<float> values(100, 1.0f);
  EXPECT_FALSE(FirstNotFinite(values).has_value());
  EXPECT_FALSE(FirstNotFinite({}).has_value());
  values[99] = std::numeric_limits<float>::max();
  EXPECT_FALSE(FirstNotFinite(values).has_value());
  values[70] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(FirstNotFinite(values), 70u);
  values[3] = -std::numeric_limits<float>::infinity();
  EXPECT_EQ(FirstNotFinite(values), 3u);
}

}  // namespace
}  // namespace consilium::coordinator
