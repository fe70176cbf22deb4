#include "coordinator/core/fold.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <numeric>

#include "comm/base/status.h"

namespace consilium::coordinator {

std::vector<double> SharesOf(std::span<const double> weights) {
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<double> shares;
  for (const double weight : weights) {
    CONSILIUM_CHECK(weight > 0 && weight <= kWeightMax, "weight ", weight);
    shares.push_back(weight / total);
  }
  return shares;
}

// Not a sum that starts at 0: 0 + (-0) is +0, and a lone contributor's -0 would be lost.
void StartFold(double share, std::span<const float> values, std::span<double> sum) {
  CONSILIUM_CHECK(values.size() == sum.size(), "tile sizes");
  for (std::size_t i = 0; i < values.size(); ++i) sum[i] = share * static_cast<double>(values[i]);
}

void AddToFold(double share, std::span<const float> values, std::span<double> sum) {
  CONSILIUM_CHECK(values.size() == sum.size(), "tile sizes");
  for (std::size_t i = 0; i < values.size(); ++i) sum[i] += share * static_cast<double>(values[i]);
}

void FinishFold(std::span<const double> sum, std::span<float> out) {
  CONSILIUM_CHECK(out.size() == sum.size(), "tile sizes");
  for (std::size_t i = 0; i < sum.size(); ++i) out[i] = static_cast<float>(sum[i]);
}

std::optional<std::size_t> FirstNotFinite(std::span<const float> values) {
  // All exponent bits set is NaN or infinity.  In integers the pass over a good tile is vectorised; float sums are not.
  constexpr std::uint32_t kExponent = 0x7f80'0000;
  bool found = false;
  for (const float value : values) found |= (std::bit_cast<std::uint32_t>(value) & kExponent) == kExponent;
  if (!found) return std::nullopt;
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!std::isfinite(values[i])) return i;
  return std::nullopt;
}

}  // namespace consilium::coordinator
