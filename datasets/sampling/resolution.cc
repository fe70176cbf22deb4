#include "datasets/sampling/resolution.h"

#include <algorithm>
#include <cmath>

#include "comm/base/status.h"
#include "datasets/sampling/vector_math.h"

namespace consilium::datasets {
namespace {

constexpr std::size_t kTapsMax = 63;  // of a Gaussian: deviations of up to 10 voxels

// Half of a symmetric kernel: the middle first.  The sum over the whole kernel is 1.
struct Kernel {
  std::size_t radius = 0;
  std::array<float, kTapsMax / 2 + 1> taps{};
};

Kernel GaussianOf(float deviation) {
  const double wanted = std::max(std::nearbyint(6.0 * static_cast<double>(deviation) + 0.5), 3.0);
  auto size = static_cast<std::size_t>(wanted);
  if (size % 2 == 0) ++size;
  CONSILIUM_CHECK(size <= kTapsMax, "a blur of ", deviation, " voxels");
  Kernel kernel{.radius = size / 2};
  float sum = 0;
  for (std::size_t i = 0; i <= kernel.radius; ++i) {
    const float distance = static_cast<float>(i) / deviation;
    kernel.taps[i] = FastExp2(std::max(-0.72134752F * distance * distance, -126.0F));  // exp(-d^2 / 2)
    sum += (i == 0 ? 1.0F : 2.0F) * kernel.taps[i];
  }
  for (float& tap : kernel.taps) tap /= sum;
  return kernel;
}

// Of a position beyond an edge: c b | a b c | b a.
std::size_t Reflected(std::int64_t at, std::int64_t length) {
  while (at < 0 || at >= length) at = at < 0 ? -at : 2 * (length - 1) - at;
  return static_cast<std::size_t>(at);
}

// The volume as `outer` blocks of `length` runs of `inner` voxels, along one axis.
struct Runs {
  std::size_t outer = 1, length = 1, inner = 1;
};
Runs RunsOf(const Shape3& shape, std::size_t axis) {
  Runs runs{.outer = 1, .length = static_cast<std::size_t>(shape[axis]), .inner = 1};
  for (std::size_t i = 0; i < axis; ++i) runs.outer *= static_cast<std::size_t>(shape[i]);
  for (std::size_t i = axis + 1; i < 3; ++i) runs.inner *= static_cast<std::size_t>(shape[i]);
  return runs;
}

// Along an axis whose neighbours are whole runs apart.
void BlurRuns(const float* source, const Runs& runs, const Kernel& kernel, float* target) {
  const auto length = static_cast<std::int64_t>(runs.length);
  for (std::size_t o = 0; o < runs.outer; ++o) {
    const float* block = source + o * runs.length * runs.inner;
    for (std::int64_t i = 0; i < length; ++i) {
      float* out = target + (o * runs.length + static_cast<std::size_t>(i)) * runs.inner;
      const float* middle = block + static_cast<std::size_t>(i) * runs.inner;
      for (std::size_t k = 0; k < runs.inner; ++k) out[k] = kernel.taps[0] * middle[k];
      for (std::size_t r = 1; r <= kernel.radius; ++r) {
        const auto distance = static_cast<std::int64_t>(r);
        const float* below = block + Reflected(i - distance, length) * runs.inner;
        const float* above = block + Reflected(i + distance, length) * runs.inner;
        for (std::size_t k = 0; k < runs.inner; ++k) out[k] += kernel.taps[r] * (below[k] + above[k]);
      }
    }
  }
}

// Along x.
void BlurRows(const float* source, std::size_t rows, std::size_t length, const Kernel& kernel, float* target) {
  const std::size_t radius = kernel.radius;
  const auto at_edge = [&](const float* row, std::size_t x) {
    float sum = kernel.taps[0] * row[x];
    const auto here = static_cast<std::int64_t>(x), edge = static_cast<std::int64_t>(length);
    for (std::size_t r = 1; r <= radius; ++r) {
      const auto distance = static_cast<std::int64_t>(r);
      sum += kernel.taps[r] * (row[Reflected(here - distance, edge)] + row[Reflected(here + distance, edge)]);
    }
    return sum;
  };
  for (std::size_t y = 0; y < rows; ++y) {
    const float* row = source + y * length;
    float* out = target + y * length;
    const std::size_t first = std::min(radius, length), last = std::max(first, length - std::min(radius, length));
    for (std::size_t x = 0; x < first; ++x) out[x] = at_edge(row, x);
    for (std::size_t x = first; x < last; ++x) out[x] = kernel.taps[0] * row[x];
    for (std::size_t r = 1; r <= radius; ++r)
      for (std::size_t x = first; x < last; ++x) out[x] += kernel.taps[r] * (row[x - r] + row[x + r]);
    for (std::size_t x = last; x < length; ++x) out[x] = at_edge(row, x);
  }
}

// Where outputs lie between inputs along an axis that grows from `from` to `to` voxels.
struct Between {
  std::vector<std::size_t> low, high;
  std::vector<float> t;
};
Between BetweenOf(std::int64_t from, std::int64_t to) {
  Between between;
  const double ratio = static_cast<double>(from) / static_cast<double>(to);
  for (std::int64_t out = 0; out < to; ++out) {
    const double at = std::clamp((static_cast<double>(out) + 0.5) * ratio - 0.5, 0.0, static_cast<double>(from - 1));
    const auto low = static_cast<std::size_t>(at);
    between.low.push_back(low);
    between.high.push_back(std::min(low + 1, static_cast<std::size_t>(from - 1)));
    between.t.push_back(static_cast<float>(at - static_cast<double>(low)));
  }
  return between;
}

}  // namespace

void ResolutionFilter::Blur(std::span<float> channel, const Shape3& shape, const std::array<float, 3>& deviations) {
  CONSILIUM_CHECK(static_cast<std::int64_t>(channel.size()) == VoxelCount(shape), channel.size(), " voxels");
  scratch_.resize(channel.size());
  for (std::size_t axis = 0; axis < 3; ++axis) {
    if (shape[axis] == 1) continue;
    const Kernel kernel = GaussianOf(deviations[axis]);
    const Runs runs = RunsOf(shape, axis);
    if (axis == 2)
      BlurRows(channel.data(), runs.outer, runs.length, kernel, scratch_.data());
    else
      BlurRuns(channel.data(), runs, kernel, scratch_.data());
    std::copy(scratch_.begin(), scratch_.end(), channel.begin());
  }
}

void ResolutionFilter::Coarsen(std::span<float> channel, const Shape3& shape, double scale,
                               const std::array<bool, 3>& keep) {
  CONSILIUM_CHECK(static_cast<std::int64_t>(channel.size()) == VoxelCount(shape), channel.size(), " voxels");
  const auto width = static_cast<std::size_t>(shape[2]);
  Shape3 coarse = shape;
  std::array<std::vector<std::size_t>, 3> nearest;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const double wanted = std::nearbyint(static_cast<double>(shape[axis]) * scale);
    if (!keep[axis]) coarse[axis] = std::max<std::int64_t>(static_cast<std::int64_t>(wanted), 1);
    for (std::int64_t i = 0; i < coarse[axis]; ++i)
      nearest[axis].push_back(static_cast<std::size_t>((2 * i + 1) * shape[axis] / (2 * coarse[axis])));
  }
  coarse_.clear();
  for (const std::size_t z : nearest[0])
    for (const std::size_t y : nearest[1]) {
      const float* row = channel.data() + (z * static_cast<std::size_t>(shape[1]) + y) * width;
      for (const std::size_t x : nearest[2]) coarse_.push_back(row[x]);
    }

