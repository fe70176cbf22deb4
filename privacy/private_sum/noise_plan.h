// How much noise each site puts into a secure sum, so that the sum is differentially private for every site: all of it
// follows from the job and from the session's terms, and every site computes it for itself.
//
// Everything is counted in units of the clip: an update is scaled so that its clip is worth so many whole numbers
// ("levels"), and the noise is a whole number of them too.  What a clip is worth in weights is not part of the promise,
// so the coordinator may say it.
//
// P. Kairouz, Z. Liu, T. Steinke, "The distributed discrete Gaussian mechanism", ICML 2021 (rounding); N. Agarwal, P.
// Kairouz, Z. Liu, "The Skellam mechanism", NeurIPS 2021; G. Andrew et al., "Differentially private learning with
// adaptive clipping", NeurIPS 2021 (the bit).
#pragma once

#include <cstdint>

#include "comm/wire/job.h"
#include "privacy/dp/mechanism.h"
#include "privacy/secagg/terms.h"

namespace consilium::private_sum {

// What all sites' noise together has for a standard deviation, in whole numbers, when only those are honest of whom it
// is certain.  Large enough that rounding costs nothing, small enough that no sum leaves the ring of 2^32 (README.md).
inline constexpr double kDeviation = 0x1p17;
// A sum beyond its largest value and so many deviations is none of ours: one in 10^55.
inline constexpr double kTail = 16;

// Of the whole job.
struct SiteTerms {
  wire::SitePrivacySpec spec;
  std::int64_t rounds = 1;
  std::uint64_t elements = 0;  // of an update
};

// The noise multiplier z: the job's own, or the least, to 0.1 %, with which all rounds stay within (epsilon, delta), as
// Rényi's accountant counts Skellam noise.  Errors: InvalidArgument when no noise is enough.
StatusOr<double> NoiseMultiplierFor(const SiteTerms& terms);
// What one round's sum costs.
dp::SkellamSum MechanismFor(const SiteTerms& terms, double noise_multiplier);
// What so many rounds' sums have spent at the job's delta.
StatusOr<double> EpsilonAfter(const SiteTerms& terms, double noise_multiplier, std::int64_t rounds);

// One session's.
struct NoisePlan {
  double noise_multiplier = 0;    // z
  double levels = 0;              // whole numbers that the joint clip of update and bit is worth
  double bit_share = 0;           // r: what of the joint clip is the bit's, at most 1/2; 0: the clip is not adaptive
  std::uint64_t elements = 0;     // of an update
  std::size_t sites = 0;          // of the cohort
  std::size_t honest_min = 0;     // survivors whose noise nobody else knows, at the least
  std::int64_t poisson_mean = 0;  // a site's noise at each coordinate is the difference of two such Poissons

  // The update's values, then the bit where there is one.
  std::uint64_t coordinates() const { return elements + (bit_share > 0 ? 1 : 0); }
  // That an update's clip is worth.
  double update_levels() const;
  // The L2 norm that a rounded vector must not exceed.
  double NormBound() const;
  // |coordinate| of a sum of so many vectors, at most, but for kTail.
  double SumBound(std::size_t survivors) const;
  dp::SkellamSum mechanism() const;
  // The noise's standard deviation, in units of the update's clip, in a sum of so many vectors.
  double DeviationOf(std::size_t survivors) const;
  // Noise in the sum by its expected norm, against the largest norm that the signal can have when all agree.
  double NoiseToSignal() const;
  Digest digest() const;  // SessionTerms::privacy
};

// `session`: cohort, min_cohort and corrupt are used.  Errors: InvalidArgument: those of NoiseMultiplierFor and of
// secagg::ShapeOf; a sum that could leave the ring.
StatusOr<NoisePlan> PlanFor(const SiteTerms& terms, const secagg::SessionTerms& session);
// The same, and writes what follows from the plan into the session's terms: their dimension and `privacy`.
StatusOr<NoisePlan> CompleteTerms(const SiteTerms& terms, secagg::SessionTerms* session);
// As PlanFor for a cohort of so many sites, before anybody has met.
StatusOr<NoisePlan> PlanForSites(const SiteTerms& terms, std::size_t sites, std::size_t min_cohort);

// For people, before a job begins.  Errors: InvalidArgument when there is more than ten times as much noise as there
// can be signal and the job does not accept that, or too much for so few sites to say which share of them is below the
// clip.
Status CheckUse(const NoisePlan& plan, const wire::SitePrivacySpec& spec);

}  // namespace consilium::private_sum
