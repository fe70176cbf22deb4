#include "privacy/dp/discrete.h"

#include <gtest/gtest.h>

#include <cmath>

#include "privacy/dp/rdp.h"

namespace consilium::dp {
namespace {

std::vector<double> PublishedOrders() {
  std::vector<double> orders;
  for (int a = 2; a <= 128; ++a) orders.push_back(a);
  orders.push_back(256);
  return orders;
}

double EpsilonAfter(int steps, const std::vector<double>& once, double delta) {
  RdpCurve curve(PublishedOrders());
  for (int i = 0; i < steps; ++i) EXPECT_TRUE(curve.Add(once).ok());
  return EpsilonOf(curve, delta).value().epsilon;
}

RoundedVector Million(double scale) { return {.clip = 1, .scale = scale, .dimension = 1 << 20}; }

TEST(RoundedVector, HasTheNormThatConditionalRoundingGuarantees) {
  EXPECT_NEAR(Million(1e3).NormBound(), 1124.1245482596669, 1e-9);
  EXPECT_NEAR(RoundedVector({.scale = 1, .dimension = 4, .beta = 1e-300}).NormBound(), 3.0, 1e-12) << "s + sqrt(d)";
}

TEST(Skellam, GivesThePublishedEpsilonsAndComesDownToTheGaussian) {
  const std::vector<double> orders = PublishedOrders();
  const auto epsilon = [&](double scale) {
    return EpsilonAfter(100, SkellamCurve(Million(scale), 10, orders).value(), 1e-5);
  };
  EXPECT_NEAR(epsilon(1e3), 5.411868382518636, 1e-9);
  EXPECT_NEAR(epsilon(1e4), 4.759544737060816, 1e-9);
  EXPECT_NEAR(epsilon(1e5), 4.752819000822089, 1e-9);
  RdpCurve gaussian(orders);
  ASSERT_TRUE(gaussian.Add({10, 1, 100}).ok());
  EXPECT_NEAR(EpsilonOf(gaussian, 1e-5)->epsilon, 4.752728336819822, 1e-9);
  EXPECT_GT(epsilon(1e6), 4.752728336819822) << "never below the Gaussian that it approaches";
}

TEST(Skellam, SumsInUnitsOfTheClipAreCountedTheSame) {
  const SkellamSum sum = {.noise_multiplier = 10, .levels = 1e4, .dimension = 1 << 20, .releases = 100};
  EXPECT_NEAR(SkellamSumEpsilon(sum, 1e-5).value(), 4.759544737060816, 1e-9);
  EXPECT_EQ(SkellamSumEpsilon({.noise_multiplier = 0}, 1e-5).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(SkellamSumEpsilon({.noise_multiplier = 1, .dimension = 0}, 1e-5).code(), StatusCode::kInvalidArgument);
}

TEST(DistributedGaussian, GivesThePublishedEpsilon) {
  const auto curve = DistributedGaussianCurve(Million(1e4), 10, 100, PublishedOrders());
  EXPECT_NEAR(EpsilonAfter(100, curve.value(), 1e-5), 4.759544736819821, 1e-9);
}

TEST(Tree, GivesThePublishedEpsilons) {
  for (const auto& [noise, epsilon] : {std::pair{1.13, 18.70961}, {8.83, 1.77319}}) {
    RdpCurve curve;
    ASSERT_TRUE(curve.Add(TreeCurve(noise, 1600, curve.orders()).value()).ok());
    EXPECT_NEAR(EpsilonOf(curve, 1e-6)->epsilon, epsilon, 6e-6);
  }
}

TEST(DiscreteCurves, NonsenseIsRefused) {
  const std::vector<double> broken = {2.5}, whole = {2};
  EXPECT_EQ(SkellamCurve(Million(1), 1, broken).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(SkellamCurve(Million(0), 1, whole).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(SkellamCurve(Million(1), 0, whole).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(DistributedGaussianCurve(Million(1), 1, 0, whole).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(TreeCurve(0, 1, whole).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(TreeCurve(1, 0, whole).code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace consilium::dp
