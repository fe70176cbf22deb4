#include "privacy/dp/fft.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "comm/base/rng.h"

namespace consilium::dp {
namespace {

std::vector<std::complex<double>> Noise(std::size_t size) {
  Rng rng(7);
  std::vector<std::complex<double>> values(size);
  for (auto& value : values) value = {rng.Uniform(), rng.Uniform()};
  return values;
}

TEST(Fft, IsTheSumThatDefinesIt) {
  for (const std::size_t n : {1u, 2u, 8u, 64u}) {
    const std::vector<std::complex<double>> x = Noise(n);
    std::vector<std::complex<double>> fast = x;
    Fft(fast, Direction::kForward);
    for (std::size_t k = 0; k < n; ++k) {
      std::complex<double> slow = 0;
      for (std::size_t i = 0; i < n; ++i)
        slow += x[i] * std::polar(1.0, -2 * M_PI * static_cast<double>(i * k % n) / static_cast<double>(n));
      EXPECT_LT(std::abs(fast[k] - slow), 1e-12 * static_cast<double>(n)) << n << " " << k;
    }
  }
}

TEST(Fft, InverseUndoesForward) {
  const std::vector<std::complex<double>> x = Noise(1 << 14);
  std::vector<std::complex<double>> y = x;
  Fft(y, Direction::kForward);
  Fft(y, Direction::kInverse);
  for (std::size_t i = 0; i < x.size(); ++i) ASSERT_LT(std::abs(x[i] - y[i]), 1e-14);
}

}  // namespace
}  // namespace consilium::dp
