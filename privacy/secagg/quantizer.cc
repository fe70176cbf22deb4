#include "privacy/secagg/quantizer.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace consilium::secagg {

StatusOr<Quantizer> Quantizer::For(double clip, std::size_t sites_max) {
  if (!(clip > 0) || std::isinf(clip)) return InvalidArgument("a clip of ", clip, "; it must be above 0 and finite");
  if (sites_max == 0 || sites_max > 1023)
    return InvalidArgument(sites_max, " sites; the ring of 2^32 has room for 1 to 1023");
  const std::uint32_t levels = sites_max <= 31 ? 1u << 26 : sites_max <= 127 ? 1u << 24 : 1u << 21;
  CONSILIUM_CHECK(std::uint64_t{levels} * sites_max < std::uint64_t{1} << 31, "a sum could overflow the ring");
  return Quantizer(clip, levels);
}

StatusOr<std::size_t> Quantizer::Quantize(std::span<const float> values, double weight, crypto::KeyStream& noise,
                                          std::span<std::uint32_t> out) const {
  CONSILIUM_CHECK(values.size() == out.size(), "as many integers as values");
  if (!(weight >= 0 && weight <= 1)) return InvalidArgument("a weight of ", weight, "; it must be between 0 and 1");
  const double scale = weight * levels_ / clip_, limit = levels_;
  std::size_t clipped = 0;
  std::array<std::uint32_t, 1024> draws;
  for (std::size_t begin = 0; begin < values.size(); begin += draws.size()) {
    const std::size_t count = std::min(draws.size(), values.size() - begin);
    noise.Read({reinterpret_cast<std::uint8_t*>(draws.data()), sizeof draws});
    for (std::size_t i = 0; i < count; ++i) {
      const double value = values[begin + i];
      if (!std::isfinite(value))
        return InvalidArgument("value ", begin + i, " is ", value, "; every value must be finite");
      clipped += std::fabs(value) > clip_;
      const double scaled = std::clamp(value, -clip_, clip_) * scale;
      // floor(v + U): v on average.  v = Q exactly stays Q, because U < 1.
      const double rounded = std::min(std::floor(scaled + draws[i] * 0x1p-32), limit);
      out[begin + i] = static_cast<std::uint32_t>(static_cast<std::int32_t>(rounded));
    }
  }
  return clipped;
}

Status Quantizer::Dequantize(std::span<const std::uint32_t> sum, std::size_t sites, std::span<double> out) const {
  CONSILIUM_CHECK(sum.size() == out.size(), "as many values as integers");
  const std::int64_t most = static_cast<std::int64_t>(sites) * levels_;
  const double unit = step();
  for (std::size_t i = 0; i < sum.size(); ++i) {
    const auto value = static_cast<std::int32_t>(sum[i]);
    if (std::abs(std::int64_t{value}) > most)
      return DataLoss("coordinate ", i, " of the sum is ", value, ", more than ", sites, " sites can make (", most,
                      "): masks are left over, or a site broke the protocol");
    out[i] = value * unit;
  }
  return Status();
}

}  // namespace consilium::secagg
