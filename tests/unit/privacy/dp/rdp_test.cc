#include "privacy/dp/rdp.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "privacy/dp/calibrate.h"

namespace consilium::dp {
namespace {

double Epsilon(const SampledGaussian& mechanism, double delta) {
  RdpCurve curve;
  EXPECT_TRUE(curve.Add(mechanism).ok());
  return EpsilonOf(curve, delta).value().epsilon;
}

// E_Q[(P/Q)^a] by the trapezoid rule, which converges geometrically for such integrands: an independent reference.
double RdpByQuadrature(double q, double sigma, double order) {
  const double h = sigma / 64;
  double sum = 0;
  for (double x = -40 * sigma; x <= 40 * sigma + order * 2; x += h) {
    const double log_ratio = std::log1p(q * std::expm1((2 * x - 1) / (2 * sigma * sigma)));
    sum += std::exp(order * log_ratio - x * x / (2 * sigma * sigma)) * h;
  }
  return std::log(sum / (sigma * std::sqrt(2 * M_PI))) / (order - 1);
}

TEST(Rdp, IsTheIntegralThatItStandsForAtWholeAndBrokenOrders) {
  for (const double order : {1.1, 1.5, 2.0, 2.5, 3.9, 7.0, 10.9, 24.0})
    for (const auto& [q, sigma] : {std::pair{0.01, 2.5}, {0.04, 1.5}, {0.2, 3.0}, {0.001, 0.8}}) {
      const double reference = RdpByQuadrature(q, sigma, order);
      EXPECT_NEAR(RdpOfOneStep({sigma, q, 1}, order), reference, 1e-8 * reference + 1e-13)
          << "q " << q << " sigma " << sigma << " order " << order;
    }
}

TEST(Rdp, BrokenOrdersKeepTheSignsOfTheirSeries) {  // 50 steps, q 0.01, sigma 2.5; without the signs 6.7058e-4
  EXPECT_NEAR(50 * RdpOfOneStep({2.5, 0.01, 1}, 1.5), 6.50070897e-4, 1e-12);
  EXPECT_NEAR(50 * RdpOfOneStep({2.5, 0.01, 1}, 2.5), 1.08541806e-3, 1e-11);
}

TEST(Rdp, GivesThePublishedEpsilons) {
  EXPECT_NEAR(Epsilon({1.5, 0.04, 2250}, 1e-5), 7.32911117143, 1e-10);
  EXPECT_NEAR(Epsilon({1.1, 256.0 / 60000, 14040}, 1e-5), 2.5943634, 1e-7);
  EXPECT_NEAR(Epsilon({1.0, 0.0256, 781}, 1e-5), 5.0058, 5e-5);
  EXPECT_NEAR(Epsilon({1.0, 0.0256, 1953}, 1e-5), 8.0312, 5e-5);
  EXPECT_NEAR(Epsilon({1.0, 0.032, 625}, 1e-5), 5.7130, 5e-5);
  EXPECT_NEAR(Epsilon({2.0, 0.032, 625}, 1e-5), 1.9043, 5e-5);
  EXPECT_NEAR(Epsilon({1.0, 0.01, 1000}, 1e-5), 2.1013653, 1e-7);
  EXPECT_NEAR(Epsilon({1.1, 0.01, 10000}, 1e-5), 5.6319924, 1e-7);
  EXPECT_NEAR(Epsilon({10.0, 1.0, 100}, 1e-5), 4.728507, 1e-6);
  const double table[][4] = {{0.8, 0.001, 1000, 1.4618759}, {1.5, 0.001, 20000, 0.4969944}, {2, 0.05, 100, 1.3969571},
                             {3, 0.05, 1000, 2.7086296},    {1.5, 0.05, 1000, 6.6678144},   {3, 0.2, 100, 3.6396651}};
  for (const auto& [sigma, q, steps, epsilon] : table)
    EXPECT_NEAR(Epsilon({sigma, q, static_cast<std::int64_t>(steps)}, 1e-6), epsilon, 1e-7) << sigma << " " << q;
}

TEST(Rdp, FineOrdersReachTheEpsilonThatTheNoiseWasMadeFor) {
  std::vector<double> orders;
  for (int i = 1; i <= 99000; ++i) orders.push_back(1 + 1e-3 * i);
  RdpCurve curve(orders);
  ASSERT_TRUE(curve.Add({4.530877117, 1, 1}).ok());
  EXPECT_NEAR(EpsilonOf(curve, 1e-6)->epsilon, 1.0, 1e-7);
}

TEST(Rdp, AConstantCurveConvertsAtItsLargestOrder) {
  std::vector<double> orders;
  for (int a = 2; a <= 32; ++a) orders.push_back(a);
  RdpCurve curve(orders);
  ASSERT_TRUE(curve.Add(std::vector<double>(orders.size(), 1.1)).ok());
  const RdpEpsilon result = EpsilonOf(curve, 1e-5).value();
  EXPECT_NEAR(result.epsilon, 1.32783806176, 1e-11);
  EXPECT_EQ(result.order, 32);
}

TEST(Rdp, EpsilonGrowsWithStepsAndSamplingAndShrinksWithNoise) {
  double previous = 0;
  for (const std::int64_t steps : {1, 10, 100, 1000}) {
    const double epsilon = Epsilon({1.2, 0.02, steps}, 1e-5);
    EXPECT_GT(epsilon, previous);
    previous = epsilon;
  }
  previous = 0;
  for (const double q : {0.001, 0.01, 0.1, 0.5, 1.0}) {
    const double epsilon = Epsilon({1.2, q, 100}, 1e-5);
    EXPECT_GT(epsilon, previous) << q;
    previous = epsilon;
  }
  previous = std::numeric_limits<double>::infinity();
  for (const double sigma : {0.5, 1.0, 2.0, 8.0}) {
    const double epsilon = Epsilon({sigma, 0.02, 100}, 1e-5);
    EXPECT_LT(epsilon, previous);
    previous = epsilon;
  }
}

TEST(Rdp, NothingReleasedCostsNothingAndNoNoiseCostsEverything) {
  EXPECT_EQ(EpsilonOf(RdpCurve(), 1e-5)->epsilon, 0);
  EXPECT_EQ(Epsilon({1, 0, 1000}, 1e-5), 0);
  EXPECT_EQ(Epsilon({1, 0.5, 0}, 1e-5), 0);
  EXPECT_EQ(Epsilon({0, 0.5, 0}, 1e-5), 0);
  EXPECT_TRUE(std::isinf(Epsilon({0, 0.5, 1}, 1e-5)));
}

TEST(Rdp, CompositionDoesNotDependOnTheOrder) {
  const SampledGaussian a = {1.0, 0.01, 100}, b = {2.0, 0.2, 7}, c = {5.0, 1, 3};
  RdpCurve one, other;
  for (const SampledGaussian& m : {a, b, c}) ASSERT_TRUE(one.Add(m).ok());
  for (const SampledGaussian& m : {c, a, b}) ASSERT_TRUE(other.Add(m).ok());
  EXPECT_NEAR(EpsilonOf(one, 1e-5)->epsilon, EpsilonOf(other, 1e-5)->epsilon, 1e-12);
}

TEST(Rdp, DeltaIsTheInverseOfEpsilon) {
  RdpCurve curve;
  ASSERT_TRUE(curve.Add({1.1, 0.01, 1000}).ok());
  for (const double delta : {1e-3, 1e-5, 1e-9})
    EXPECT_NEAR(std::log(DeltaOf(curve, EpsilonOf(curve, delta)->epsilon)), std::log(delta), 1e-9);
  EXPECT_EQ(DeltaOf(RdpCurve(), 1), 0);
}

TEST(Rdp, NonsenseIsRefusedWithWhatWasExpected) {
  RdpCurve curve;
  EXPECT_EQ(curve.Add({-1, 0.1, 1}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(curve.Add({std::nan(""), 0.1, 1}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(curve.Add({1, 1.1, 1}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(curve.Add({1, 0.1, -1}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(curve.Add(std::vector<double>{1.0}).code(), StatusCode::kInvalidArgument);
  for (const double delta : {0.0, 1.0, -1.0, std::nan("")})
    EXPECT_EQ(EpsilonOf(curve, delta).code(), StatusCode::kInvalidArgument);
}

TEST(Calibrate, FindsTheNoiseThatOthersFind) {
  EXPECT_NEAR(NoiseFor(8, 1e-5, 0.04, 2250, Accountant::kRdp).value(), 1.416, 0.003);
  EXPECT_NEAR(NoiseFor(8, 1e-5, 0.04, 2000, Accountant::kRdp).value(), 1.3562, 0.003);
  EXPECT_NEAR(NoiseFor(8, 1e-5, 0.04, 2250, Accountant::kPld).value(), 1.3477, 0.003);
  EXPECT_NEAR(NoiseFor(8, 1e-5, 0.04, 2000, Accountant::kPld).value(), 1.2915, 0.003);
}

TEST(Calibrate, NeverExceedsTheBudget) {
  for (const double epsilon : {0.5, 1.0, 4.0}) {
    const double sigma = NoiseFor(epsilon, 1e-5, 0.02, 500, Accountant::kRdp).value();
    EXPECT_LE(Epsilon({sigma, 0.02, 500}, 1e-5), epsilon);
    EXPECT_GT(Epsilon({sigma * 0.997, 0.02, 500}, 1e-5), epsilon);
  }
}

}  // namespace
}  // namespace consilium::dp
