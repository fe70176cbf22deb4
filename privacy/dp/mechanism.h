// What the accountants count.
#pragma once

#include <cstdint>
#include <variant>

#include "comm/base/status.h"

namespace consilium::dp {

// A sum over a Poisson sample of the units, each contribution clipped to L2 norm C, plus N(0, (noise_multiplier C)^2),
// released `steps` times.  Adjacency: one unit added or removed.
struct SampledGaussian {
  double noise_multiplier = 0;  // sigma; 0: no noise, epsilon is infinite
  double sampling_rate = 1;     // q in [0, 1]: each unit is in each sample with this probability, independently
  std::int64_t steps = 1;
  friend bool operator==(const SampledGaussian&, const SampledGaussian&) = default;
};

// A sum of the units' vectors plus Skellam noise, in integers, as secure aggregation gives it: each vector has an L2
// norm of at most `levels` before it is rounded under RoundedVector's bound (discrete.h), the noise a standard
// deviation of noise_multiplier * levels.  Adjacency: one unit's vector replaced by zeros.
struct SkellamSum {
  double noise_multiplier = 0;  // z
  double levels = 1;            // whole numbers that the clip is worth
  std::int64_t dimension = 1;
  std::int64_t releases = 1;
  friend bool operator==(const SkellamSum&, const SkellamSum&) = default;
};

using Mechanism = std::variant<SampledGaussian, SkellamSum>;

// InvalidArgument unless sigma >= 0 and finite, 0 <= q <= 1, 0 <= steps <= 10^9.
Status CheckMechanism(const SampledGaussian& mechanism);
// InvalidArgument unless z > 0 and finite, 0 < levels <= 2^31, dimension >= 1, 0 <= releases <= 10^9.
Status CheckMechanism(const SkellamSum& mechanism);
// InvalidArgument unless 0 < delta < 1.
Status CheckDelta(double delta);

}  // namespace consilium::dp
