#include "coordinator/core/site_health.h"

#include <gtest/gtest.h>

namespace consilium::coordinator {
namespace {

TEST(SiteHealth, OneBadRoundCostsNothingAndMoreInARowALongerRestEachUpToEightRounds) {
  SiteHealth health;
  std::uint32_t round = 0;
  const auto rests_for = [&] {
    health.Missed(Round(round));
    std::uint32_t rest = 0;
    while (health.Rests(Round(round + 1 + rest))) ++rest;
    round += 1 + rest;
    return rest;
  };
  for (const std::uint32_t expected : {0u, 1u, 2u, 4u, 8u, 8u, 8u}) EXPECT_EQ(rests_for(), expected);
  EXPECT_EQ(health.missed, 7u);
  health.Contributed(10, 100);
  EXPECT_EQ(health.failures_in_row, 0u);
  EXPECT_FALSE(health.Rests(Round{}));
  EXPECT_EQ(rests_for(), 0u) << "a contribution wipes the slate";
}

TEST(SiteHealth, KeepsTheMeanOfSecondsTheSumOfBytesAndTheLastWords) {
  SiteHealth health;
  health.Contributed(10, 100);
  health.Contributed(20, 50);
  EXPECT_DOUBLE_EQ(health.seconds_mean, 15);
  EXPECT_EQ(health.bytes, 150u);
  health.Failed(Round(2), "out of memory");
  EXPECT_EQ(health.last_failure, "out of memory");
  EXPECT_EQ(health.failed, 1u);
}

}  // namespace
}  // namespace consilium::coordinator
