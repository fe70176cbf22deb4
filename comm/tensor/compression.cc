#include "comm/tensor/compression.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace consilium::tensor {
namespace {

constexpr std::string_view kNames[] = {"none", "fp16", "int8", "topk"};

float LargestMagnitude(std::span<const float> values) {
  float largest = 0;
  for (const float value : values) largest = std::max(largest, std::abs(value));
  return largest;
}

// Ordered as the magnitudes are.
std::uint32_t MagnitudeBits(float value) { return std::bit_cast<std::uint32_t>(value) & 0x7fffffffu; }

}  // namespace

std::string_view CompressionName(Compression compression) { return kNames[static_cast<std::size_t>(compression)]; }

StatusOr<Compression> CompressionFromName(const std::string& name) {
  for (std::size_t i = 0; i < std::size(kNames); ++i)
    if (name == kNames[i]) return static_cast<Compression>(i);
  return InvalidArgument("'", name.substr(0, 32), "' is no compression; there are none, fp16, int8 and topk");
}

std::uint16_t HalfFromFloat(float value) {
  const auto sign = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16 & 0x8000u);
  const float magnitude = std::min(std::abs(value), 65504.0f);
  std::uint32_t bits = std::bit_cast<std::uint32_t>(magnitude);
  if (magnitude < 0x1p-14f) {
    // Below half's normal range the spacing is 2^-24, which is f32's spacing in [0.5, 1): the addition rounds, and the
    // low bits of the sum are the half.
    bits = std::bit_cast<std::uint32_t>(magnitude + 0.5f) - std::bit_cast<std::uint32_t>(0.5f);
    return static_cast<std::uint16_t>(sign | bits);
  }
  bits += 0xfffu + (bits >> 13 & 1);           // to nearest, ties to even; a carry goes into the exponent
  bits = (bits >> 13) - ((127u - 15u) << 10);  // 13 bits of fraction go, and the bias changes
  return static_cast<std::uint16_t>(sign | bits);
}

float FloatFromHalf(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000u) << 16;
  const std::uint32_t exponent = half >> 10 & 0x1fu, fraction = half & 0x3ffu;
  if (exponent == 0)  // zero and subnormals: fraction * 2^-24
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(static_cast<float>(fraction) * 0x1p-24f));
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000u | fraction << 13);
  return std::bit_cast<float>(sign | (exponent + 127 - 15) << 23 | fraction << 13);
}

float HalfScale(std::span<const float> values) {
  const float largest = LargestMagnitude(values);
  if (largest == 0) return 1;
  return std::clamp(std::ldexp(1.0f, std::ilogb(largest) - 14), kHalfScaleMin, kHalfScaleMax);
}

bool IsHalfScale(float scale) {
  return scale >= kHalfScaleMin && scale <= kHalfScaleMax && (std::bit_cast<std::uint32_t>(scale) & 0x807fffffu) == 0;
}

void EncodeHalf(std::span<const float> values, float scale, std::span<std::uint16_t> halves) {
  const float inverse = 1 / scale;  // exact: a power of two within the range
  for (std::size_t i = 0; i < values.size(); ++i) halves[i] = HalfFromFloat(values[i] * inverse);
}

float Int8Scale(std::span<const float> block) {
  const float largest = LargestMagnitude(block);
  if (largest < 0x1p-100f) return 0;  // where a quotient of subnormals would lose its bits
  const float scale = largest / 127;
  return std::isfinite(scale * 127) ? scale : std::nextafter(scale, 0.0f);
}

void EncodeInt8(std::span<const float> block, float scale, Rng* dither, std::span<std::int8_t> codes) {
  if (scale == 0) std::fill_n(codes.begin(), block.size(), std::int8_t{0});
  for (std::size_t i = 0; scale > 0 && i < block.size(); ++i) {
    const float exact = block[i] / scale;
    const float rounded =
        dither ? std::floor(exact + static_cast<float>(dither->NextU32() >> 8) * 0x1p-24f) : std::nearbyint(exact);
    codes[i] = static_cast<std::int8_t>(std::clamp(rounded, -127.0f, 127.0f));
  }
}

std::vector<std::uint32_t> LargestMagnitudes(std::span<const float> values, std::size_t count) {
  CONSILIUM_CHECK(count <= values.size() && values.size() <= std::numeric_limits<std::uint32_t>::max());
  std::vector<std::uint32_t> indices;
  if (count == 0) return indices;
  std::vector<std::uint32_t> magnitudes(values.size());
  std::transform(values.begin(), values.end(), magnitudes.begin(), MagnitudeBits);
  const auto last = magnitudes.begin() + static_cast<std::ptrdiff_t>(count - 1);
  std::nth_element(magnitudes.begin(), last, magnitudes.end(), std::greater<>());
  const std::uint32_t threshold = *last;
  std::size_t equals = static_cast<std::size_t>(std::count(magnitudes.begin(), last + 1, threshold));
  indices.reserve(count);
  for (std::uint32_t i = 0; i < values.size(); ++i) {
    const std::uint32_t magnitude = MagnitudeBits(values[i]);
    if (magnitude > threshold || (magnitude == threshold && equals > 0 && equals--)) indices.push_back(i);
  }
  return indices;
}

}  // namespace consilium::tensor
