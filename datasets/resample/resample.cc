#include "datasets/resample/resample.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "comm/base/status.h"
#include "datasets/resample/line_filter.h"

namespace consilium::datasets {
namespace {

constexpr double kAnisotropy = 3;

std::size_t Stride(const Shape3& shape, std::size_t axis) {
  std::size_t stride = 1;
  for (std::size_t later = axis + 1; later < 3; ++later) stride *= static_cast<std::size_t>(shape[later]);
  return stride;
}

std::size_t Count(const Shape3& shape) { return static_cast<std::size_t>(VoxelCount(shape)); }

// Calls visit(first voxel in `from`, first voxel in `to`) for each line along `axis`.
template <typename Visit>
void ForEachLine(const Shape3& from, const Shape3& to, std::size_t axis, const Visit& visit) {
  const std::size_t inner = Stride(from, axis), length = static_cast<std::size_t>(from[axis]);
  const std::size_t outer = Count(from) / (inner * length), length_to = static_cast<std::size_t>(to[axis]);
  for (std::size_t o = 0; o < outer; ++o)
    for (std::size_t i = 0; i < inner; ++i) visit(o * length * inner + i, o * length_to * inner + i);
}

// Changes the length along one axis.
std::vector<float> AlongAxis(const std::vector<float>& voxels, Shape3* shape, std::size_t axis, std::int64_t to,
                             Interpolation interpolation) {
  Shape3 result = *shape;
  result[axis] = to;
  std::vector<float> resampled(Count(result));
  LineFilter filter((*shape)[axis], to, interpolation);
  std::vector<double> in(static_cast<std::size_t>((*shape)[axis])), out(static_cast<std::size_t>(to));
  const std::size_t stride = Stride(*shape, axis);
  ForEachLine(*shape, result, axis, [&](std::size_t from_begin, std::size_t to_begin) {
    for (std::size_t i = 0; i < in.size(); ++i) in[i] = voxels[from_begin + i * stride];
    filter.Apply(in, out);
    for (std::size_t i = 0; i < out.size(); ++i) resampled[to_begin + i * stride] = static_cast<float>(out[i]);
  });
  *shape = result;
  return resampled;
}

// Axes that shrink go first, so that what lies between two axes stays small.
std::vector<std::size_t> AxesInOrder(const ResampleGrid& grid) {
  std::vector<std::size_t> axes;
  for (std::size_t axis = 0; axis < 3; ++axis)
    if (axis != grid.separate_axis && grid.from[axis] != grid.to[axis]) axes.push_back(axis);
  const auto growth = [&](std::size_t axis) {
    return static_cast<double>(grid.to[axis]) / static_cast<double>(grid.from[axis]);
  };
  std::stable_sort(axes.begin(), axes.end(), [&](std::size_t a, std::size_t b) { return growth(a) < growth(b); });
  return axes;
}

// Where a spline overshoots: back into the range of the image it came from, slice by slice where slices are on their
// own.
void ClipToRange(std::span<const float> source, const Shape3& from, const Shape3& to,
                 const std::optional<std::size_t>& separate_axis, std::vector<float>* resampled) {
  if (!separate_axis) {
    const auto [low, high] = std::minmax_element(source.begin(), source.end());
    for (float& voxel : *resampled) voxel = std::clamp(voxel, *low, *high);
    return;
  }
  const auto slices = static_cast<std::size_t>(from[*separate_axis]);
  const std::size_t stride_from = Stride(from, *separate_axis), stride_to = Stride(to, *separate_axis);
  std::vector<float> low(slices, INFINITY), high(slices, -INFINITY);
  for (std::size_t i = 0; i < source.size(); ++i) {
    const std::size_t slice = i / stride_from % slices;
    low[slice] = std::min(low[slice], source[i]);
    high[slice] = std::max(high[slice], source[i]);
  }
  for (std::size_t i = 0; i < resampled->size(); ++i) {
    const std::size_t slice = i / stride_to % slices;
    (*resampled)[i] = std::clamp((*resampled)[i], low[slice], high[slice]);
  }
}

// Slices of the result taken from the nearest of those there are.
template <typename T>
std::vector<T> NearestSlices(std::vector<T> voxels, const Shape3& shape, std::size_t axis, std::int64_t to) {
  if (shape[axis] == to) return voxels;
  const std::vector<std::int64_t> nearest = NearestIndices(shape[axis], to);
  Shape3 result = shape;
  result[axis] = to;
  std::vector<T> taken(Count(result));
  const std::size_t stride = Stride(shape, axis);
  ForEachLine(shape, result, axis, [&](std::size_t from_begin, std::size_t to_begin) {
    for (std::size_t i = 0; i < nearest.size(); ++i)
      taken[to_begin + i * stride] = voxels[from_begin + static_cast<std::size_t>(nearest[i]) * stride];
  });
  return taken;
}

// All but the separate axis.
std::vector<float> Interpolated(std::span<const float> voxels, const ResampleGrid& grid, Interpolation interpolation,
                                Shape3* shape) {
  std::vector<float> resampled(voxels.begin(), voxels.end());
  *shape = grid.from;
  for (const std::size_t axis : AxesInOrder(grid))
    resampled = AlongAxis(resampled, shape, axis, grid.to[axis], interpolation);
  if (interpolation == Interpolation::kCubic && *shape != grid.from)
    ClipToRange(voxels, grid.from, *shape, grid.separate_axis, &resampled);
  return resampled;
}

void CheckGrid(std::size_t voxels, const ResampleGrid& grid) {
  CONSILIUM_CHECK(voxels == Count(grid.from) && voxels > 0 && Count(grid.to) > 0, voxels, " voxels");
  CONSILIUM_CHECK(!grid.separate_axis || *grid.separate_axis < 3, "an axis beyond the third");
}

std::optional<std::size_t> CoarsestAlone(const Spacing3& spacing) {
  const double coarsest = *std::max_element(spacing.begin(), spacing.end());
  std::optional<std::size_t> axis;
  for (std::size_t i = 0; i < 3; ++i) {
    if (spacing[i] != coarsest) continue;
    if (axis) return std::nullopt;
    axis = i;
  }
  return axis;
}

bool IsAnisotropic(const Spacing3& spacing) {
  const auto [finest, coarsest] = std::minmax_element(spacing.begin(), spacing.end());
  return *coarsest / *finest > kAnisotropy;
}

}  // namespace

Shape3 ResampledShape(const Shape3& shape, const Spacing3& spacing, const Spacing3& target) {
  Shape3 resampled{};
  for (std::size_t axis = 0; axis < 3; ++axis)
    resampled[axis] = std::max<std::int64_t>(
        static_cast<std::int64_t>(std::nearbyint(spacing[axis] / target[axis] * static_cast<double>(shape[axis]))), 1);
  return resampled;
}

std::optional<std::size_t> SeparateAxis(const Spacing3& from, const Spacing3& to) {
  if (IsAnisotropic(from)) return CoarsestAlone(from);
  return IsAnisotropic(to) ? CoarsestAlone(to) : std::nullopt;
}

std::vector<float> ResampleImage(std::span<const float> voxels, const ResampleGrid& grid, Interpolation interpolation) {
  CheckGrid(voxels.size(), grid);
  Shape3 shape{};
  std::vector<float> resampled = Interpolated(voxels, grid, interpolation, &shape);
  if (!grid.separate_axis) return resampled;
  return NearestSlices(std::move(resampled), shape, *grid.separate_axis, grid.to[*grid.separate_axis]);
}

std::vector<std::int16_t> ResampleLabels(std::span<const std::int16_t> labels, const ResampleGrid& grid) {
  CheckGrid(labels.size(), grid);
  Shape3 in_plane = grid.to;
  if (grid.separate_axis) in_plane[*grid.separate_axis] = grid.from[*grid.separate_axis];
  std::vector<std::int16_t> resampled(labels.begin(), labels.end());
  if (in_plane != grid.from) {
    resampled.assign(Count(in_plane), 0);
    std::vector<float> mask(labels.size());
    for (const std::int16_t label : std::set<std::int16_t>(labels.begin(), labels.end())) {  // ascending
      for (std::size_t i = 0; i < labels.size(); ++i) mask[i] = labels[i] == label ? 1.0F : 0.0F;
      Shape3 shape{};
      const std::vector<float> share = Interpolated(mask, grid, Interpolation::kLinear, &shape);
      for (std::size_t i = 0; i < share.size(); ++i)
        if (share[i] >= 0.5F) resampled[i] = label;
    }
  }
  if (!grid.separate_axis) return resampled;
  return NearestSlices(std::move(resampled), in_plane, *grid.separate_axis, grid.to[*grid.separate_axis]);
}

}  // namespace consilium::datasets
