// Gaussian mechanisms without sampling, exactly: T releases with noise multiplier z are one with mu = sqrt(T) / z.
//
// B. Balle, Y.-X. Wang, "Improving the Gaussian mechanism for differential privacy", ICML 2018, theorem 8; J. Dong, A.
// Roth, W. Su, "Gaussian differential privacy", JRSS B 2022, corollary 2.13.
#pragma once

#include "privacy/dp/mechanism.h"

namespace consilium::dp {

// mu >= 0: distance of the two means in standard deviations.  delta(eps) = Phi(mu/2 - eps/mu) - e^eps Phi(-mu/2 -
// eps/mu).
double GaussianDelta(double mu, double epsilon);
// The smallest epsilon >= 0.  Errors: those of CheckDelta; InvalidArgument for a negative or infinite mu.
StatusOr<double> GaussianEpsilon(double mu, double delta);
// The noise multiplier for which `releases` stay within (epsilon, delta).  Errors: InvalidArgument.
StatusOr<double> GaussianNoise(double epsilon, double delta, std::int64_t releases);

}  // namespace consilium::dp
