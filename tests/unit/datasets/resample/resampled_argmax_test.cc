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

// `slices` at a time.
std::vector<std::int16_t> Streamed(const std::vector<float>& logits, std::int64_t classes, const ResampleGrid& grid,
                                   std::int64_t slices = INT64_MAX, unsigned threads = 1) {
  ResampledArgmax argmax(grid, classes, threads);
  const std::int64_t slice = grid.from[1] * grid.from[2];
  for (std::int64_t z = 0; z < grid.from[0];) {
    const std::int64_t count = std::min(slices, grid.from[0] - z);
    std::vector<float> piece;
    for (std::int64_t k = 0; k < classes; ++k) {
      const auto begin = logits.begin() + (k * grid.from[0] + z) * slice;
      piece.insert(piece.end(), begin, begin + count * slice);
    }
    argmax.Push(piece, count);
    z += count;
  }
  return std::move(argmax).Finish();
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
      EXPECT_EQ(Streamed(logits, classes, grid), InFull(logits, classes, grid)) << classes << " classes";
    }
}

TEST(ResampledArgmaxTest, TheResultIsTheSameHoweverManySlicesComeAtATimeAndForAnyNumberOfThreads) {
  for (const ResampleGrid& grid :
       {ResampleGrid{.from = {8, 9, 10}, .to = {21, 14, 17}}, ResampleGrid{.from = {9, 9, 10}, .to = {4, 14, 17}},
        ResampleGrid{.from = {9, 9, 10}, .to = {5, 14, 17}, .separate_axis = 0}}) {
    const std::vector<float> logits = RandomLogits(4, grid.from);
    const std::vector<std::int16_t> whole = Streamed(logits, 4, grid);
    for (const std::int64_t slices : {1, 2, 3, 7})
      for (const unsigned threads : {1U, 2U, 64U})
        EXPECT_EQ(Streamed(logits, 4, grid, slices, threads), whole) << slices << " slices, " << threads << " threads";
  }
}

TEST(ResampledArgmaxTest, OfEqualClassesTheFirstIsTaken) {
  const std::vector<float> zeros(3 * 8, 0.0F);
  EXPECT_EQ(Streamed(zeros, 3, {.from = {2, 2, 2}, .to = {3, 3, 3}}), std::vector<std::int16_t>(27, 0));
}

}  // namespace
}  // namespace consilium::datasets
