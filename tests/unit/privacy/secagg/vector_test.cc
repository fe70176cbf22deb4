#include "privacy/secagg/vector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/privacy/secagg/real_sum.h"

namespace consilium::secagg {
namespace {

using ::testing::HasSubstr;

TEST(Vector, TheSumIsTheWeightedMeanOfUpdatesAndMetricsToAUnitOfTheRing) {
  for (const std::size_t elements : {1u, 5u, 300'000u}) {  // 300,000: more than one piece
    RealSum sum(3, elements, 17 + elements);
    const StatusOr<SumResult> result = sum.Run();
    ASSERT_TRUE(result.ok()) << result.status();
    ASSERT_EQ(sum.mean.size(), elements);
    const double unit = Quantizer::For(1, 3)->step();
    EXPECT_NEAR(result->weight, sum.TotalWeight(), 3 * unit);
    // Each site's rounding is off by less than a unit, and the float of the mean by 2^-24 of it.
    for (std::size_t k = 0; k < elements; ++k)
      ASSERT_NEAR(sum.mean[k], sum.MeanAt(k), 3 * unit / sum.TotalWeight() + 6e-8 + 3 * unit) << k;
    double loss = 0;
    for (std::size_t i = 0; i < 3; ++i) loss += sum.weights[i] * sum.metrics[i].at("loss") / sum.TotalWeight();
    EXPECT_NEAR(result->metrics.at("loss"), loss, 1e-4);
    EXPECT_EQ(result->metrics.at("clipped"), 0);
  }
}

TEST(Vector, AMetricThatASiteLacksIsTheMeanOfTheOthers) {
  RealSum sum(3, 4, 3);
  sum.weights = {1, 0.5, 1};
  sum.metrics = {{{"loss", 2.0}}, {{"loss", 8.0}}, {{"loss", std::nan("")}}};
  const StatusOr<SumResult> result = sum.Run();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_NEAR(result->metrics.at("loss"), 4.0, 1e-4);
}

TEST(Vector, ValuesBeyondTheClipAreCutAndTheirShareIsKnownOfAllTogether) {
  RealSum sum(3, 4, 5);
  sum.weights = {1, 1, 1};
  sum.updates[0] = {5, 0, 0, 0};
  const StatusOr<SumResult> result = sum.Run();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_NEAR(result->metrics.at("clipped"), 0.25 / 3, 1e-6);
  EXPECT_NEAR(sum.mean[0], (1.0 + static_cast<double>(sum.updates[1][0]) + static_cast<double>(sum.updates[2][0])) / 3,
              1e-6);
}

TEST(Vector, AnUpdateThatIsNotFiniteIsRefusedAtTheSite) {
  RealSum sum(3, 4, 5);
  sum.updates[1][2] = std::nanf("");
  const StatusOr<SumResult> result = sum.Run();
  EXPECT_EQ(result.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(result.status().message(), HasSubstr("finite"));
}

TEST(Vector, ASumWithMasksLeftInItIsAnErrorAndNoModel) {
  RealSum sum(3, 1000, 6);
  sum.tamper = [](std::size_t i, std::vector<std::uint32_t>* words) {
    if (i == 1) std::rotate(words->begin(), words->begin() + 1, words->end());
  };
  EXPECT_EQ(sum.Run().code(), StatusCode::kDataLoss);
}

}  // namespace
}  // namespace consilium::secagg
