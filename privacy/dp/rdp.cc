#include "privacy/dp/rdp.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace consilium::dp {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double LogAdd(double a, double b) {
  if (a == -kInfinity) return b;
  if (b == -kInfinity) return a;
  return std::max(a, b) + std::log1p(std::exp(-std::fabs(a - b)));
}

// log(e^a - e^b) for a >= b.
double LogSubtract(double a, double b) {
  if (b == -kInfinity) return a;
  if (!(a > b)) return -kInfinity;
  return a + std::log(-std::expm1(b - a));
}

// log erfc(x) without underflow: beyond x = 20 the asymptotic series to x^-8 is exact to 1e-11.
double LogErfc(double x) {
  if (x < 20) return std::log(std::erfc(x));
  const double y = 1 / (2 * x * x);
  return -x * x - std::log(x * std::sqrt(M_PI)) + std::log1p(-y + 3 * y * y - 15 * y * y * y + 105 * y * y * y * y);
}

double LogBinomial(double n, double k) { return std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1); }

// log E_Q[(P / Q)^a] for integer a: sum_i C(a, i) (1-q)^(a-i) q^i exp((i^2 - i) / (2 sigma^2)).
double LogMomentInteger(double q, double sigma, int order) {
  double log_sum = -kInfinity;
  for (int i = 0; i <= order; ++i)
    log_sum = LogAdd(log_sum, LogBinomial(order, i) + i * std::log(q) + (order - i) * std::log1p(-q) +
                                  (static_cast<double>(i) * i - i) / (2 * sigma * sigma));
  return log_sum;
}

// The same for fractional a, as two series split where the two densities are equal; the signs are those of binom(a, i),
// which alternate once i > a.
double LogMomentFractional(double q, double sigma, double order) {
  const double split = sigma * sigma * std::log(1 / q - 1) + 0.5;
  double positive = -kInfinity, negative = -kInfinity;  // log sums of the terms of each sign
  double coefficient = 1;                               // binom(a, i)
  for (int i = 0; i < 100000; ++i) {
    const double j = order - i, log_coefficient = std::log(std::fabs(coefficient));
    const double scale = std::sqrt(2.0) * sigma;
    const double left = log_coefficient + i * std::log(q) + j * std::log1p(-q) +
                        (static_cast<double>(i) * i - i) / (2 * sigma * sigma) + std::log(0.5) +
                        LogErfc((i - split) / scale);
    const double right = log_coefficient + j * std::log(q) + i * std::log1p(-q) + (j * j - j) / (2 * sigma * sigma) +
                         std::log(0.5) + LogErfc((split - j) / scale);
    double& sum = coefficient > 0 ? positive : negative;
    sum = LogAdd(LogAdd(sum, left), right);
    if (i > order && std::max(left, right) < -40) break;
    coefficient *= (order - i) / (i + 1);
  }
  return LogSubtract(positive, negative);
}

}  // namespace

Status CheckMechanism(const SampledGaussian& mechanism) {
  const auto& [sigma, q, steps] = mechanism;
  if (!(sigma >= 0) || std::isinf(sigma))
    return InvalidArgument("a noise multiplier of ", sigma, "; it must be finite and at least 0");
  if (!(q >= 0 && q <= 1)) return InvalidArgument("a sampling rate of ", q, "; it must be between 0 and 1");
  if (steps < 0 || steps > 1'000'000'000) return InvalidArgument(steps, " steps; there can be 0 to 10^9");
  return Status();
}

Status CheckDelta(double delta) {
  if (!(delta > 0 && delta < 1)) return InvalidArgument("delta is ", delta, "; it must be between 0 and 1, e.g. 1e-5");
  return Status();
}

double RdpOfOneStep(const SampledGaussian& mechanism, double order) {
  const double q = mechanism.sampling_rate, sigma = mechanism.noise_multiplier;
  CONSILIUM_CHECK(order > 1, "a Rényi order must be above 1");
  if (q == 0 || mechanism.steps == 0) return 0;
  if (sigma == 0) return kInfinity;
  if (q == 1) return order / (2 * sigma * sigma);
  const bool whole = order == std::floor(order) && order <= 4096;
  const double log_moment =
      whole ? LogMomentInteger(q, sigma, static_cast<int>(order)) : LogMomentFractional(q, sigma, order);
  return std::max(0.0, log_moment / (order - 1));  // rounding may take a tiny one below zero
}

std::vector<double> DefaultOrders() {
  std::vector<double> orders;
  for (int x = 1; x < 100; ++x) orders.push_back(1 + x / 10.0);
  for (int a = 12; a < 64; ++a) orders.push_back(a);
  orders.insert(orders.end(), {128, 256, 512});
  return orders;
}

RdpCurve::RdpCurve(std::vector<double> orders) : orders_(std::move(orders)), divergences_(orders_.size(), 0.0) {
  for (const double order : orders_) CONSILIUM_CHECK(order > 1, "a Rényi order must be above 1");
}

Status RdpCurve::Add(const SampledGaussian& mechanism) {
  RETURN_IF_ERROR(CheckMechanism(mechanism));
  for (std::size_t i = 0; i < orders_.size(); ++i) {
    const double one = RdpOfOneStep(mechanism, orders_[i]);
    if (mechanism.steps > 0) divergences_[i] += one * static_cast<double>(mechanism.steps);
  }
  return Status();
}

Status RdpCurve::Add(std::span<const double> divergences) {
  if (divergences.size() != orders_.size())
    return InvalidArgument(divergences.size(), " divergences for ", orders_.size(), " orders");
  for (const double divergence : divergences)
    if (!(divergence >= 0)) return InvalidArgument("a divergence of ", divergence, "; it must be at least 0");
  for (std::size_t i = 0; i < orders_.size(); ++i) divergences_[i] += divergences[i];
  return Status();
}

StatusOr<RdpEpsilon> EpsilonOf(const RdpCurve& curve, double delta) {
  RETURN_IF_ERROR(CheckDelta(delta));
  RdpEpsilon best = {.epsilon = kInfinity, .order = 0};
  for (std::size_t i = 0; i < curve.orders().size(); ++i) {
    const double order = curve.orders()[i], divergence = curve.divergences()[i];
    if (divergence == 0) return RdpEpsilon{0, 0};
    double epsilon = kInfinity;
    if (delta * delta + std::expm1(-divergence) > 0) {
      epsilon = 0;              // total variation <= sqrt(1 - e^-KL) <= delta (Bretagnolle-Huber; KL <= D_a)
    } else if (order > 1.01) {  // closer to 1 the conversion loses all its digits
      epsilon = divergence + std::log1p(-1 / order) - std::log(delta * order) / (order - 1);
    }
    if (epsilon < best.epsilon) best = {epsilon, order};
  }
  best.epsilon = std::max(best.epsilon, 0.0);
  return best;
}

double DeltaOf(const RdpCurve& curve, double epsilon) {
  double log_delta = 0;
  for (std::size_t i = 0; i < curve.orders().size(); ++i) {
    const double order = curve.orders()[i], divergence = curve.divergences()[i];
    if (divergence == 0) return 0;
    if (std::isinf(divergence)) continue;
    log_delta = std::min(log_delta, 0.5 * std::log(-std::expm1(-divergence)));
    if (order > 1.01)
      log_delta = std::min(log_delta, (order - 1) * (divergence - epsilon + std::log1p(-1 / order)) - std::log(order));
  }
  return std::exp(log_delta);
}

}  // namespace consilium::dp
