#include "privacy/private_sum/noisy_vector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "comm/base/rng.h"
#include "tests/unit/privacy/secagg/session_fixture.h"

namespace consilium::private_sum {
namespace {

using ::testing::HasSubstr;

NoisePlan PlanOf(std::size_t sites, std::uint64_t elements, bool adaptive = false, double z = 1) {
  const SiteTerms terms = {.spec = {.enabled = true, .epsilon = 8, .adaptive_clip = adaptive, .noise_multiplier = z},
                           .elements = elements};
  return PlanForSites(terms, sites, 3).value();
}

std::vector<float> UpdateOf(std::uint64_t seed, std::size_t elements, double norm) {
  Rng rng(seed);
  std::vector<float> update(elements);
  double square = 0;
  for (float& value : update) value = static_cast<float>(rng.Normal()), square += value * value;
  for (float& value : update) value = static_cast<float>(value * norm / std::sqrt(square));
  return update;
}

secagg::ReadValues Reading(const std::vector<float>& update) {
  return [&update](std::uint64_t begin, std::span<float> out) {
    std::copy_n(update.begin() + static_cast<std::ptrdiff_t>(begin), out.size(), out.begin());
    return Status();
  };
}

StatusOr<std::vector<std::uint32_t>> VectorOf(const NoisePlan& plan, double clip, const std::vector<float>& update,
                                              const std::string& release) {
  std::vector<std::uint32_t> vector;
  const NoisyInput input{.plan = plan, .clip = clip, .secret = SecretBytes(Bytes(32, 9)), .release = release};
  RETURN_IF_ERROR(MakeNoisyVector(input, Reading(update), [&](std::uint64_t begin, std::span<std::uint32_t> words) {
                    EXPECT_EQ(begin, vector.size());
                    vector.insert(vector.end(), words.begin(), words.end());
                    return Status();
                  }).status());
  EXPECT_EQ(vector.size(), plan.coordinates());
  return vector;
}

// What the coordinator makes of these vectors; no masks are in them.
struct Read {
  std::vector<float> mean;
  std::optional<double> share_below;
};
StatusOr<Read> MeanOf(const NoisePlan& plan, double clip, const std::vector<std::vector<std::uint32_t>>& vectors) {
  const secagg::Unmasking no_masks;
  Read result;
  const secagg::SumInput input{
      .terms = {.dimension = plan.coordinates()}, .context = {}, .unmasking = &no_masks, .survivors = vectors.size()};
  ASSIGN_OR_RETURN(const NoisySum sum, ReadNoisySum(
                                           input, plan, clip,
                                           [&](std::size_t i, std::uint64_t begin, std::span<std::uint32_t> out) {
                                             std::copy_n(vectors[i].begin() + static_cast<std::ptrdiff_t>(begin),
                                                         out.size(), out.begin());
                                             return Status();
                                           },
                                           [&](std::span<const float> values) {
                                             result.mean.insert(result.mean.end(), values.begin(), values.end());
                                             return Status();
                                           }));
  result.share_below = sum.share_below;
  return result;
}

struct Errors {
  double mean = 0, variance = 0;
};
// Of a sum against that of the clipped updates, in units of the clip.
Errors ErrorsOf(const Read& read, const std::vector<std::vector<float>>& updates, double clip) {
  const auto n = static_cast<double>(updates.size()), d = static_cast<double>(read.mean.size());
  std::vector<double> sum(read.mean.size());
  for (const std::vector<float>& update : updates) {
    double square = 0;
    for (const float value : update) square += static_cast<double>(value) * value;
    const double factor = std::min(1.0, clip / std::sqrt(square));
    for (std::size_t k = 0; k < sum.size(); ++k) sum[k] += factor * update[k];
  }
  Errors errors;
  for (std::size_t k = 0; k < sum.size(); ++k) {
    const double error = (read.mean[k] * n - sum[k]) / clip;
    errors.mean += error / d, errors.variance += error * error / d;
  }
  return errors;
}

TEST(NoisyVector, TheMeanIsThatOfTheClippedUpdatesAndItsNoiseIsWhatWasPromised) {
  constexpr std::size_t kElements = 300'000;  // more than one piece
  for (const bool adaptive : {false, true}) {
    constexpr std::size_t kSites = 5;
    const NoisePlan plan = PlanOf(kSites, kElements, adaptive);
    std::vector<std::vector<float>> updates;
    std::vector<std::vector<std::uint32_t>> vectors;
    for (std::size_t i = 0; i < kSites; ++i) {
      updates.push_back(UpdateOf(i, kElements, i % 2 == 0 ? 0.3 : 700));  // some are cut by far
      vectors.push_back(VectorOf(plan, 0.5, updates[i], Concat("site ", i)).value());
    }
    // With everybody there, and with as few as may be: never less than noise_multiplier of honest noise.
    for (const std::size_t survivors : {kSites, std::size_t{4}}) {
      updates.resize(survivors), vectors.resize(survivors);
      const Read read = MeanOf(plan, 0.5, vectors).value();
      const Errors errors = ErrorsOf(read, updates, 0.5);
      const double deviation = plan.DeviationOf(survivors), few = std::sqrt(kElements);
      EXPECT_NEAR(errors.mean, 0, 5 * deviation / few);
      EXPECT_NEAR(errors.variance / (deviation * deviation), 1, 5 * std::sqrt(2) / few);
      const double honest = static_cast<double>(survivors - 1) / static_cast<double>(survivors);  // one may collude
      EXPECT_GE(errors.variance * honest, 0.98) << "in units of (noise_multiplier x clip)^2";
      EXPECT_EQ(read.share_below.has_value(), adaptive);
    }
  }
}

TEST(NoisyVector, WithHardlyAnyNoiseAgainstTheSignalTheMeanComesOutToItsDigits) {
  // One value holds the whole norm: 2^17 / 0.1 levels.
  const NoisePlan plan = PlanOf(3, 1, false, 0.1);
  const std::vector<std::vector<float>> updates = {{0.5f}, {-0.25f}, {0.75f}};
  std::vector<std::vector<std::uint32_t>> vectors;
  for (std::size_t i = 0; i < 3; ++i) vectors.push_back(VectorOf(plan, 1, updates[i], Concat(i)).value());
  EXPECT_NEAR(MeanOf(plan, 1, vectors)->mean[0], 1.0 / 3, 5 * plan.DeviationOf(3) / 3);
}

TEST(NoisyVector, TheShareBelowTheClipComesOutWithItsNoise) {
  constexpr std::size_t kSites = 40;
  const NoisePlan plan = PlanOf(kSites, 3, true);
  double mean = 0, square = 0;
  constexpr int kTrials = 400;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::vector<std::vector<std::uint32_t>> vectors;
    for (std::size_t i = 0; i < kSites; ++i)
      vectors.push_back(
          VectorOf(plan, 1, UpdateOf(i, 3, i < 10 ? 0.5 : 2), Concat("trial ", trial, " site ", i)).value());
    const double share = MeanOf(plan, 1, vectors)->share_below.value();
    mean += share / kTrials, square += (share - 0.25) * (share - 0.25) / kTrials;
  }
  // sigma_b = n / 20 = 2 for the fewest honest ones, more when all are there; the share is over n.
  const double deviation = 2 * std::sqrt(kSites / static_cast<double>(plan.honest_min)) / kSites;
  EXPECT_NEAR(mean, 0.25, 5 * deviation / std::sqrt(kTrials));
  EXPECT_NEAR(square / (deviation * deviation), 1, 5 * std::sqrt(2.0 / kTrials));
}

// What the account counts on holds for any update and any clip that somebody may send.
TEST(NoisyVector, NoClipMakesAVectorLongerThanItsBound) {
  NoisePlan plan = PlanOf(3, 1000, true, 1);
  plan.poisson_mean = 1;  // so little noise that the rounded vector shows
  for (const double clip : {1e-9, 1e-3, 1.0, 1e9})
    for (const double norm : {0.0, 1e-12, 0.9999999, 1.0, 3e18}) {
      std::vector<float> update = norm == 0 ? std::vector<float>(1000) : UpdateOf(7, 1000, norm);
      const StatusOr<std::vector<std::uint32_t>> vector = VectorOf(plan, clip, update, "x");
      ASSERT_TRUE(vector.ok()) << vector.status();
      double square = 0;
      for (const std::uint32_t word : *vector) square += std::pow(static_cast<std::int32_t>(word), 2);
      // Noise of variance 2 at each of 1001 coordinates.
      EXPECT_LT(std::sqrt(square), plan.NormBound() + 3 * std::sqrt(2 * 1001)) << clip << " " << norm;
    }
}

TEST(NoisyVector, TheSameReleaseIsTheSameToTheBitAndAnotherOneHasOtherNoise) {
  const NoisePlan plan = PlanOf(3, 1000);
  const std::vector<float> update = UpdateOf(1, 1000, 2);
  const auto first = VectorOf(plan, 1, update, "job/3.0/aa").value();
  EXPECT_EQ(VectorOf(plan, 1, update, "job/3.0/aa").value(), first);
  EXPECT_NE(VectorOf(plan, 1, update, "job/3.1/aa").value(), first);
}

TEST(NoisyVector, WhatIsNoUpdateAndWhatIsNoClipAreRefused) {
  const NoisePlan plan = PlanOf(3, 2);
  for (const double clip : {0.0, -1.0, 1e-10, 2e9, std::nan(""), std::numeric_limits<double>::infinity()})
    EXPECT_EQ(VectorOf(plan, clip, {1, 2}, "x").code(), StatusCode::kInvalidArgument) << clip;
  const Status status = VectorOf(plan, 1, {1, std::nanf("")}, "x").status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("value 1 of the update is nan"));
}

