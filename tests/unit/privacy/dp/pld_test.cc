#include "privacy/dp/pld.h"

#include <gtest/gtest.h>

#include <cmath>

#include "privacy/dp/gaussian.h"
#include "privacy/dp/rdp.h"

namespace consilium::dp {
namespace {

EpsilonBounds Bounds(const SampledGaussian& mechanism, double delta) {
  return PldEpsilon({&mechanism, 1}, delta).value();
}

TEST(Pld, TheBoundsHoldTheExactGaussianBetweenThem) {
  for (const auto& [sigma, steps] : {std::pair{10.0, 100}, {1.0, 1}, {3.0, 4}, {40.0, 1000}})
    for (const double delta : {1e-3, 1e-5, 1e-9}) {
      const double exact = GaussianEpsilon(std::sqrt(steps) / sigma, delta).value();
      const EpsilonBounds bounds = Bounds({sigma, 1, steps}, delta);
      EXPECT_LE(bounds.lower, exact) << sigma << " " << delta;
      EXPECT_GE(bounds.upper, exact) << sigma << " " << delta;
      EXPECT_LT(bounds.upper - bounds.lower, 0.03 + 1e-3 * exact) << sigma << " " << delta;
    }
}

TEST(Pld, AgreesWithThePublishedAccountantUnderSampling) {
  const double table[][4] = {{0.8, 0.001, 1000, 0.4777713}, {1.5, 0.001, 20000, 0.4370051}, {2, 0.05, 100, 1.2836374},
                             {3, 0.05, 1000, 2.5275743},    {1.5, 0.05, 1000, 6.2099692},   {3, 0.2, 100, 3.3812205}};
  for (const auto& [sigma, q, steps, epsilon] : table) {
    // It reports the upper end of its own error: 0.01 above its estimate, at a delta smaller by a thousandth.
    const EpsilonBounds bounds = Bounds({sigma, q, static_cast<std::int64_t>(steps)}, 1e-6 * (1 - 1e-3));
    EXPECT_NEAR(bounds.upper + 0.01, epsilon, 1e-4) << sigma << " " << q;
    EXPECT_LE(bounds.lower, bounds.upper);
    EXPECT_GE(bounds.lower, bounds.upper - 0.03);
  }
}

TEST(Pld, IsNeverAboveRenyiAndFarBelowItWhereRenyiIsWeak) {
  for (const auto& [sigma, q, steps] :
       {std::tuple{0.8, 0.001, 1000}, {1.5, 0.04, 2249}, {1.0, 0.02, 10}, {2.0, 0.3, 50}}) {
    RdpCurve curve;
    ASSERT_TRUE(curve.Add({sigma, q, steps}).ok());
    for (const double delta : {1e-4, 1e-6, 1e-8})
      EXPECT_LE(Bounds({sigma, q, steps}, delta).upper, EpsilonOf(curve, delta)->epsilon) << sigma << " " << delta;
  }
}

TEST(Pld, IsBetweenTheCentralLimitAndThePublishedUpperEnd) {
  const EpsilonBounds bounds = Bounds({1.5, 0.04, 2249}, 1e-5 * (1 - 1e-3));
  EXPECT_GT(bounds.lower, 6.60);
  EXPECT_NEAR(bounds.upper + 0.01, 6.777395712150674, 1e-4);
}

TEST(Pld, CompositionDoesNotDependOnTheOrderOrOnHowStepsAreCut) {
  const SampledGaussian a = {1.2, 0.01, 300}, b = {4.0, 0.5, 5};
  const SampledGaussian one[] = {a, b}, other[] = {b, {1.2, 0.01, 100}, {1.2, 0.01, 200}};
  const EpsilonBounds x = PldEpsilon(one, 1e-5).value(), y = PldEpsilon(other, 1e-5).value();
  EXPECT_NEAR(x.upper, y.upper, 1e-6);
  EXPECT_NEAR(x.lower, y.lower, 1e-6);
  EXPECT_GT(x.upper, Bounds(a, 1e-5).upper);
}

TEST(Pld, NothingReleasedCostsNothingAndNoNoiseCostsEverything) {
  EXPECT_EQ(PldEpsilon({}, 1e-5)->upper, 0);
  EXPECT_EQ(Bounds({1, 0, 100}, 1e-5).upper, 0);
  EXPECT_TRUE(std::isinf(Bounds({0, 0.5, 1}, 1e-5).upper));
  EXPECT_EQ(PldEpsilon({}, 0).code(), StatusCode::kInvalidArgument);
}

TEST(Pld, ATooFineQuestionIsRefusedWithTheMend) {
  const SampledGaussian mechanism = {0.3, 0.5, 100000};
  const auto bounds = PldEpsilon({&mechanism, 1}, 1e-9, {.gap = 1e-4});
  ASSERT_EQ(bounds.code(), StatusCode::kResourceExhausted);
  EXPECT_NE(bounds.status().message().find("wider gap"), std::string::npos);
}

}  // namespace
}  // namespace consilium::dp
