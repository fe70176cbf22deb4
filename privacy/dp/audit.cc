#include "privacy/dp/audit.h"

#include <algorithm>
#include <cmath>

namespace consilium::dp {
namespace {

constexpr double kEpsilonMax = 50;

// ln P[Binomial(n, q) = k] for q = 1 / (1 + e^-epsilon).
class LogBinomial {
 public:
  LogBinomial(std::int64_t n, double epsilon)
      : n_(static_cast<double>(n)), log_q_(-std::log1p(std::exp(-epsilon))), log_rest_(log_q_ - epsilon) {}
  double operator()(std::int64_t k) const {
    const auto hits = static_cast<double>(k);
    return std::lgamma(n_ + 1) - std::lgamma(hits + 1) - std::lgamma(n_ - hits + 1) + hits * log_q_ +
           (n_ - hits) * log_rest_;
  }

 private:
  double n_, log_q_, log_rest_;
};

}  // namespace

double AuditPValue(std::int64_t canaries, std::int64_t guesses, std::int64_t right, double epsilon, double delta) {
  const LogBinomial log_probability(guesses, epsilon);
  double beta = 0;  // P[Binomial >= right], smallest terms first
  for (std::int64_t k = guesses; k >= right; --k) beta += std::exp(log_probability(k));
  // alpha = max over i of P[right > Binomial >= right - i] / i; no later i can win once 1 / i is below it.
  double alpha = 0, sum = 0;
  for (std::int64_t i = 1; i <= right && 1 / static_cast<double>(i) > alpha; ++i) {
    sum += std::exp(log_probability(right - i));
    alpha = std::max(alpha, sum / static_cast<double>(i));
  }
  return std::min(1.0, beta + 2 * static_cast<double>(canaries) * delta * alpha);
}

StatusOr<AuditResult> AuditOneRun(std::vector<CanaryScore> canaries, const AuditOptions& options) {
  const auto count = static_cast<std::int64_t>(canaries.size());
  if (!(options.delta > 0 && options.delta < 1)) return InvalidArgument("delta ", options.delta, " is not in (0, 1)");
  if (!(options.confidence > 0 && options.confidence < 1))
    return InvalidArgument("a confidence of ", options.confidence, " is not in (0, 1)");
  if (options.guesses < 2 || options.guesses > count)
    return InvalidArgument(options.guesses, " guesses of ", count, " canaries; expected 2 to ", count);
  for (const CanaryScore& canary : canaries)
    if (std::isnan(canary.score)) return InvalidArgument("a canary's score is not a number");
  std::ranges::stable_sort(canaries, {}, &CanaryScore::score);
  AuditResult result = {.canaries = count, .guesses = options.guesses / 2 * 2};
  for (std::int64_t i = 0; i < options.guesses / 2; ++i) {
    result.right += canaries[static_cast<std::size_t>(i)].included ? 0 : 1;
    result.right += canaries[static_cast<std::size_t>(count - 1 - i)].included ? 1 : 0;
  }
  const auto refuted = [&](double epsilon) {
    return AuditPValue(count, result.guesses, result.right, epsilon, options.delta) < 1 - options.confidence;
  };
  if (!refuted(0)) return result;
  double high = kEpsilonMax;
  for (int i = 0; i < 40; ++i) {
    const double middle = 0.5 * (result.epsilon + high);
    (refuted(middle) ? result.epsilon : high) = middle;
  }
  return result;
}

}  // namespace consilium::dp
