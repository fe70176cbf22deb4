// The discrete Fourier transform of a power-of-two length, in place.  Errors grow as eps sqrt(log2 n): about 1e-15
// relative to the largest value for the sizes that privacy-loss distributions have.
#pragma once

#include <complex>
#include <span>

namespace consilium::dp {

enum class Direction { kForward, kInverse };
// X_k = sum_n x_n e^(-2 pi i k n / N); kInverse undoes it (with the factor 1 / N).  values.size() is a power of two.
void Fft(std::span<std::complex<double>> values, Direction direction);

}  // namespace consilium::dp
