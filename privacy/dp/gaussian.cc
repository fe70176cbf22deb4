#include "privacy/dp/gaussian.h"

#include <algorithm>
#include <cmath>

namespace consilium::dp {
namespace {

double NormalCdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

// e^eps Phi(x) for x < 0 without overflow times underflow.
double ScaledTail(double epsilon, double x) {
  if (epsilon < 500) return std::exp(epsilon) * NormalCdf(x);
  const double log_tail = -0.5 * x * x - std::log(-x * std::sqrt(2 * M_PI)) + std::log1p(-1 / (x * x));
  return std::exp(epsilon + log_tail);
}

}  // namespace

double GaussianDelta(double mu, double epsilon) {
  if (mu == 0) return 0;
  const double delta = NormalCdf(mu / 2 - epsilon / mu) - ScaledTail(epsilon, -mu / 2 - epsilon / mu);
  return std::clamp(delta, 0.0, 1.0);
}

StatusOr<double> GaussianEpsilon(double mu, double delta) {
  RETURN_IF_ERROR(CheckDelta(delta));
  if (!(mu >= 0) || std::isinf(mu)) return InvalidArgument("mu is ", mu, "; it must be finite and at least 0");
  if (GaussianDelta(mu, 0) <= delta) return 0.0;
  double low = 0, high = 1;
  while (GaussianDelta(mu, high) > delta) low = high, high *= 2;
  for (int i = 0; i < 200 && high - low > 1e-13 * high; ++i) {
    const double middle = 0.5 * (low + high);
    (GaussianDelta(mu, middle) > delta ? low : high) = middle;
  }
  return high;
}

StatusOr<double> GaussianNoise(double epsilon, double delta, std::int64_t releases) {
  RETURN_IF_ERROR(CheckDelta(delta));
  if (!(epsilon > 0) || std::isinf(epsilon)) return InvalidArgument("epsilon is ", epsilon, "; it must be above 0");
  if (releases < 1) return InvalidArgument(releases, " releases; there must be at least one");
  double low = 0, high = 1;  // in mu
  while (GaussianDelta(high, epsilon) <= delta && high < 1e8) low = high, high *= 2;
  for (int i = 0; i < 200 && high - low > 1e-14 * high; ++i) {
    const double middle = 0.5 * (low + high);
    (GaussianDelta(middle, epsilon) <= delta ? low : high) = middle;
  }
  if (low == 0) return InvalidArgument("no noise is enough for epsilon ", epsilon, ", delta ", delta);
  return std::sqrt(static_cast<double>(releases)) / low;
}

}  // namespace consilium::dp
