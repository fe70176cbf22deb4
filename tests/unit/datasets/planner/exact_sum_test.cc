#include "datasets/planner/exact_sum.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "comm/base/rng.h"

namespace consilium::datasets {
namespace {

double SumOf(const std::vector<double>& values) {
  ExactSum sum;
  for (const double value : values) sum.Add(value);
  return sum.Value();
}

TEST(ExactSumTest, NothingIsLostBetweenTheLargestAndTheSmallest) {
  EXPECT_EQ(SumOf({1e300, 1, -1e300}), 1);
  EXPECT_EQ(SumOf({1e300, 5e-324, -1e300}), 5e-324);
  EXPECT_EQ(SumOf({0.1, 0.2, -0.3}), 0x1p-55) << "these three doubles do not add up to zero, and here it shows";
  EXPECT_EQ(SumOf({}), 0);
  EXPECT_EQ(SumOf({-1, 1}), 0);
}

TEST(ExactSumTest, TheResultIsRoundedOnceAndToNearest) {
  const double ulp = std::numeric_limits<double>::epsilon();
  EXPECT_EQ(SumOf({1, ulp / 2}), 1) << "a tie goes to the even neighbour";
  EXPECT_EQ(SumOf({1, ulp / 2, 1e-200}), 1 + ulp) << "a hair above the tie";
  EXPECT_EQ(SumOf({-1, -ulp / 2, -1e-200}), -1 - ulp);
  const double largest = std::numeric_limits<double>::max();
  EXPECT_EQ(SumOf({largest, largest}), std::numeric_limits<double>::infinity());
  EXPECT_EQ(SumOf({largest, largest, -largest}), largest);
}

TEST(ExactSumTest, OrderAndGroupingDoNotShow) {
  Rng rng(7, 0);
  std::vector<double> values;
  for (int i = 0; i < 500; ++i) values.push_back(std::ldexp(rng.Normal(), static_cast<int>(rng.Below(600)) - 300));
  ExactSum forward, grouped[3], joined;
  for (const double value : values) forward.Add(value);
  rng.Shuffle(std::span(values));
  for (std::size_t i = 0; i < values.size(); ++i) grouped[i % 3].Add(values[i]);
  for (const ExactSum& group : grouped) joined.Merge(group);
  EXPECT_EQ(joined, forward);
}

TEST(ExactSumTest, WrittenAndReadBackItIsTheSame) {
  ExactSum sum;
  sum.Add(-1234.5678);
  ByteWriter writer;
  sum.EncodeTo(&writer);
  ByteReader reader(writer.bytes());
  EXPECT_EQ(ExactSum::DecodeFrom(&reader), sum);
  EXPECT_TRUE(reader.Finish().ok());
}

}  // namespace
}  // namespace consilium::datasets
