// Poisson and Skellam integers from cryptographic bits: the noise of distributed differential privacy, which is made in
// integers so that nothing of a float's last bits can tell a value through it (I. Mironov, "On significance of the
// least significant bits for differential privacy", CCS 2012).
//
// A Skellam integer is the difference of two Poisson ones; sums of Skellam integers are Skellam.  Means from 10 on:
// transformed rejection (W. Hoermann, "The transformed rejection method for generating Poisson random variables",
// Insurance: Mathematics and Economics 12, 1993, algorithm PTRS); below: inversion.  Probabilities are computed by C.
// Loader's deviance (2000), good to a few units of the last place at any mean, where differences of lgamma lose digits.
//
// Exact but for the 53 bits of a uniform draw: every likely integer has its probability to within a factor of 1 +-
// 2^-35 for means up to 2^34 (its share of the draws is a whole number of units of 2^-53, and at least 2^-18 near the
// mean).
#pragma once

#include <cstdint>
#include <span>

#include "privacy/dp/noise.h"

namespace consilium::dp {

// Immutable; thread-safe.
class PoissonSampler {
 public:
  // 1 <= mean <= 2^50, whole, so that large integers are taken from it without rounding.
  explicit PoissonSampler(std::int64_t mean);
  std::int64_t Draw(NoiseSource* source) const;
  std::int64_t mean() const { return mean_; }

 private:
  std::int64_t Invert(NoiseSource* source) const;

  std::int64_t mean_;
  double a_ = 0, b_ = 0, inverse_alpha_ = 0, squeeze_ = 0;
};

// ln P[k] of a Poisson distribution; k >= 0.
double PoissonLogProbability(std::int64_t k, double mean);

// words[i] += Skellam of variance 2 * poisson.mean(), modulo 2^32.
void AddSkellam(const PoissonSampler& poisson, NoiseSource* source, std::span<std::uint32_t> words);

}  // namespace consilium::dp
