#include "datasets/planner/quantile.h"

#include <gtest/gtest.h>

namespace consilium::datasets {
namespace {

TEST(QuantileTest, InterpolatesBetweenNeighboursAsNumpyDoes) {
  EXPECT_EQ(Percentile({4, 1, 3, 2}, 50), 2.5);
  EXPECT_EQ(Percentile({4, 1, 3, 2}, 0), 1);
  EXPECT_EQ(Percentile({4, 1, 3, 2}, 100), 4);
  EXPECT_DOUBLE_EQ(Percentile({10, 20, 30, 40, 50}, 10), 14);  // numpy.percentile([10, 20, 30, 40, 50], 10)
  EXPECT_EQ(Percentile({7}, 99.5), 7);
}

TEST(QuantileTest, TheMedianOfAnEvenNumberIsTheMeanOfTheMiddleTwo) {
  EXPECT_EQ(Median({3, 1, 2}), 2);
  EXPECT_EQ(Median({35, 36}), 35.5);
}

}  // namespace
}  // namespace consilium::datasets