  // Back: x for every coarse row, then y and z as mixtures of whole rows.
  const Between zs = BetweenOf(coarse[0], shape[0]), ys = BetweenOf(coarse[1], shape[1]),
                xs = BetweenOf(coarse[2], shape[2]);
  const auto rows = static_cast<std::size_t>(coarse[0] * coarse[1]), height = static_cast<std::size_t>(coarse[1]);
  scratch_.resize(rows * width);
  for (std::size_t row = 0; row < rows; ++row) {
    const float* in = coarse_.data() + row * static_cast<std::size_t>(coarse[2]);
    float* out = scratch_.data() + row * width;
    for (std::size_t x = 0; x < width; ++x) out[x] = in[xs.low[x]] + xs.t[x] * (in[xs.high[x]] - in[xs.low[x]]);
  }
  const auto row_at = [&](std::size_t z, std::size_t y) { return scratch_.data() + (z * height + y) * width; };
  float* out = channel.data();
  for (std::size_t z = 0; z < zs.t.size(); ++z)
    for (std::size_t y = 0; y < ys.t.size(); ++y, out += width) {
      const float *a = row_at(zs.low[z], ys.low[y]), *b = row_at(zs.low[z], ys.high[y]);
      const float *c = row_at(zs.high[z], ys.low[y]), *d = row_at(zs.high[z], ys.high[y]);
      for (std::size_t x = 0; x < width; ++x) {
        const float low = a[x] + ys.t[y] * (b[x] - a[x]), high = c[x] + ys.t[y] * (d[x] - c[x]);
        out[x] = low + zs.t[z] * (high - low);
      }
    }
}

}  // namespace consilium::datasets
