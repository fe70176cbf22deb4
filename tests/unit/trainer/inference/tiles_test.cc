#include "trainer/inference/tiles.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace consilium::trainer {
namespace {

using ::testing::ElementsAre;

TEST(TilesTest, StartsAreSpreadEvenlyAndReachTheEnd) {
  EXPECT_THAT(TileStarts(110, 64, 0.5), ElementsAre(0, 23, 46));  // upstream's own example
  EXPECT_THAT(TileStarts(64, 64, 0.5), ElementsAre(0));
  EXPECT_THAT(TileStarts(65, 64, 0.5), ElementsAre(0, 1));
  EXPECT_THAT(TileStarts(96, 64, 0.5), ElementsAre(0, 32));
  EXPECT_THAT(TileStarts(97, 64, 0.5), ElementsAre(0, 16, 33));  // 16.5 rounds half to even
  EXPECT_THAT(TileStarts(4, 1, 1.0), ElementsAre(0, 1, 2, 3));
}

TEST(TilesTest, NeighboursOverlapByHalfAPatchAtLeast) {
  for (std::int64_t patch = 1; patch <= 17; ++patch)
    for (std::int64_t size = patch; size <= 80; ++size) {
      const std::vector<std::int64_t> starts = TileStarts(size, patch, 0.5);
      EXPECT_EQ(starts.front(), 0);
      EXPECT_EQ(starts.back(), size - patch);
      for (std::size_t i = 1; i < starts.size(); ++i)  // + 1: rounding
        EXPECT_LE(starts[i] - starts[i - 1], (patch + 1) / 2 + 1) << "size " << size << ", patch " << patch;
    }
}

TEST(TilesTest, WeightsAreSymmetricPositiveAndAtMostTen) {
  const std::vector<std::int64_t> patch = {5, 8, 7};
  const std::vector<float> weights = GaussianWeights(patch);
  ASSERT_EQ(weights.size(), 5U * 8 * 7);
  const auto at = [&](std::int64_t z, std::int64_t y, std::int64_t x) {
    return weights[static_cast<std::size_t>((z * 8 + y) * 7 + x)];
  };
  EXPECT_EQ(*std::max_element(weights.begin(), weights.end()), 10.0F);
  EXPECT_EQ(at(2, 4, 3), 10.0F);
  for (std::int64_t z = 0; z < 5; ++z)
    for (std::int64_t y = 0; y < 8; ++y)
      for (std::int64_t x = 0; x < 7; ++x) {
        EXPECT_GT(at(z, y, x), 0.0F);
        EXPECT_EQ(at(z, y, x), at(4 - z, y, 6 - x));
        if (y > 0) {
          EXPECT_EQ(at(z, y, x), at(z, 8 - y, x));  // an even edge has its middle at edge / 2
        }
      }
  // One voxel off the middle: 10 exp(-1 / (2 sigma^2)) with sigma = 7 / 8.
  EXPECT_NEAR(at(2, 4, 4), 10 * std::exp(-0.5 * (8.0 / 7) * (8.0 / 7)), 1e-6);
}

TEST(TilesTest, PatchOfOneVoxelHasFullWeight) {
  EXPECT_THAT(GaussianWeights(std::vector<std::int64_t>{1, 1}), ElementsAre(10.0F));
}

}  // namespace
}  // namespace consilium::trainer
