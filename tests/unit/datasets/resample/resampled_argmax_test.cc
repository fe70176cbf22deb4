#include "datasets/resample/resampled_argmax.h"

#include <gtest/gtest.h>

#include "comm/base/rng.h"

namespace consilium::datasets {
namespace {

std::vector<float> RandomLogits(std::int64_t classes, const Shape3& shape) {
  Rng rng(/*seed=*/7);
  std::vector<float> logits;
  for (std::int64_t i = 0; i < classes * VoxelCount(shape); ++i) logits.push_back(static_cast<float>(rng.Normal()));
  return logits;
}

// All classes on the new grid first, as it is done where memory is no matter.
std::vector<std::int16_t> InFull(const std::vector<float>& logits, std::int64_t classes, const ResampleGrid& grid) {
  const auto volume = static_cast<std::size_t>(VoxelCount(grid.from));
  std::vector<float> best;
  std::vector<std::int16_t> labels;
  for (std::int64_t k = 0; k < classes; ++k) {
    const std::vector<float> resampled = ResampleImage(
        std::span(logits).subspan(static_cast<std::size_t>(k) * volume, volume), grid, Interpolation::kLinear);
    if (k == 0) {
      best = resampled;
      labels.assign(resampled.size(), 0);
      continue;
    }
    for (std::size_t i = 0; i < best.size(); ++i)
      if (resampled[i] > best[i]) best[i] = resampled[i], labels[i] = static_cast<std::int16_t>(k);
  }
  return labels;
}

TEST(ResampledArgmaxTest, EqualsResamplingEveryClassAndTakingTheLargest) {
  const ResampleGrid grids[] = {{.from = {5, 6, 7}, .to = {9, 4, 11}},
                                {.from = {5, 6, 7}, .to = {9, 13, 11}, .separate_axis = 0},
                                {.from = {5, 6, 7}, .to = {3, 4, 2}, .separate_axis = 2},
                                {.from = {1, 6, 7}, .to = {1, 12, 14}},
                                {.from = {5, 1, 7}, .to = {8, 3, 7}},
                                {.from = {4, 5, 6}, .to = {4, 5, 6}}};
  for (const ResampleGrid& grid : grids)
    for (const std::int64_t classes : {1, 2, 5}) {
      const std::vector<float> logits = RandomLogits(classes, grid.from);
      EXPECT_EQ(ResampledArgmax(logits, grid), InFull(logits, classes, grid)) << classes << " classes";
    }
}

TEST(ResampledArgmaxTest, TheResultIsTheSameForAnyNumberOfThreads) {
  const ResampleGrid grid{.from = {8, 9, 10}, .to = {21, 14, 17}};
  const std::vector<float> logits = RandomLogits(4, grid.from);
  const std::vector<std::int16_t> alone = ResampledArgmax(logits, grid);
  for (const unsigned threads : {2U, 3U, 64U}) EXPECT_EQ(ResampledArgmax(logits, grid, threads), alone);
}

TEST(ResampledArgmaxTest, OfEqualClassesTheFirstIsTaken) {
  const std::vector<float> zeros(3 * 8, 0.0F);
  EXPECT_EQ(ResampledArgmax(zeros, {.from = {2, 2, 2}, .to = {3, 3, 3}}), std::vector<std::int16_t>(27, 0));
}

}  // namespace
}  // namespace consilium::datasets
