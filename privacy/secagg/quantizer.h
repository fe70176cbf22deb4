// Real vectors as integers of Z_2^32, so that their sum is exact and can be masked.
//
// q = stochastic rounding of x * weight * Q / c, two's complement, each |q| <= Q.  n_max * Q < 2^31 is checked before
// any vector is made, because overflow in a ring is silent.
#pragma once

#include <cstdint>
#include <span>

#include "comm/base/status.h"
#include "privacy/crypto/key_stream.h"

namespace consilium::secagg {

class Quantizer {
 public:
  // `clip`: c, the largest |x| that a coordinate may have; larger ones are cut and counted.  Q is 2^26 for at most 31
  // sites, 2^24 for 127, 2^21 for 1023.  Errors: InvalidArgument for a clip that is not above 0 and finite, no site,
  // or more than 1023.
  static StatusOr<Quantizer> For(double clip, std::size_t sites_max);

  double clip() const { return clip_; }
  std::uint32_t levels() const { return levels_; }  // Q
  double step() const { return clip_ / levels_; }   // c / Q: what a unit of the sum stands for

  // Adds the rounded values to nothing: out[i] = q(values[i]).  `weight` in [0, 1].  `noise` is the site's private
  // stream; 4 bytes a value are read.  Returns how many values were clipped.  Errors: InvalidArgument with the index
  // of a NaN or infinity, or a weight outside [0, 1].
  StatusOr<std::size_t> Quantize(std::span<const float> values, double weight, crypto::KeyStream& noise,
                                 std::span<std::uint32_t> out) const;

  // The real sum that a sum of `sites` quantised vectors stands for.  Errors: DataLoss with the index when a value is
  // larger than so many sites can have made: the sum is not one of vectors of ours.
  Status Dequantize(std::span<const std::uint32_t> sum, std::size_t sites, std::span<double> out) const;

 private:
  Quantizer(double clip, std::uint32_t levels) : clip_(clip), levels_(levels) {}
  double clip_;
  std::uint32_t levels_;
};

}  // namespace consilium::secagg
