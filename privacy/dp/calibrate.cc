#include "privacy/dp/calibrate.h"

#include <cmath>

#include "privacy/dp/pld.h"
#include "privacy/dp/rdp.h"

namespace consilium::dp {
namespace {

StatusOr<double> EpsilonWith(const SampledGaussian& mechanism, double delta, Accountant accountant, double gap) {
  if (accountant == Accountant::kPld) {
    ASSIGN_OR_RETURN(const EpsilonBounds bounds, PldEpsilon({&mechanism, 1}, delta, {.gap = gap}));
    return bounds.upper;
  }
  RdpCurve curve;
  RETURN_IF_ERROR(curve.Add(mechanism));
  ASSIGN_OR_RETURN(const RdpEpsilon result, EpsilonOf(curve, delta));
  return result.epsilon;
}

}  // namespace

StatusOr<double> NoiseFor(double epsilon, double delta, double sampling_rate, std::int64_t steps,
                          Accountant accountant) {
  RETURN_IF_ERROR(CheckDelta(delta));
  if (!(epsilon > 0) || std::isinf(epsilon)) return InvalidArgument("epsilon is ", epsilon, "; it must be above 0");
  if (!(sampling_rate > 0)) return InvalidArgument("a sampling rate of ", sampling_rate, "; it must be above 0");
  if (steps < 1) return InvalidArgument(steps, " steps; there must be at least one");
  SampledGaussian mechanism = {.noise_multiplier = 1, .sampling_rate = sampling_rate, .steps = steps};
  RETURN_IF_ERROR(CheckMechanism(mechanism));
  // RDP finds the neighbourhood: it is quick at any noise, and never below the other one.
  double low = 0, high = 0.5;
  for (;; low = high, high *= 2) {
    if (high > 1e4) return InvalidArgument("no noise up to 10^4 is enough for epsilon ", epsilon, ", delta ", delta);
    mechanism.noise_multiplier = high;
    ASSIGN_OR_RETURN(const double reached, EpsilonWith(mechanism, delta, Accountant::kRdp, 0));
    if (reached <= epsilon) break;
  }
  if (accountant == Accountant::kPld) low /= 2;  // the other accountant may be content with less
  constexpr double kGap = 0.1;  // only the upper bound counts here, and that one is tight on a coarse grid too
  while (high - low > 1e-3 * high) {
    mechanism.noise_multiplier = 0.5 * (low + high);
    const StatusOr<double> reached = EpsilonWith(mechanism, delta, accountant, kGap);
    // Too little noise makes the grid too large before it makes epsilon small enough.
    if (!reached.ok() && reached.code() != StatusCode::kResourceExhausted) return reached.status();
    (reached.ok() && *reached <= epsilon ? high : low) = mechanism.noise_multiplier;
  }
  return high;
}

}  // namespace consilium::dp
