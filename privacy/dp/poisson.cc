#include "privacy/dp/poisson.h"

#include <cmath>
#include <numbers>

namespace consilium::dp {
namespace {

constexpr std::int64_t kInvertBelow = 10;
constexpr std::int64_t kMeanMax = std::int64_t{1} << 50;

// ln k! - (ln sqrt(2 pi k) + k ln k - k), k >= 1.
double StirlingError(std::int64_t k) {
  const auto n = static_cast<double>(k);
  if (k <= 15) {
    double factorial = 1;  // 15! is exact
    for (std::int64_t i = 2; i <= k; ++i) factorial *= static_cast<double>(i);
    return std::log(factorial) - (0.5 * std::log(2 * std::numbers::pi * n) + n * std::log(n) - n);
  }
  const double square = n * n;
  return (1.0 / 12 - (1.0 / 360 - (1.0 / 1260 - (1.0 / 1680 - 1.0 / 1188 / square) / square) / square) / square) / n;
}

// x ln(x / mean) + mean - x without cancellation; x > 0.
double Deviance(double x, double mean) {
  if (std::abs(x - mean) >= 0.1 * (x + mean)) return x * std::log(x / mean) + mean - x;
  const double v = (x - mean) / (x + mean), square = v * v;
  double sum = (x - mean) * v, term = 2 * x * v;
  for (int j = 1;; ++j) {
    term *= square;
    const double next = sum + term / (2 * j + 1);
    if (next == sum) return sum;
    sum = next;
  }
}

}  // namespace

double PoissonLogProbability(std::int64_t k, double mean) {
  if (k == 0) return -mean;
  const auto x = static_cast<double>(k);
  return -StirlingError(k) - Deviance(x, mean) - 0.5 * std::log(2 * std::numbers::pi * x);
}

PoissonSampler::PoissonSampler(std::int64_t mean) : mean_(mean) {
  CONSILIUM_CHECK(mean >= 1 && mean <= kMeanMax, "a Poisson mean of ", mean);
  if (mean < kInvertBelow) return;
  b_ = 0.931 + 2.53 * std::sqrt(static_cast<double>(mean));
  a_ = -0.059 + 0.02483 * b_;
  inverse_alpha_ = 1.1239 + 1.1328 / (b_ - 3.4);
  squeeze_ = 0.9277 - 3.6224 / (b_ - 2);
}

std::int64_t PoissonSampler::Invert(NoiseSource* source) const {
  constexpr std::int64_t kMost = 200;  // P[k > 200] < 10^-170 for means below 10
  double left = source->Uniform(), probability = std::exp(-static_cast<double>(mean_));
  std::int64_t k = 0;
  for (; left >= probability && k < kMost; ++k) {
    left -= probability;
    probability *= static_cast<double>(mean_) / static_cast<double>(k + 1);
  }
  return k;
}

std::int64_t PoissonSampler::Draw(NoiseSource* source) const {
  if (mean_ < kInvertBelow) return Invert(source);
  for (;;) {
    const double u = source->Uniform() - 0.5, v = 1 - source->Uniform();  // v in (0, 1]
    const double edge = 0.5 - std::abs(u);
    // Beside the mean, which is whole: the integers' borders are then where they belong, however large the mean is.
    const double beside = std::floor((2 * a_ / edge + b_) * u + 0.43);
    if (!(std::abs(beside) < static_cast<double>(kMeanMax))) continue;  // beyond anything that would be accepted
    const std::int64_t k = mean_ + static_cast<std::int64_t>(beside);
    if (edge >= 0.07 && v <= squeeze_) return k;
    if (k < 0 || (edge < 0.013 && v > edge)) continue;
    if (std::log(v * inverse_alpha_ / (a_ / (edge * edge) + b_)) <=
        PoissonLogProbability(k, static_cast<double>(mean_)))
      return k;
  }
}

void AddSkellam(const PoissonSampler& poisson, NoiseSource* source, std::span<std::uint32_t> words) {
  for (std::uint32_t& word : words) {
    const std::int64_t plus = poisson.Draw(source), minus = poisson.Draw(source);
    word += static_cast<std::uint32_t>(plus - minus);
  }
}

}  // namespace consilium::dp
