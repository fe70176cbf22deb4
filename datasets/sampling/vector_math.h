// Elementary functions as polynomials that GCC vectorises, for voxel loops.
//
// libm would be slower (one call a voxel) and differs between versions in the last bit; these use IEEE additions and
// multiplications only, so a patch has the same bytes on every machine.  Coefficients: Cephes (S. L. Moshier), logf,
// exp2f, sinf and cosf; each is within about 2 units in the last place on the range that is named.
#pragma once

#include <bit>
#include <cstdint>

namespace consilium::datasets {

// Natural logarithm of a normal, positive x.
inline float FastLog(float x) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(x);
  const std::int32_t exponent =
      static_cast<std::int32_t>(bits - 0x3F3504F3u) >> 23;  // mantissa in [sqrt(1/2), sqrt(2))
  const float f = std::bit_cast<float>(bits - (static_cast<std::uint32_t>(exponent) << 23)) - 1.0f;
  float y = 7.0376836292e-2f;
  y = y * f - 1.1514610310e-1f;
  y = y * f + 1.1676998740e-1f;
  y = y * f - 1.2420140846e-1f;
  y = y * f + 1.4249322787e-1f;
  y = y * f - 1.6668057665e-1f;
  y = y * f + 2.0000714765e-1f;
  y = y * f - 2.4999993993e-1f;
  y = y * f + 3.3333331174e-1f;
  const float square = f * f;
  const float e = static_cast<float>(exponent);
  // ln 2 in two parts, so that the large one times e is exact.
  return (f + (y * f * square - 0.5f * square - e * 2.12194440e-4f)) + e * 0.693359375f;
}

// 2^x for x in [-126, 127].
inline float FastExp2(float x) {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to the nearest integer
  const float shifted = x + kRound;
  const float f = x - (shifted - kRound);  // [-1/2, 1/2]
  const std::int32_t exponent = std::bit_cast<std::int32_t>(shifted) - std::bit_cast<std::int32_t>(kRound);
  float y = 1.535336188319500e-4f;
  y = y * f + 1.339887440266574e-3f;
  y = y * f + 9.618437357674640e-3f;
  y = y * f + 5.550332471162809e-2f;
  y = y * f + 2.402264791363012e-1f;
  y = y * f + 6.931472028550421e-1f;
  y = y * f + 1.0f;
  return y * std::bit_cast<float>((exponent + 127) << 23);
}

// x^power for x in [0, 1] and power > 0; 0^power = 0, and results below 2^-126 are 0 or 2^-126.
inline float FastPow(float x, float power) {
  const float exponent = FastLog(x) * 1.4426950408889634f * power;
  const float value = FastExp2(exponent < -126.0f ? -126.0f : exponent);
  return x < 1.1754944e-38f ? 0.0f : value;
}

// Sine and cosine for |x| <= pi / 4.
inline float FastSin(float x) {
  const float z = x * x;
  return ((-1.9515295891e-4f * z + 8.3321608736e-3f) * z - 1.6666654611e-1f) * z * x + x;
}
inline float FastCos(float x) {
  const float z = x * x;
  return ((2.443315711809948e-5f * z - 1.388731625493765e-3f) * z + 4.166664568298827e-2f) * z * z - 0.5f * z + 1.0f;
}

}  // namespace consilium::datasets
