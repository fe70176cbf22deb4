#include "datasets/sampling/patch_bounds.h"

#include <gtest/gtest.h>

#include <array>

namespace consilium::datasets {
namespace {

TEST(PatchBounds, OddPaddingIsRoundedDownAsPythonDoes) {
  // 73 voxels loaded for a patch of 40 from an axis of 100: need_to_pad 33, -33 // 2 = -17, 100 + 16 + 1 - 73 = 44.
  EXPECT_EQ(PatchBounds(100, 73, 40), (AxisBounds{-17, 44}));
  EXPECT_EQ(PatchBounds(35, 40, 40), (AxisBounds{-3, -2}));
  EXPECT_EQ(PatchBounds(36, 40, 40), (AxisBounds{-2, -2}));
}

TEST(PatchBounds, APatchThatFitsNeverLeavesTheVolume) {
  EXPECT_EQ(PatchBounds(40, 40, 40), (AxisBounds{0, 0}));
  EXPECT_EQ(PatchBounds(100, 40, 40), (AxisBounds{0, 60}));
  EXPECT_EQ(PatchBounds(20, 1, 1), (AxisBounds{0, 19}));
}

TEST(PatchBounds, AVolumeSmallerThanThePatchIsAlwaysSeenWhole) {
  for (std::int64_t patch = 1; patch <= 70; ++patch)
    for (std::int64_t extent = 1; extent <= patch; ++extent) {
      const AxisBounds bounds = PatchBounds(extent, patch, patch);
      EXPECT_LE(bounds.low, bounds.high);
      EXPECT_LE(bounds.high, 0) << extent << " in " << patch;
      EXPECT_GE(bounds.low + patch, extent) << extent << " in " << patch;
    }
}

TEST(PatchBounds, APatchAroundAnyVoxelContainsIt) {
  for (const std::int64_t patch : {1, 2, 7, 40})
    for (const std::int64_t extent : {1, 3, 39, 40, 41, 100}) {
      const AxisBounds bounds = PatchBounds(extent, patch, patch);
      for (std::int64_t voxel = 0; voxel < extent; ++voxel) {
        const std::int64_t begin = PatchAround(voxel, patch, bounds);
        EXPECT_GE(begin, bounds.low);
        EXPECT_LE(begin, voxel);
        EXPECT_LT(voxel, begin + patch);
      }
    }
}

TEST(ForcedForeground, StartsAtTheRoundedShareOfTheBatch) {
  struct Golden {
    std::int64_t batch;
    double oversampling;
    std::int64_t forced;
  };
  for (const Golden& golden : std::to_array<Golden>({{2, 0.33, 1},
                                                     {9, 0.33, 3},
                                                     {12, 0.33, 4},
                                                     {1, 0.33, 0},
                                                     {366, 0.33, 121},
                                                     {5, 0.5, 3},
                                                     {7, 0.5, 3},
                                                     {4, 0.0, 0},
                                                     {4, 1.0, 4}}))  // 2.5 -> 2, 3.5 -> 4
    EXPECT_EQ(golden.batch - FirstForcedSample(golden.batch, golden.oversampling), golden.forced) << golden.batch;
}

}  // namespace
}  // namespace consilium::datasets
