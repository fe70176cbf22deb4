#include "privacy/dp/fft.h"

#include <bit>
#include <cmath>
#include <vector>

#include "comm/base/status.h"

namespace consilium::dp {

void Fft(std::span<std::complex<double>> values, Direction direction) {
  const std::size_t n = values.size();
  CONSILIUM_CHECK(std::has_single_bit(n), "an FFT of a length that is no power of two");
  for (std::size_t i = 1, j = 0; i < n; ++i) {  // bit reversal
    std::size_t bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) std::swap(values[i], values[j]);
  }
  // Every twiddle by its own sine: repeated multiplication would lose digits.
  const double sign = direction == Direction::kForward ? -1 : 1;
  std::vector<std::complex<double>> twiddles(n / 2);
  for (std::size_t k = 0; k < n / 2; ++k)
    twiddles[k] = std::polar(1.0, sign * 2 * M_PI * static_cast<double>(k) / static_cast<double>(n));
  for (std::size_t half = 1; half < n; half *= 2) {
    const std::size_t stride = n / (2 * half);
    for (std::size_t block = 0; block < n; block += 2 * half) {
      for (std::size_t k = 0; k < half; ++k) {
        const std::complex<double> a = values[block + k], b = values[block + half + k], w = twiddles[k * stride];
        // By hand: std::complex multiplication checks for NaN in the loop.
        const std::complex<double> t(b.real() * w.real() - b.imag() * w.imag(),
                                     b.real() * w.imag() + b.imag() * w.real());
        values[block + k] = a + t;
        values[block + half + k] = a - t;
      }
    }
  }
  if (direction == Direction::kInverse)
    for (std::complex<double>& value : values) value /= static_cast<double>(n);
}

}  // namespace consilium::dp
