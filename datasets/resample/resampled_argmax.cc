#include "datasets/resample/resampled_argmax.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include "comm/base/status.h"
#include "datasets/resample/line_filter.h"

namespace consilium::datasets {
namespace {

// Where an output lies between two inputs: (1 - t) of `low`, t of `high`.
struct Between {
  std::size_t low = 0, high = 0;
  float t = 0;
};

std::vector<Between> AlongAxis(const ResampleGrid& grid, std::size_t axis) {
  std::vector<Between> places;
  if (grid.separate_axis == axis) {
    for (const std::int64_t nearest : NearestIndices(grid.from[axis], grid.to[axis]))
      places.push_back({static_cast<std::size_t>(nearest), static_cast<std::size_t>(nearest), 0});
    return places;
  }
  const auto from = static_cast<double>(grid.from[axis]), to = static_cast<double>(grid.to[axis]);
  for (std::int64_t out = 0; out < grid.to[axis]; ++out) {
    const double at = std::clamp((static_cast<double>(out) + 0.5) * from / to - 0.5, 0.0, from - 1);
    const auto low = static_cast<std::size_t>(at);
    const std::size_t high = std::min(low + 1, static_cast<std::size_t>(grid.from[axis]) - 1);
    places.push_back({low, high, static_cast<float>(at - static_cast<double>(low))});
  }
  return places;
}

// Strand-bound: a thread's scratch memory.
class SliceMaker {
 public:
  SliceMaker(std::span<const float> logits, const ResampleGrid& grid)
      : logits_(logits),
        grid_(grid),
        classes_(logits.size() / static_cast<std::size_t>(VoxelCount(grid.from))),
        z_(AlongAxis(grid, 0)),
        y_(AlongAxis(grid, 1)),
        x_(AlongAxis(grid, 2)),
        mixed_(static_cast<std::size_t>(grid.from[1] * grid.from[2])),
        row_(static_cast<std::size_t>(grid.from[2])),
        best_(static_cast<std::size_t>(grid.to[1] * grid.to[2])) {}

  // Labels of slice `z` of the result.
  void Make(std::size_t z, std::span<std::int16_t> labels) {
    for (std::size_t k = 0; k < classes_; ++k) {
      MixSlices(k, z_[z]);
      for (std::size_t y = 0; y < y_.size(); ++y) {
        MixRows(y_[y]);
        TakeLarger(static_cast<std::int16_t>(k), y, labels);
      }
    }
  }

 private:
  void MixSlices(std::size_t k, const Between& place) {
    const std::size_t slice = mixed_.size();
    const float* volume = logits_.data() + k * static_cast<std::size_t>(VoxelCount(grid_.from));
    const float *low = volume + place.low * slice, *high = volume + place.high * slice;
    for (std::size_t i = 0; i < slice; ++i) mixed_[i] = low[i] + place.t * (high[i] - low[i]);
  }
  void MixRows(const Between& place) {
    const std::size_t width = row_.size();
    const float *low = mixed_.data() + place.low * width, *high = mixed_.data() + place.high * width;
    for (std::size_t i = 0; i < width; ++i) row_[i] = low[i] + place.t * (high[i] - low[i]);
  }
  void TakeLarger(std::int16_t k, std::size_t y, std::span<std::int16_t> labels) {
    float* best = best_.data() + y * x_.size();
    std::int16_t* label = labels.data() + y * x_.size();
    for (std::size_t x = 0; x < x_.size(); ++x) {
      const float value = row_[x_[x].low] + x_[x].t * (row_[x_[x].high] - row_[x_[x].low]);
      if (k > 0 && !(value > best[x])) continue;
      best[x] = value;
      label[x] = k;
    }
  }

  std::span<const float> logits_;
  const ResampleGrid& grid_;
  std::size_t classes_;
  std::vector<Between> z_, y_, x_;
  std::vector<float> mixed_, row_, best_;
};

}  // namespace

std::vector<std::int16_t> ResampledArgmax(std::span<const float> logits, const ResampleGrid& grid, unsigned threads) {
  const auto voxels = static_cast<std::size_t>(VoxelCount(grid.from));
  CONSILIUM_CHECK(voxels > 0 && VoxelCount(grid.to) > 0 && !logits.empty() && logits.size() % voxels == 0,
                  logits.size(), " logits");
  std::vector<std::int16_t> labels(static_cast<std::size_t>(VoxelCount(grid.to)));
  const auto slices = static_cast<std::size_t>(grid.to[0]), slice = labels.size() / slices;
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    SliceMaker maker(logits, grid);
    for (std::size_t z = next++; z < slices; z = next++) maker.Make(z, std::span(labels).subspan(z * slice, slice));
  };
  std::vector<std::jthread> helpers;
  for (unsigned i = 1; i < std::min<std::size_t>(threads, slices); ++i) helpers.emplace_back(work);
  work();
  helpers.clear();
  return labels;
}

}  // namespace consilium::datasets
