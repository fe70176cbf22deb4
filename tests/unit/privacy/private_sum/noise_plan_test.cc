#include "privacy/private_sum/noise_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "privacy/dp/discrete.h"
#include "privacy/dp/gaussian.h"
#include "privacy/secagg/thresholds.h"

namespace consilium::private_sum {
namespace {

using ::testing::HasSubstr;

SiteTerms TermsOf(double epsilon, std::int64_t rounds, std::uint64_t elements = 10'000) {
  return {.spec = {.enabled = true, .epsilon = epsilon, .delta = 1e-5}, .rounds = rounds, .elements = elements};
}

secagg::SessionTerms SessionOf(std::size_t sites, std::uint32_t min_cohort = 3) {
  secagg::SessionTerms session{.job = JobId("job"), .dimension = 1, .clip = 1};
  session.corrupt = static_cast<std::uint32_t>(secagg::DefaultCorrupt(sites));
  session.min_cohort = min_cohort;
  for (std::size_t i = 0; i < sites; ++i) {
    crypto::RawPublicKey key{};
    key[0] = static_cast<std::uint8_t>(i);
    session.cohort.push_back({SiteName(Concat("site-", i < 10 ? "0" : "", i)), key});
  }
  return session;
}

TEST(NoiseMultiplier, ReachesTheEpsilonThatWasAskedForToWithinAHundredthAndNeverMore) {
  for (const double epsilon : {0.5, 1.0, 4.0, 8.0, 50.0})
    for (const std::int64_t rounds : {1, 10, 50, 100})
      for (const bool adaptive : {false, true})
        for (const std::uint64_t elements : {1ull, 300ull, 1'000'000ull}) {
          SiteTerms terms = TermsOf(epsilon, rounds, elements);
          terms.spec.adaptive_clip = adaptive;
          const double z = NoiseMultiplierFor(terms).value();
          const double reached = EpsilonAfter(terms, z, rounds).value();
          EXPECT_LE(reached, epsilon) << epsilon << " after " << rounds;
          EXPECT_GT(reached, 0.99 * epsilon) << epsilon << " after " << rounds << " of " << elements;
        }
}

TEST(NoiseMultiplier, IsWithinATenthOfTheExactGaussiansAndNeverBelow) {
  // The published ones, of a Gaussian counted exactly: 14.10 for epsilon 2 and 7.645 for 4 after 50 rounds.
  EXPECT_NEAR(dp::GaussianNoise(2, 1e-5, 50).value(), 14.10, 0.01);
  for (const double epsilon : {1.0, 2.0, 4.0, 8.0})
    for (const std::int64_t rounds : {50, 100}) {
      const double exact = dp::GaussianNoise(epsilon, 1e-5, rounds).value();
      const double z = NoiseMultiplierFor(TermsOf(epsilon, rounds)).value();
      EXPECT_GT(z, exact);
      EXPECT_LT(z, 1.1 * exact);
    }
}

TEST(NoiseMultiplier, IsTheJobsOwnWhereItHasOne) {
  SiteTerms terms = TermsOf(4, 50);
  terms.spec.noise_multiplier = 3;
  EXPECT_EQ(NoiseMultiplierFor(terms).value(), 3);
  EXPECT_EQ(PlanFor(terms, SessionOf(5))->noise_multiplier, 3);
}

TEST(NoiseMultiplier, WhatNoNoiseReachesIsRefused) {
  const Status status = NoiseMultiplierFor(TermsOf(0.01, 1'000'000, 1'000'000'000)).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("no noise up to 10000 clips is enough"));
  EXPECT_EQ(NoiseMultiplierFor(TermsOf(1, 1, 0)).code(), StatusCode::kInvalidArgument);
}

// Whoever survives, the noise of those who do not collude has the variance that the account counts on.
TEST(NoisePlan, TheFewestHonestSurvivorsHaveAllTheNoiseTogether) {
  for (std::size_t sites = 3; sites <= 64; ++sites) {
    const secagg::SessionTerms session = SessionOf(sites);
    const NoisePlan plan = PlanFor(TermsOf(4, 50), session).value();
    const std::size_t fewest = secagg::ShapeOf(session)->survivors_min;
    EXPECT_EQ(plan.honest_min, fewest - session.corrupt) << sites;
    EXPECT_GE(plan.honest_min, 1u);
    const double noise = 2 * static_cast<double>(plan.poisson_mean) * static_cast<double>(plan.honest_min);
    const double wanted = plan.noise_multiplier * plan.levels;
    EXPECT_GE(noise, wanted * wanted * (1 - 1e-12)) << sites;
    EXPECT_LE(noise, wanted * wanted * 1.0001) << sites;
    EXPECT_LT(plan.SumBound(sites), 0x1p31) << sites;
  }
}

TEST(NoisePlan, AllPartiesComputeTheSameAndAnythingElseHasAnotherDigest) {
  const NoisePlan plan = PlanFor(TermsOf(4, 50), SessionOf(8)).value();
  EXPECT_EQ(PlanFor(TermsOf(4, 50), SessionOf(8))->digest(), plan.digest());
  EXPECT_EQ(PlanForSites(TermsOf(4, 50), 8, 3)->digest(), plan.digest());
  SiteTerms adaptive = TermsOf(4, 50);
  adaptive.spec.adaptive_clip = true;
  for (const auto& [terms, session] : {std::pair{TermsOf(5, 50), SessionOf(8)},
                                       {TermsOf(4, 51), SessionOf(8)},
                                       {TermsOf(4, 50, 10'001), SessionOf(8)},
                                       {TermsOf(4, 50), SessionOf(9)},
                                       {TermsOf(4, 50), SessionOf(8, 8)},
                                       {adaptive, SessionOf(8)}})
    EXPECT_NE(PlanFor(terms, session)->digest(), plan.digest());
}

// Rounding may lengthen a vector; within what a job may ask for, that costs nothing.
TEST(NoisePlan, RoundingCostsLessThanAThousandthWhereNoiseIsBearable) {
  for (const std::size_t sites : {3u, 10u, 64u})
    for (const double epsilon : {1.0, 8.0}) {
      for (std::uint64_t elements = 1; elements < 10'000'000; elements *= 4) {
        const NoisePlan plan = PlanForSites(TermsOf(epsilon, 20, elements), sites, 3).value();
        if (plan.NoiseToSignal() > 10) break;
        EXPECT_LT(plan.NormBound() / plan.levels, 1.001) << elements;
      }
    }
}

TEST(NoisePlan, TheBitAndTheUpdateShareOneBudget) {
  SiteTerms terms = TermsOf(8, 20, 100);
  terms.spec.adaptive_clip = true;
  for (const std::size_t sites : {6u, 20u, 64u}) {
    const NoisePlan plan = PlanForSites(terms, sites, 3).value();
    const double z = plan.noise_multiplier, sigma_bit = z / (2 * plan.bit_share);
    EXPECT_NEAR(sigma_bit, std::max(static_cast<double>(sites) / 20, z), 1e-9);
    // z_delta = (z^-2 - (2 sigma_b)^-2)^-1/2
    const double expected = 1 / std::sqrt(1 / (z * z) - 1 / (4 * sigma_bit * sigma_bit));
    EXPECT_NEAR(kDeviation / plan.update_levels(), expected, 1e-9 * expected);
    EXPECT_EQ(plan.coordinates(), 101u);
  }
}

TEST(NoisePlan, MoreNoiseThanAnybodyCanUseIsRefusedWithTheNumber) {
  // z sqrt(d) / n of the published warning, and the survivors that cannot be counted on.
  SiteTerms terms = TermsOf(8, 100, 30'000'000);
  const NoisePlan plan = PlanForSites(terms, 20, 3).value();
  const double lone = plan.noise_multiplier * std::sqrt(30e6) / 20;
  EXPECT_NEAR(plan.NoiseToSignal(), lone * std::sqrt(20.0 / 8), 0.02 * lone);
  const Status status = CheckUse(plan, terms.spec);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("only makes sense for few trainable parameters"));
  EXPECT_THAT(status.message(), HasSubstr("privacy.records"));
  EXPECT_THAT(status.message(), HasSubstr("2.79e+03 times as much noise"));
  terms.spec.accept_noise = true;
  EXPECT_TRUE(CheckUse(plan, terms.spec).ok());
  const SiteTerms small = TermsOf(8, 10, 100);
  EXPECT_TRUE(CheckUse(PlanForSites(small, 10, 3).value(), small.spec).ok());
}

TEST(NoisePlan, ABitThatWouldDrownIsRefused) {
  SiteTerms terms = TermsOf(1, 100, 10);
  terms.spec.adaptive_clip = terms.spec.accept_noise = true;
  const Status status = CheckUse(PlanForSites(terms, 10, 3).value(), terms.spec);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("share of updates below the clip is drowned"));
}

}  // namespace
}  // namespace consilium::private_sum
