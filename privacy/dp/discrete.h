// Rényi curves of noise that is made in pieces by the sites and summed inside secure aggregation, in integers, and of
// the binary tree.
//
// N. Agarwal, P. Kairouz, Z. Liu, "The Skellam mechanism for differentially private federated learning", NeurIPS 2021,
// theorem 3.5; P. Kairouz, Z. Liu, T. Steinke, "The distributed discrete Gaussian mechanism", ICML 2021, proposition 14
// and the bound on rounded norms (equation 5); P. Kairouz et al., "Practical and private (deep) learning without
// sampling or shuffling", ICML 2021.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "comm/base/status.h"
#include "privacy/dp/mechanism.h"

namespace consilium::dp {

// A vector of `dimension` values with L2 norm at most `clip`, scaled by `scale` and rounded to integers.
struct RoundedVector {
  double clip = 1;
  double scale = 1;
  std::int64_t dimension = 1;
  double beta = 0.6065306597126334;  // e^-1/2: how unlikely a rounding may be that is drawn again
  // The L2 norm, in integer units, that conditional rounding guarantees.
  double NormBound() const;
};

// One release of the sum plus Skellam noise of central standard deviation `deviation` (in units before scaling); each
// order is an integer >= 2.  Errors: InvalidArgument.
StatusOr<std::vector<double>> SkellamCurve(const RoundedVector& vector, double deviation,
                                           std::span<const double> orders);
// The orders at which sums of integers are counted: 2 to 512, and some beyond for small epsilons.
std::vector<double> WholeOrders();
// Of all its releases.  Errors: those of CheckMechanism and SkellamCurve.
StatusOr<std::vector<double>> SkellamSumCurve(const SkellamSum& sum, std::span<const double> orders);
// Rényi's, at WholeOrders().  Errors: as above; those of CheckDelta.
StatusOr<double> SkellamSumEpsilon(const SkellamSum& sum, double delta);
// The same with the discrete Gaussians of `sites` sites, each of deviation / sqrt(sites).
StatusOr<std::vector<double>> DistributedGaussianCurve(const RoundedVector& vector, double deviation,
                                                       std::int64_t sites, std::span<const double> orders);

// A binary tree over `steps` releases to which a unit contributes once, noise multiplier z at each node: a depth / (2
// z^2) with depth = floor(log2 steps) + 1.  No assumption on sampling.  Errors: InvalidArgument.
StatusOr<std::vector<double>> TreeCurve(double noise_multiplier, std::int64_t steps, std::span<const double> orders);

}  // namespace consilium::dp
