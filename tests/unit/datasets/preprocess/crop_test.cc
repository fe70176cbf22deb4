#include "datasets/preprocess/crop.h"

#include <gmock/gmock.h>

#include "comm/base/rng.h"

namespace consilium::datasets {
namespace {

using ::testing::ElementsAre;
using Mask = std::vector<std::uint8_t>;

Image ImageOf(const Shape3& shape, std::vector<float> voxels) {
  const auto channels = static_cast<std::int64_t>(voxels.size()) / VoxelCount(shape);
  return {.channels = channels, .shape = shape, .voxels = std::move(voxels), .geometry = {}};
}

// A hollow 3^3 cube of ones in a 5^3 volume.
std::vector<float> HollowCube() {
  std::vector<float> voxels(125, 0.0F);
  for (int z = 1; z < 4; ++z)
    for (int y = 1; y < 4; ++y)
      for (int x = 1; x < 4; ++x) voxels[static_cast<std::size_t>(z * 25 + y * 5 + x)] = 1.0F;
  voxels[2 * 25 + 2 * 5 + 2] = 0.0F;
  return voxels;
}

TEST(CropTest, AnEnclosedHoleBelongsToTheMask) {
  const Mask mask = NonzeroMask(ImageOf({5, 5, 5}, HollowCube()));
  EXPECT_EQ(std::count(mask.begin(), mask.end(), 1), 27);
  EXPECT_EQ(mask[62], 1);
}

TEST(CropTest, AHoleThatOpensOverAnEdgeOnlyIsFilledOneThatOpensOverAFaceIsNot) {
  std::vector<float> voxels = HollowCube();
  voxels[1 * 25 + 1 * 5 + 2] = 0.0F;  // an edge of the shell: touches the hole's voxel along a diagonal only
  EXPECT_EQ(NonzeroMask(ImageOf({5, 5, 5}, voxels))[62], 1);
  voxels = HollowCube();
  voxels[1 * 25 + 2 * 5 + 2] = 0.0F;  // a face
  EXPECT_EQ(NonzeroMask(ImageOf({5, 5, 5}, voxels))[62], 0);
}

TEST(CropTest, AFlatImageHasNoHoles) {
  const Mask mask = NonzeroMask(ImageOf({1, 3, 3}, {1, 1, 1, 1, 0, 1, 1, 1, 1}));
  EXPECT_EQ(mask[4], 0);
}

TEST(CropTest, AnyChannelThatIsNotZeroCountsNegativeOnesToo) {
  EXPECT_THAT(NonzeroMask(ImageOf({1, 1, 4}, {0, 5, 0, 0, 0, 0, 0, -3})), ElementsAre(0, 1, 0, 1));
}

TEST(CropTest, TheBoxIsTight) {
  Mask mask(4 * 5 * 6, 0);
  mask[1 * 30 + 2 * 6 + 3] = 1;
  mask[2 * 30 + 4 * 6 + 1] = 1;
  const Box box = BoundingBox(mask, {4, 5, 6});
  EXPECT_EQ(box.begin, (Shape3{1, 2, 1}));
  EXPECT_EQ(box.end, (Shape3{3, 5, 4}));
  EXPECT_TRUE(BoundingBox(Mask(8, 0), {2, 2, 2}).is_empty());
}

TEST(CropTest, CroppingCopiesTheBox) {
  std::vector<int> source(24);
  for (int i = 0; i < 24; ++i) source[static_cast<std::size_t>(i)] = i;  // [2, 3, 4]
  EXPECT_THAT(CropArray(source.data(), {2, 3, 4}, {.begin = {1, 0, 2}, .end = {2, 2, 4}}), ElementsAre(14, 15, 18, 19));
}

// The definition itself, by relaxation: slow and plain.
Mask FilledByRelaxation(const Shape3& shape, const std::vector<float>& voxels) {
  std::vector<bool> outside(voxels.size(), false);
  for (bool has_changed = true; has_changed;) {
    has_changed = false;
    for (std::int64_t i = 0; i < VoxelCount(shape); ++i) {
      const Shape3 at{i / (shape[1] * shape[2]), i / shape[2] % shape[1], i % shape[2]};
      if (voxels[static_cast<std::size_t>(i)] != 0.0F || outside[static_cast<std::size_t>(i)]) continue;
      bool reached = false;
      for (int axis = 0; axis < 3; ++axis) {
        const std::int64_t step = axis == 0 ? shape[1] * shape[2] : axis == 1 ? shape[2] : 1;
        reached |= at[axis] == 0 || at[axis] == shape[axis] - 1 || outside[static_cast<std::size_t>(i - step)] ||
                   outside[static_cast<std::size_t>(i + step)];
      }
      if (reached) outside[static_cast<std::size_t>(i)] = has_changed = true;
    }
  }
  Mask mask;
  for (const bool is_outside : outside) mask.push_back(is_outside ? 0 : 1);
  return mask;
}

TEST(CropTest, FillingEqualsItsDefinitionOnRandomVolumes) {
  constexpr std::uint64_t kSeed = 3;
  SCOPED_TRACE(kSeed);
  Rng rng(kSeed);
  for (int round = 0; round < 60; ++round) {
    const Shape3 shape{static_cast<std::int64_t>(1 + rng.Below(7)), static_cast<std::int64_t>(1 + rng.Below(7)),
                       static_cast<std::int64_t>(1 + rng.Below(7))};
    std::vector<float> voxels(static_cast<std::size_t>(VoxelCount(shape)));
    for (float& voxel : voxels) voxel = rng.Bernoulli(0.6) ? 1.0F : 0.0F;
    EXPECT_EQ(NonzeroMask(ImageOf(shape, voxels)), FilledByRelaxation(shape, voxels));
  }
}

}  // namespace
}  // namespace consilium::datasets
