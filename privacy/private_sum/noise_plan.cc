#include "privacy/private_sum/noise_plan.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "privacy/dp/discrete.h"
#include "privacy/dp/poisson.h"
#include "privacy/secagg/neighbours.h"
#include "privacy/secagg/thresholds.h"

namespace consilium::private_sum {
namespace {

constexpr double kNoiseMax = 1e4;
constexpr double kNoiseToSignalMax = 10;
constexpr int kBits = 12;  // of a noise multiplier: so few that two machines' last digits make no difference

// The next multiplier of kBits bits.
double RoundedUp(double multiplier) {
  int exponent = 0;
  const double mantissa = std::frexp(multiplier, &exponent);
  return std::ldexp(std::ceil(std::ldexp(mantissa, kBits)), exponent - kBits);
}

std::string Short(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", value);
  return text;
}

dp::RoundedVector RoundedOf(double levels, std::uint64_t coordinates) {
  return {.clip = 1, .scale = levels, .dimension = static_cast<std::int64_t>(coordinates)};
}

std::uint64_t CoordinatesOf(const SiteTerms& terms) { return terms.elements + (terms.spec.adaptive_clip ? 1 : 0); }

StatusOr<NoisePlan> Plan(const SiteTerms& terms, std::size_t sites, std::size_t honest_min) {
  ASSIGN_OR_RETURN(const double z, NoiseMultiplierFor(terms));
  NoisePlan plan{.noise_multiplier = z,
                 .levels = kDeviation / z,
                 .elements = terms.elements,
                 .sites = sites,
                 .honest_min = honest_min};
  // The noise of the sites' bits then has a deviation of max(n / 20, z).
  if (terms.spec.adaptive_clip) plan.bit_share = std::min(0.5, 10 * z / static_cast<double>(sites));
  plan.poisson_mean =
      static_cast<std::int64_t>(std::ceil(kDeviation * kDeviation / (2 * static_cast<double>(honest_min))));
  if (!(plan.SumBound(sites) < 0x1p31))
    return InvalidArgument("a sum of ", sites, " sites could reach ", Short(plan.SumBound(sites)),
                           ", beyond the ring of 2^32: there is too little noise for so many sites");
  return plan;
}

}  // namespace

StatusOr<double> EpsilonAfter(const SiteTerms& terms, double noise_multiplier, std::int64_t rounds) {
  dp::SkellamSum sum = MechanismFor(terms, noise_multiplier);
  sum.releases = rounds;
  return dp::SkellamSumEpsilon(sum, terms.spec.delta);
}

dp::SkellamSum MechanismFor(const SiteTerms& terms, double noise_multiplier) {
  return {.noise_multiplier = noise_multiplier,
          .levels = kDeviation / noise_multiplier,
          .dimension = static_cast<std::int64_t>(CoordinatesOf(terms))};
}

StatusOr<double> NoiseMultiplierFor(const SiteTerms& terms) {
  if (terms.elements == 0) return InvalidArgument("an update without values");
  if (terms.rounds < 1) return InvalidArgument(terms.rounds, " rounds; there must be at least one");
  const wire::SitePrivacySpec& spec = terms.spec;
  if (spec.noise_multiplier > 0) return spec.noise_multiplier;
  const auto fits = [&](double z) -> StatusOr<bool> {
    ASSIGN_OR_RETURN(const double reached, EpsilonAfter(terms, z, terms.rounds));
    return reached <= spec.epsilon;
  };
  double low = 0, high = 0.125;
  for (;; low = high, high *= 2) {
    if (high > kNoiseMax)
      return InvalidArgument("privacy.sites: no noise up to ", kNoiseMax, " clips is enough for epsilon ", spec.epsilon,
                             " at delta ", spec.delta, " after ", terms.rounds, " rounds of ", terms.elements,
                             " parameters");
    ASSIGN_OR_RETURN(const bool enough, fits(high));
    if (enough) break;
  }
  while (high - low > 2e-4 * high) {
    const double middle = (low + high) / 2;
    ASSIGN_OR_RETURN(const bool enough, fits(middle));
    (enough ? high : low) = middle;
  }
  return std::max(RoundedUp(high), 0.1);
}

double NoisePlan::update_levels() const { return levels * std::sqrt(1 - bit_share * bit_share); }

double NoisePlan::NormBound() const { return RoundedOf(levels, coordinates()).NormBound(); }

double NoisePlan::SumBound(std::size_t survivors) const {
  const auto n = static_cast<double>(survivors);
  return n * NormBound() + kTail * std::sqrt(2 * static_cast<double>(poisson_mean) * n);
}

dp::SkellamSum NoisePlan::mechanism() const {
  return {
      .noise_multiplier = noise_multiplier, .levels = levels, .dimension = static_cast<std::int64_t>(coordinates())};
}

double NoisePlan::DeviationOf(std::size_t survivors) const {
  return std::sqrt(2 * static_cast<double>(poisson_mean) * static_cast<double>(survivors)) / update_levels();
}

double NoisePlan::NoiseToSignal() const {
  return DeviationOf(sites) * std::sqrt(static_cast<double>(elements)) / static_cast<double>(sites);
}

Digest NoisePlan::digest() const {
  ByteWriter writer;
  writer.PutString("consilium noisy sum 1");
  for (const double number : {noise_multiplier, levels, bit_share}) writer.Put(number);
  writer.Put(elements);
  for (const std::size_t number : {sites, honest_min}) writer.Put(static_cast<std::uint32_t>(number));
  writer.Put(static_cast<std::uint64_t>(poisson_mean));
  return Sha256Of(writer.bytes());
}

StatusOr<NoisePlan> PlanFor(const SiteTerms& terms, const secagg::SessionTerms& session) {
  ASSIGN_OR_RETURN(const secagg::SessionShape shape, secagg::ShapeOf(session));
  CONSILIUM_CHECK(shape.survivors_min > session.corrupt, "colluders alone could make a sum");
  return Plan(terms, session.cohort.size(), shape.survivors_min - session.corrupt);
}

StatusOr<NoisePlan> CompleteTerms(const SiteTerms& terms, secagg::SessionTerms* session) {
  session->dimension = terms.elements;  // for the shape, which does not depend on it
  ASSIGN_OR_RETURN(NoisePlan plan, PlanFor(terms, *session));
  session->dimension = plan.coordinates();
  session->privacy = plan.digest();
  return plan;
}

StatusOr<NoisePlan> PlanForSites(const SiteTerms& terms, std::size_t sites, std::size_t min_cohort) {
  const std::size_t corrupt = secagg::DefaultCorrupt(sites);
  ASSIGN_OR_RETURN(const secagg::CompleteThreshold threshold, secagg::ThresholdFor(sites, corrupt));
  const bool complete = sites <= secagg::kCompleteMax;
  const std::size_t survivors_min = complete ? threshold.threshold : secagg::GraphSurvivorsMin(sites);
  return Plan(terms, sites, std::max(survivors_min, min_cohort) - corrupt);
}

Status CheckUse(const NoisePlan& plan, const wire::SitePrivacySpec& spec) {
  if (plan.bit_share > 0 && plan.noise_multiplier > static_cast<double>(plan.sites) / 2)
    return InvalidArgument("privacy.sites.adaptive_clip: with noise ", Short(plan.noise_multiplier), " and ",
                           plan.sites, " sites the share of updates below the clip is drowned in it; give a clip, a ",
                           "larger epsilon, fewer rounds, or more sites");
  const double ratio = plan.NoiseToSignal();
  if (ratio <= kNoiseToSignalMax || spec.accept_noise) return Status();
  return InvalidArgument(
      "privacy.sites: in each round there would be ", Short(ratio),
      " times as much noise as there can be signal: noise ", Short(plan.noise_multiplier), " (for epsilon ",
      spec.epsilon, ") on ", plan.elements, " parameters, over ", plan.sites, " sites of whom ", plan.honest_min,
      " are counted on. Privacy for whole sites only makes sense for ",
      "few trainable parameters or very many sites. Use privacy.records, which protects each case and costs the less "
      "the "
      "more cases a site has; keep parameters at the sites (federation.personal); or say privacy.sites.accept_noise: "
      "true");
}

}  // namespace consilium::private_sum
