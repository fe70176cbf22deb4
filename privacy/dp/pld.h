// Epsilon by composing privacy-loss distributions numerically, with a certified bound on either side.
//
// The loss ln(P/Q) of one release is put on a grid so that every cell keeps its mass under P and under Q ("connect the
// dots": V. Doroshenko et al., PoPETs 2022), which never lowers delta; releases are composed by FFT (A. Koskela, J.
// Jälkö, A. Honkela, AISTATS 2020).  The lower bound follows from the same distribution: rounding is a martingale with
// steps of at most one cell (S. Gopi, Y. T. Lee, L. Wutschitz, NeurIPS 2021, section 4, Hoeffding).  Both directions,
// adding and removing a unit, are computed and the worse one is taken: they differ under sampling.
#pragma once

#include <span>

#include "privacy/dp/mechanism.h"

namespace consilium::dp {

struct PldOptions {
  // Aimed at: upper - lower.  A finer grid costs time and memory and moves `lower`; `upper` is within some 1e-4 of the
  // truth at any gap up to 0.1.
  double gap = 0.02;
};

struct EpsilonBounds {
  double lower = 0, upper = 0;  // the truth is between them; infinite when a mechanism has no noise
};

// Of all mechanisms together.  Time and memory: up to some seconds and 1 GB for the hardest (10^5 steps, little noise);
// typical ones 0.1 s.  Errors: those of CheckMechanism and CheckDelta; ResourceExhausted when the grid would be
// larger than 2^25 cells.
StatusOr<EpsilonBounds> PldEpsilon(std::span<const SampledGaussian> mechanisms, double delta,
                                   const PldOptions& options = {});

}  // namespace consilium::dp
