#include "privacy/private_sum/adaptive_clip.h"

#include <gtest/gtest.h>

#include <cmath>

#include "comm/wire/job.h"

namespace consilium::private_sum {
namespace {

TEST(AdaptiveClip, GrowsWhereTooManyUpdatesAreCutAndShrinksWhereTooFew) {
  EXPECT_DOUBLE_EQ(NextClip(2, 0.5, 0.5), 2);
  EXPECT_DOUBLE_EQ(NextClip(2, 0, 0.5), 2 * std::exp(0.1));
  EXPECT_DOUBLE_EQ(NextClip(2, 1, 0.5), 2 * std::exp(-0.1));
  EXPECT_DOUBLE_EQ(NextClip(2, 1, 0.9), 2 * std::exp(-0.02));
}

TEST(AdaptiveClip, AShareThatNoiseHasThrownOutOfRangeMovesItNoFurtherThanItsEnds) {
  EXPECT_EQ(NextClip(2, -40, 0.5), NextClip(2, 0, 0.5));
  EXPECT_EQ(NextClip(2, 1e30, 0.5), NextClip(2, 1, 0.5));
}

TEST(AdaptiveClip, FindsTheQuantileOfTheNorms) {
  // Norms 1, 2, ..., 100: at the quantile 0.8 the clip ends near 80 from far below and far above.
  for (double clip : {0.01, 1e6}) {
    for (int round = 0; round < 400; ++round) clip = NextClip(clip, std::min(std::floor(clip), 100.0) / 100, 0.8);
    EXPECT_NEAR(clip, 80, 2);
  }
}

TEST(AdaptiveClip, StaysWithinWhatAClipMayBe) {
  double low = 1, high = 1;
  for (int round = 0; round < 2000; ++round) low = NextClip(low, 1, 0.05), high = NextClip(high, 0, 0.95);
  EXPECT_EQ(low, wire::kSiteClipMin);
  EXPECT_EQ(high, wire::kSiteClipMax);
}

}  // namespace
}  // namespace consilium::private_sum
