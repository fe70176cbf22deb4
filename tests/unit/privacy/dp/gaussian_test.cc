#include "privacy/dp/gaussian.h"

#include <gtest/gtest.h>

#include <cmath>

namespace consilium::dp {
namespace {

TEST(Gaussian, GivesThePublishedValues) {
  EXPECT_NEAR(GaussianDelta(1.0, 1.0), 0.1269367375, 1e-10);  // sigma sqrt 3, three releases: mu 1
  EXPECT_NEAR(GaussianEpsilon(1.0, 1e-5).value(), 4.377178, 1e-6);
}

TEST(Gaussian, FindsTheNoiseOfTheTableForSitesThatAlwaysTakePart) {
  const double table[][3] = {{1, 50, 26.38},  {2, 50, 14.10},  {4, 50, 7.645},  {8, 50, 4.244},
                             {1, 100, 37.31}, {2, 100, 19.94}, {4, 100, 10.81}, {8, 100, 6.002}};
  for (const auto& [epsilon, releases, noise] : table)
    EXPECT_NEAR(GaussianNoise(epsilon, 1e-5, static_cast<std::int64_t>(releases)).value(), noise, 6e-4 * noise);
}

TEST(Gaussian, EpsilonAndDeltaAreInverse) {
  for (const double mu : {0.01, 0.5, 3.0, 40.0})
    for (const double delta : {1e-2, 1e-6, 1e-12}) {
      const double epsilon = GaussianEpsilon(mu, delta).value();
      if (epsilon == 0) continue;
      EXPECT_NEAR(GaussianDelta(mu, epsilon) / delta, 1, 1e-6) << mu << " " << delta;
    }
}

TEST(Gaussian, NonsenseIsRefused) {
  EXPECT_EQ(GaussianEpsilon(-1, 1e-5).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(GaussianEpsilon(1, 0).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(GaussianNoise(0, 1e-5, 1).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(GaussianNoise(1, 1e-5, 0).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(GaussianEpsilon(0, 1e-5).value(), 0);
}

}  // namespace
}  // namespace consilium::dp
