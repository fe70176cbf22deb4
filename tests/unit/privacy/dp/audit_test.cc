#include "privacy/dp/audit.h"

#include <gtest/gtest.h>

#include <cmath>

#include "privacy/dp/gaussian.h"
#include "privacy/dp/noise.h"

namespace consilium::dp {
namespace {

// Canaries of sensitivity 1 in a Gaussian mechanism whose noise is `noise`: half of them in, by coins of their own.
std::vector<CanaryScore> RunOf(std::size_t canaries, double noise, const char* purpose) {
  NoiseSource source(SecretBytes(Bytes(32, 7)), purpose);
  std::vector<CanaryScore> scores(canaries);
  for (CanaryScore& canary : scores) {
    canary.included = source.Uniform() < 0.5;
    canary.score = (canary.included ? 1 : 0) + noise * source.Gaussian();
  }
  return scores;
}

// Made with an independent implementation of the paper's appendix D.
TEST(Audit, TheProbabilityOfSoManyRightGuessesIsThePapers) {
  EXPECT_NEAR(AuditPValue(1000, 100, 80, 1.0, 1e-5), 0.07300911594917754, 1e-9);
  EXPECT_NEAR(AuditPValue(1000, 100, 95, 2.0, 1e-5), 0.01782463464307161, 1e-9);
  EXPECT_NEAR(AuditPValue(10000, 500, 450, 2.0, 1e-5), 0.11179713566335314, 1e-9);
  EXPECT_EQ(AuditPValue(1000, 100, 0, 0, 1e-5), 1);
}

TEST(Audit, TheLowerBoundIsThePapers) {
  const auto bound = [](int canaries, int guesses, int right) {
    std::vector<CanaryScore> scores;
    for (int i = 0; i < canaries; ++i)
      scores.push_back({static_cast<double>(i), i >= canaries / 2});  // every guess is right, but ...
    for (int wrong = 0; wrong < guesses - right; ++wrong)
      scores[static_cast<std::size_t>(canaries - 1 - wrong)].included = false;
    const AuditResult result = AuditOneRun(scores, {.delta = 1e-5, .guesses = guesses}).value();
    EXPECT_EQ(result.right, right);
    EXPECT_EQ(result.guesses, guesses);
    return result.epsilon;
  };
  EXPECT_NEAR(bound(1000, 100, 90), 1.6261434741318226, 1e-6);
  EXPECT_NEAR(bound(10000, 300, 280), 2.223671218380332, 1e-6);
  EXPECT_EQ(bound(1000, 100, 55), 0);
}

// mu = 0.5: epsilon 1.99 at delta 1e-5.  With noise drawn anew the first bound would be above 1.6 and the second below
// 2.2 in less than one of 10^7 runs each.
TEST(Audit, AnHonestGaussianIsBelowItsEpsilonAndHalfTheNoiseIsCaught) {
  constexpr double kNoise = 2, kDelta = 1e-5;
  constexpr std::size_t kCanaries = 100000;
  const double claimed = GaussianEpsilon(1 / kNoise, kDelta).value();
  const AuditOptions options = {.delta = kDelta, .guesses = 2000};
  const AuditResult honest = AuditOneRun(RunOf(kCanaries, kNoise, "honest"), options).value();
  EXPECT_LT(honest.epsilon, claimed);
  EXPECT_GT(honest.epsilon, 0.4 * claimed) << "the attack has power";
  const AuditResult broken = AuditOneRun(RunOf(kCanaries, kNoise / 2, "half"), options).value();
  EXPECT_GT(broken.epsilon, claimed);
  EXPECT_LT(broken.epsilon, GaussianEpsilon(2 / kNoise, kDelta).value());
}

TEST(Audit, CanariesThatLeaveNoTraceGiveNothing) {
  std::vector<CanaryScore> scores = RunOf(2000, 1, "no trace");
  NoiseSource coins(SecretBytes(Bytes(32, 8)), "coins");
  for (CanaryScore& canary : scores) canary.included = coins.Uniform() < 0.5;
  EXPECT_LT(AuditOneRun(scores, {.guesses = 200}).value().epsilon, 0.5);
}

TEST(Audit, WhatMakesNoSenseIsRefused) {
  const std::vector<CanaryScore> scores(10);
  EXPECT_EQ(AuditOneRun(scores, {.guesses = 11}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(AuditOneRun(scores, {.guesses = 1}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(AuditOneRun(scores, {.delta = 0, .guesses = 2}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(AuditOneRun(scores, {.confidence = 1, .guesses = 2}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(AuditOneRun({{std::nan(""), true}, {0, false}}, {.guesses = 2}).code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace consilium::dp
