// Fewer bits for a difference of models: half precision, 8 bits a value, or only the largest values.  Arithmetic on
// plain spans; how the result lies in a file is comm/wire's.
//
// Lossy coding of differences converges when what was rounded away is added to the next difference ("error feedback":
// Seide et al., "1-bit stochastic gradient descent", Interspeech 2014; Stich, Cordonnier, Jaggi, "Sparsified SGD with
// memory", NeurIPS 2018), or when the rounding is unbiased (Alistarh et al., "QSGD", NeurIPS 2017).
//
// Pure functions of finite values; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "comm/base/rng.h"
#include "comm/base/status.h"

namespace consilium::tensor {

enum class Compression : std::uint8_t {
  kNone,
  kHalf,  // "fp16": 2 bytes a value
  kInt8,  // "int8": 1 byte a value, and a scale for every kInt8BlockValues
  kTopK,  // "topk": the fraction of values with the largest magnitude, 6 bytes each; the others are zero
};
std::string_view CompressionName(Compression compression);
// Errors: InvalidArgument, saying which names exist.
StatusOr<Compression> CompressionFromName(const std::string& name);

struct CompressionSpec {
  Compression scheme = Compression::kNone;
  double fraction = 0.01;  // kTopK: of each tensor's values, rounded up, so that no tensor is forgotten; in (0, 1]
  // What was lost is remembered at the site and added to its next difference.  Without it kInt8 rounds at random
  // (unbiased); with it, and always for kHalf, to nearest.
  bool error_feedback = false;
  friend bool operator==(const CompressionSpec&, const CompressionSpec&) = default;
};

// IEEE 754 binary16, round to nearest even; beyond 65504 the largest half is returned, never infinity (for a finite
// argument).
std::uint16_t HalfFromFloat(float value);
float FloatFromHalf(std::uint16_t half);

// The power of two that the halves of a tensor are multiplied by, so that its largest magnitude lies in [2^14, 2^15)
// before: no difference overflows, and small ones do not drown (raw halves end at 6e-8, which late differences reach).
float HalfScale(std::span<const float> values);
inline constexpr float kHalfScaleMin = 0x1p-126f, kHalfScaleMax = 0x1p112f;  // 65504 * 2^112 is finite
// Is this one that HalfScale can give?
bool IsHalfScale(float scale);
void EncodeHalf(std::span<const float> values, float scale, std::span<std::uint16_t> halves);

// One scale for so many values: 0.8 % more bytes than none, and one outlier spoils 512 values and not a tensor.
inline constexpr std::size_t kInt8BlockValues = 512;
// The step between two codes of a block of at most kInt8BlockValues: its largest magnitude / 127; 0 when that is below
// 2^-100, and then every code is 0.  127 * scale is finite.
float Int8Scale(std::span<const float> block);
// Codes in [-127, 127].  `dither`: rounds up with the probability that makes the expectation exact; null: to nearest.
void EncodeInt8(std::span<const float> block, float scale, Rng* dither, std::span<std::int8_t> codes);

// The indices of the `count` (<= size) largest magnitudes, ascending; among equals the first ones.
std::vector<std::uint32_t> LargestMagnitudes(std::span<const float> values, std::size_t count);

}  // namespace consilium::tensor
