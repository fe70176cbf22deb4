#include "datasets/resample/resampled_argmax.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include "comm/base/status.h"
#include "datasets/resample/line_filter.h"

namespace consilium::datasets {

// A thread's: one class's slice on the network's grid, one of its rows, and the largest logit so far.
struct ResampledArgmax::Scratch {
  explicit Scratch(const ResampleGrid& grid)
      : slice(static_cast<std::size_t>(grid.from[1] * grid.from[2])),
        row(static_cast<std::size_t>(grid.from[2])),
        best(static_cast<std::size_t>(grid.to[1] * grid.to[2])) {}
  std::vector<float> slice, row, best;
};

ResampledArgmax::ResampledArgmax(const ResampleGrid& grid, std::int64_t classes, unsigned threads)
    : grid_(grid),
      classes_(static_cast<std::size_t>(classes)),
      threads_(threads),
      z_(AlongAxis(grid, 0)),
      y_(AlongAxis(grid, 1)),
      x_(AlongAxis(grid, 2)),
      last_(classes_ * static_cast<std::size_t>(grid.from[1] * grid.from[2])),
      labels_(static_cast<std::size_t>(VoxelCount(grid.to))) {
  CONSILIUM_CHECK(classes > 0 && VoxelCount(grid.from) > 0 && VoxelCount(grid.to) > 0, classes, " classes");
}

std::vector<ResampledArgmax::Between> ResampledArgmax::AlongAxis(const ResampleGrid& grid, std::size_t axis) {
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
    const auto t = static_cast<float>(at - static_cast<double>(low));
    places.push_back({low, t > 0 ? low + 1 : low, t});
  }
  return places;
}

void ResampledArgmax::Push(std::span<const float> logits, std::int64_t slices) {
  const std::size_t slice = last_.size() / classes_, count = static_cast<std::size_t>(slices);
  CONSILIUM_CHECK(slices > 0 && logits.size() == classes_ * count * slice &&
                      begin_ + count <= static_cast<std::size_t>(grid_.from[0]),
                  logits.size(), " logits");
  std::size_t end = next_;
  while (end < z_.size() && z_[end].high < begin_ + count) ++end;
  std::atomic<std::size_t> next = next_;
  const auto work = [&] {
    Scratch scratch(grid_);
    for (std::size_t z = next++; z < end; z = next++) Make(z, logits, slices, &scratch);
  };
  {
    std::vector<std::jthread> helpers;
    for (unsigned i = 1; i < std::min<std::size_t>(threads_, end - next_); ++i) helpers.emplace_back(work);
    work();
  }
  next_ = end;
  for (std::size_t k = 0; k < classes_; ++k)
    std::copy_n(logits.data() + (k * count + count - 1) * slice, slice, last_.data() + k * slice);
  begin_ += count;
}

// Of what is being pushed, or the one before.
const float* ResampledArgmax::SliceOf(std::size_t z, std::size_t k, std::span<const float> logits,
                                      std::int64_t slices) const {
  const std::size_t slice = last_.size() / classes_;
  if (z < begin_) return last_.data() + k * slice;
  return logits.data() + (k * static_cast<std::size_t>(slices) + z - begin_) * slice;
}

void ResampledArgmax::Make(std::size_t z, std::span<const float> logits, std::int64_t slices, Scratch* scratch) {
  const std::size_t width = scratch->row.size();
  for (std::size_t k = 0; k < classes_; ++k) {
    const float* below = SliceOf(z_[z].low, k, logits, slices);
    const float* above = SliceOf(z_[z].high, k, logits, slices);
    for (std::size_t i = 0; i < scratch->slice.size(); ++i)
      scratch->slice[i] = below[i] + z_[z].t * (above[i] - below[i]);
    for (std::size_t y = 0; y < y_.size(); ++y) {
      const float *low = scratch->slice.data() + y_[y].low * width, *high = scratch->slice.data() + y_[y].high * width;
      float* row = scratch->row.data();
      for (std::size_t i = 0; i < width; ++i) row[i] = low[i] + y_[y].t * (high[i] - low[i]);
      float* best = scratch->best.data() + y * x_.size();
      std::int16_t* label = labels_.data() + (z * y_.size() + y) * x_.size();
      for (std::size_t x = 0; x < x_.size(); ++x) {
        const float value = row[x_[x].low] + x_[x].t * (row[x_[x].high] - row[x_[x].low]);
        if (k > 0 && !(value > best[x])) continue;
        best[x] = value;
        label[x] = static_cast<std::int16_t>(k);
      }
    }
  }
}

std::vector<std::int16_t> ResampledArgmax::Finish() && {
  CONSILIUM_CHECK(next_ == z_.size(), "slices are missing: ", begin_, " of ", grid_.from[0], " came");
  return std::move(labels_);
}

}  // namespace consilium::datasets
