// Rényi differential privacy: D_a(P || Q) adds up over releases, and gives (epsilon, delta) for every order a > 1.
//
// I. Mironov, "Rényi differential privacy", CSF 2017; I. Mironov, K. Talwar, L. Zhang, "Rényi differential privacy of
// the sampled Gaussian mechanism", arXiv:1908.10530 (section 3.3 for fractional orders); conversion: C. Canonne, G.
// Kamath, T. Steinke, "The discrete Gaussian for differential privacy", NeurIPS 2020, proposition 12.
#pragma once

#include <span>
#include <vector>

#include "privacy/dp/mechanism.h"

namespace consilium::dp {

// The Rényi divergence of one release at order a > 1, in nats; infinite without noise.
double RdpOfOneStep(const SampledGaussian& mechanism, double order);

// 1.1, 1.2, ..., 10.9, then 12, 13, ..., 63, then 128, 256, 512: what others use, so that numbers compare.
std::vector<double> DefaultOrders();

// A curve order -> divergence, of everything released so far.  Value semantics.
class RdpCurve {
 public:
  explicit RdpCurve(std::vector<double> orders = DefaultOrders());
  // Errors: those of CheckMechanism.
  Status Add(const SampledGaussian& mechanism);
  // A mechanism given by its own curve, one value an order: Skellam, trees.  InvalidArgument for another number of
  // values or a negative one.
  Status Add(std::span<const double> divergences);

  std::span<const double> orders() const { return orders_; }
  std::span<const double> divergences() const { return divergences_; }

 private:
  std::vector<double> orders_, divergences_;
};

struct RdpEpsilon {
  double epsilon = 0;  // infinite when no order gives a finite one
  double order = 0;    // the one that gave it; 0 when nothing was released
};
// Errors: those of CheckDelta.
StatusOr<RdpEpsilon> EpsilonOf(const RdpCurve& curve, double delta);
// The smallest delta for this epsilon (>= 0), at most 1.
double DeltaOf(const RdpCurve& curve, double epsilon);

}  // namespace consilium::dp
