// The randomness of a private release: cryptographic, and a function of a secret and of what it is for, so that work
// done again after a crash draws the same sample and adds the same noise.  (Fresh noise on the same data would be a
// second release that nobody paid for.)
//
// Gaussians are sums of four Box-Muller draws, halved: their lowest bits do not tell the value before the noise.
// N. Holohan, S. Braghin, "Secure random sampling in differential privacy", ESORICS 2021, section 5.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "privacy/crypto/key_stream.h"

namespace consilium::dp {

// Strand-bound.
class NoiseSource {
 public:
  // `secret`: at least 16 bytes that only this site knows.  `purpose`: names one release and what is drawn for it
  // ("trial/round 3.0/noise"); two purposes give independent streams.
  NoiseSource(const SecretBytes& secret, std::string_view purpose);

  double Uniform();   // in [0, 1), 53 random bits
  double Gaussian();  // mean 0, variance 1
  // values[i] += deviation * Gaussian().
  void AddGaussian(double deviation, std::span<float> values);

 private:
  double OpenUniform();  // in (0, 1]
  void Refill();

  crypto::KeyStream stream_;
  std::vector<std::uint8_t> buffer_;
  std::size_t at_;
};

// Each of `units` units with probability `rate`, independently; ascending.  An empty sample is legal.
std::vector<std::int64_t> PoissonSample(std::int64_t units, double rate, NoiseSource* source);

}  // namespace consilium::dp
