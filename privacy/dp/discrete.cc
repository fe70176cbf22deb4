#include "privacy/dp/discrete.h"

#include <algorithm>
#include <cmath>

#include "privacy/dp/rdp.h"

namespace consilium::dp {
namespace {

Status Check(const RoundedVector& vector, double deviation) {
  if (!(vector.clip > 0 && vector.scale > 0 && vector.dimension > 0 && deviation > 0) || std::isinf(deviation))
    return InvalidArgument("clip ", vector.clip, ", scale ", vector.scale, ", dimension ", vector.dimension,
                           ", deviation ", deviation, "; all must be above 0");
  if (!(vector.beta > 0 && vector.beta < 1)) return InvalidArgument("beta is ", vector.beta, "; it must be in (0, 1)");
  return Status();
}

Status CheckIntegers(std::span<const double> orders) {
  for (const double order : orders)
    if (!(order >= 2) || order != std::floor(order))
      return InvalidArgument("order ", order, "; this bound holds at integers from 2");
  return Status();
}

// The largest L1 norm of an integer vector of this L2 norm: sqrt(d) L2, and |v| <= v^2 makes it at most L2^2.
double L1Of(double l2, double dimension) { return l2 * std::min(std::sqrt(dimension), l2); }

}  // namespace

double RoundedVector::NormBound() const {
  const double s = scale * clip, root = std::sqrt(static_cast<double>(dimension));
  const double always = s + root;
  const double likely = std::sqrt(s * s + root * root / 4 + std::sqrt(2 * std::log(1 / beta)) * (s + root / 2));
  return std::min(always, likely);
}

StatusOr<std::vector<double>> SkellamCurve(const RoundedVector& vector, double deviation,
                                           std::span<const double> orders) {
  RETURN_IF_ERROR(Check(vector, deviation));
  RETURN_IF_ERROR(CheckIntegers(orders));
  const double s = vector.scale, bound = vector.NormBound(), variance = deviation * deviation;
  const double l2 = bound / s, l1 = L1Of(bound, static_cast<double>(vector.dimension)) / s;
  std::vector<double> curve;
  for (const double a : orders) {
    const double third = ((2 * a - 1) * s * l2 * l2 + 6 * l1) / (4 * s * s * s * variance * variance);
    curve.push_back(a * l2 * l2 / (2 * variance) + std::min(third, 3 * l1 / (2 * s * variance)));
  }
  return curve;
}

Status CheckMechanism(const SkellamSum& sum) {
  if (!(sum.noise_multiplier > 0) || std::isinf(sum.noise_multiplier))
    return InvalidArgument("a noise multiplier of ", sum.noise_multiplier, "; it must be above 0 and finite");
  if (!(sum.levels > 0 && sum.levels <= 0x1p31))
    return InvalidArgument(sum.levels, " levels; there must be more than 0 and at most 2^31");
  if (sum.dimension < 1) return InvalidArgument("a vector of ", sum.dimension, " coordinates");
  if (sum.releases < 0 || sum.releases > 1'000'000'000)
    return InvalidArgument(sum.releases, " releases; there must be 0 to 10^9");
  return Status();
}

std::vector<double> WholeOrders() {
  std::vector<double> orders;
  for (int a = 2; a <= 512; ++a) orders.push_back(a);
  for (const int a : {640, 768, 1024, 1536, 2048, 4096, 8192}) orders.push_back(a);
  return orders;
}

StatusOr<std::vector<double>> SkellamSumCurve(const SkellamSum& sum, std::span<const double> orders) {
  RETURN_IF_ERROR(CheckMechanism(sum));
  // In units of the clip.
  ASSIGN_OR_RETURN(std::vector<double> curve, SkellamCurve({.clip = 1, .scale = sum.levels, .dimension = sum.dimension},
                                                           sum.noise_multiplier, orders));
  for (double& divergence : curve) divergence *= static_cast<double>(sum.releases);
  return curve;
}

StatusOr<double> SkellamSumEpsilon(const SkellamSum& sum, double delta) {
  RdpCurve curve(WholeOrders());
  ASSIGN_OR_RETURN(const std::vector<double> divergences, SkellamSumCurve(sum, curve.orders()));
  RETURN_IF_ERROR(curve.Add(divergences));
  ASSIGN_OR_RETURN(const RdpEpsilon result, EpsilonOf(curve, delta));
  return result.epsilon;
}

StatusOr<std::vector<double>> DistributedGaussianCurve(const RoundedVector& vector, double deviation,
                                                       std::int64_t sites, std::span<const double> orders) {
  RETURN_IF_ERROR(Check(vector, deviation));
  if (sites < 1) return InvalidArgument(sites, " sites; there must be at least one");
  const double s = vector.scale, bound = vector.NormBound(), d = static_cast<double>(vector.dimension);
  const double l2 = bound / s / deviation, l1 = L1Of(bound, d) / s / deviation;
  const double local = s * deviation / std::sqrt(static_cast<double>(sites));  // of one site, in integer units
  double tau = 0;
  for (std::int64_t k = 1; k < sites; ++k)
    tau += 10 * std::exp(-2 * M_PI * M_PI * local * local * static_cast<double>(k) / static_cast<double>(k + 1));
  std::vector<double> curve;
  for (const double a : orders) {
    if (!(a > 1)) return InvalidArgument("order ", a, "; it must be above 1");
    const double one = a * l2 * l2 / 2 + tau * d;
    const double two = a / 2 * (l2 * l2 + 2 * l1 * tau + tau * tau * d);
    const double three = a / 2 * (l2 + std::sqrt(d) * tau) * (l2 + std::sqrt(d) * tau);
    curve.push_back(std::min({one, two, three}));
  }
  return curve;
}

StatusOr<std::vector<double>> TreeCurve(double noise_multiplier, std::int64_t steps, std::span<const double> orders) {
  if (!(noise_multiplier > 0))
    return InvalidArgument("a noise multiplier of ", noise_multiplier, "; it must be above 0");
  if (steps < 1) return InvalidArgument(steps, " steps; there must be at least one");
  std::int64_t depth = 1;
  while (steps >> depth != 0) ++depth;
  std::vector<double> curve;
  for (const double a : orders) {
    if (!(a > 1)) return InvalidArgument("order ", a, "; it must be above 1");
    curve.push_back(a * static_cast<double>(depth) / (2 * noise_multiplier * noise_multiplier));
  }
  return curve;
}

}  // namespace consilium::dp
