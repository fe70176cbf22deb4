#include "trainer/evaluation/distance_transform.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "comm/base/rng.h"

namespace consilium::trainer {
namespace {

// Every voxel against every other.
std::vector<double> BruteForce(const std::vector<std::uint8_t>& set, const datasets::Shape3& shape,
                               const datasets::Spacing3& spacing) {
  std::vector<double> distances(set.size(), INFINITY);
  const auto place = [&](std::size_t at, int axis) {
    const auto i = static_cast<std::int64_t>(at);
    const std::int64_t index = axis == 0   ? i / (shape[1] * shape[2])
                               : axis == 1 ? i / shape[2] % shape[1]
                                           : i % shape[2];
    return static_cast<double>(index) * spacing[static_cast<std::size_t>(axis)];
  };
  for (std::size_t a = 0; a < set.size(); ++a)
    for (std::size_t b = 0; b < set.size(); ++b) {
      if (set[b] == 0) continue;
      double sum = 0;
      for (int axis = 0; axis < 3; ++axis) sum += std::pow(place(a, axis) - place(b, axis), 2);
      distances[a] = std::min(distances[a], sum);
    }
  return distances;
}

TEST(DistanceTransformTest, EqualsEveryVoxelAgainstEveryOther) {
  Rng rng(/*seed=*/11);
  for (int trial = 0; trial < 40; ++trial) {
    datasets::Shape3 shape{};
    datasets::Spacing3 spacing{};
    for (std::size_t axis = 0; axis < 3; ++axis) {
      shape[axis] = 1 + static_cast<std::int64_t>(rng.Below(7));
      spacing[axis] = 0.3 + 4 * rng.Uniform();
    }
    std::vector<std::uint8_t> set(static_cast<std::size_t>(datasets::VoxelCount(shape)));
    for (std::uint8_t& in : set) in = rng.Uniform() < 0.1 ? 1 : 0;
    const std::vector<double> found = SquaredDistances(set, shape, spacing), expected = BruteForce(set, shape, spacing);
    for (std::size_t i = 0; i < set.size(); ++i) {
      if (std::isinf(expected[i])) {
        ASSERT_TRUE(std::isinf(found[i])) << "nothing is in the set";
      } else {
        ASSERT_NEAR(found[i], expected[i], 1e-9 * (1 + expected[i])) << "trial " << trial << ", voxel " << i;
      }
    }
  }
}

}  // namespace
}  // namespace consilium::trainer
