#include "datasets/sampling/resolution.h"

#include <gmock/gmock.h>

#include <cmath>

#include "comm/base/rng.h"

namespace consilium::datasets {
namespace {

using ::testing::FloatNear;
using ::testing::Pointwise;

std::vector<float> RandomVolume(const Shape3& shape) {
  Rng rng(/*seed=*/3);
  std::vector<float> volume(static_cast<std::size_t>(VoxelCount(shape)));
  for (float& voxel : volume) voxel = static_cast<float>(rng.Normal());
  return volume;
}

std::int64_t Reflected(std::int64_t at, std::int64_t length) {
  while (at < 0 || at >= length) at = at < 0 ? -at : 2 * (length - 1) - at;
  return at;
}

// Every neighbour of every voxel, weighed by the formula.
std::vector<float> BlurredByTheFormula(const std::vector<float>& volume, const Shape3& shape,
                                       const std::array<float, 3>& deviations) {
  std::vector<float> current = volume;
  const std::int64_t strides[3] = {shape[1] * shape[2], shape[2], 1};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    if (shape[axis] == 1) continue;
    const auto deviation = static_cast<double>(deviations[axis]);
    auto size = static_cast<std::int64_t>(std::max(std::nearbyint(6 * deviation + 0.5), 3.0));
    size += size % 2 == 0 ? 1 : 0;
    std::vector<float> next(current.size());
    for (std::size_t flat = 0; flat < current.size(); ++flat) {
      const std::int64_t here = static_cast<std::int64_t>(flat) / strides[axis] % shape[axis];
      double sum = 0, weights = 0;
      for (std::int64_t d = -(size / 2); d <= size / 2; ++d) {
        const double weight = std::exp(-0.5 * static_cast<double>(d * d) / (deviation * deviation));
        const std::int64_t moved = (Reflected(here + d, shape[axis]) - here) * strides[axis];
        sum += weight * static_cast<double>(current[static_cast<std::size_t>(static_cast<std::int64_t>(flat) + moved)]);
        weights += weight;
      }
      next[flat] = static_cast<float>(sum / weights);
    }
    current = std::move(next);
  }
  return current;
}

TEST(ResolutionTest, BlurEqualsTheFormulaAlsoAtTheEdges) {
  ResolutionFilter filter;
  for (const Shape3& shape : {Shape3{7, 9, 12}, Shape3{1, 8, 5}, Shape3{2, 3, 4}, Shape3{5, 1, 1}}) {
    const std::vector<float> volume = RandomVolume(shape);
    for (const std::array<float, 3>& deviations : {std::array{0.5F, 0.7F, 1.0F}, std::array{1.0F, 0.5F, 0.61F}}) {
      std::vector<float> blurred = volume;
      filter.Blur(blurred, shape, deviations);
      EXPECT_THAT(blurred, Pointwise(FloatNear(1e-5F), BlurredByTheFormula(volume, shape, deviations)));
    }
  }
}

TEST(ResolutionTest, CoarseVoxelsAreTheNearestAndComeBackLinearly) {
  ResolutionFilter filter;
  // 8 at a half: voxels 1, 3, 5, 7, brought back at -0.25, 0.25, 0.75, ...
  std::vector<float> ramp = {0, 1, 2, 3, 4, 5, 6, 7};
  filter.Coarsen(ramp, {1, 1, 8}, 0.5, {false, false, false});
  EXPECT_THAT(ramp, Pointwise(FloatNear(1e-6F), std::vector<float>{1, 1.5F, 2.5F, 3.5F, 4.5F, 5.5F, 6.5F, 7}));
}

TEST(ResolutionTest, CoarseningActsAlongEachAxisApartAndLeavesKeptOnesAlone) {
  ResolutionFilter filter;
  const Shape3 shape = {6, 7, 9};
  const std::vector<float> volume = RandomVolume(shape);
  std::vector<float> all = volume, in_plane = volume, none = volume;
  filter.Coarsen(none, shape, 0.5, {true, true, true});
  EXPECT_EQ(none, volume);
  filter.Coarsen(all, shape, 1.0, {false, false, false});
  EXPECT_THAT(all, Pointwise(FloatNear(1e-6F), volume)) << "nothing becomes coarser";
  filter.Coarsen(in_plane, shape, 0.6, {true, false, false});
  for (std::size_t z = 0; z < 6; ++z) {
    std::vector<float> slice(volume.begin() + static_cast<std::ptrdiff_t>(z * 63),
                             volume.begin() + static_cast<std::ptrdiff_t>((z + 1) * 63));
    filter.Coarsen(slice, {1, 7, 9}, 0.6, {false, false, false});
    for (std::size_t i = 0; i < 63; ++i) ASSERT_EQ(in_plane[z * 63 + i], slice[i]);
  }
}

}  // namespace
}  // namespace consilium::datasets