TEST(NoisyVector, ASumWithMasksLeftInItIsAnErrorAndNoModel) {
  const NoisePlan plan = PlanOf(3, 1000);
  std::vector<std::vector<std::uint32_t>> vectors(3, VectorOf(plan, 1, UpdateOf(1, 1000, 1), "x").value());
  Rng rng(4);
  for (std::uint32_t& word : vectors[1]) word += rng.NextU32();
  const Status status = MeanOf(plan, 1, vectors).status();
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("masks are left over"));
}

// Through the whole protocol, with a site that vanishes: the survivors' noisy vectors add up to the bit.
TEST(NoisyVector, GoesThroughASecureSumWithADropout) {
  secagg::Cohort cohort(5, 64, 11);
  SiteTerms terms = {.spec = {.enabled = true, .epsilon = 8, .noise_multiplier = 2}, .elements = 64};
  const NoisePlan plan = PlanFor(terms, cohort.terms).value();
  cohort.terms.privacy = plan.digest();
  for (std::size_t i = 0; i < 5; ++i)
    cohort.vectors[i] = VectorOf(plan, 1, UpdateOf(i, 64, 1), Concat("site ", i)).value();
  const secagg::Outcome outcome = secagg::RunSession(cohort, {{2, secagg::Until::kShares}});
  ASSERT_TRUE(outcome.sum.has_value()) << outcome.server;
  EXPECT_EQ(outcome.survivors, (secagg::Places{0, 1, 3, 4}));
  EXPECT_EQ(*outcome.sum, cohort.PlainSum(outcome.survivors));
}

}  // namespace
}  // namespace consilium::private_sum
