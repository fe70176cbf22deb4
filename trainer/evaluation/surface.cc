#include "trainer/evaluation/surface.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "trainer/evaluation/distance_transform.h"
#include "trainer/evaluation/metrics.h"

namespace consilium::trainer {
namespace {

using datasets::Shape3;

// Around all voxels that hold the label in either map; nothing beyond it matters.
struct Part {
  Shape3 begin{INT64_MAX, INT64_MAX, INT64_MAX}, end{};
  bool is_empty() const { return end[0] == 0; }
  Shape3 shape() const { return {end[0] - begin[0], end[1] - begin[1], end[2] - begin[2]}; }
};

Part PartOf(const datasets::LabelMap& a, const datasets::LabelMap& b, std::int16_t label) {
  Part part;
  std::size_t at = 0;
  for (std::int64_t z = 0; z < a.shape[0]; ++z)
    for (std::int64_t y = 0; y < a.shape[1]; ++y)
      for (std::int64_t x = 0; x < a.shape[2]; ++x, ++at) {
        if (a.labels[at] != label && b.labels[at] != label) continue;
        const Shape3 voxel{z, y, x};
        for (std::size_t axis = 0; axis < 3; ++axis) {
          part.begin[axis] = std::min(part.begin[axis], voxel[axis]);
          part.end[axis] = std::max(part.end[axis], voxel[axis] + 1);
        }
      }
  return part;
}

// 1 where a voxel of the part is on the label's border.
std::vector<std::uint8_t> BorderOf(const datasets::LabelMap& map, std::int16_t label, const Part& part) {
  const Shape3& shape = map.shape;
  const std::int64_t strides[3] = {shape[1] * shape[2], shape[2], 1};
  const std::size_t first_axis = shape[0] == 1 ? 1 : 0;
  std::vector<std::uint8_t> border;
  border.reserve(static_cast<std::size_t>(datasets::VoxelCount(part.shape())));
  for (std::int64_t z = part.begin[0]; z < part.end[0]; ++z)
    for (std::int64_t y = part.begin[1]; y < part.end[1]; ++y)
      for (std::int64_t x = part.begin[2]; x < part.end[2]; ++x) {
        const Shape3 voxel{z, y, x};
        const std::int16_t* here = map.labels.data() + (z * shape[1] + y) * shape[2] + x;
        bool on_border = false;
        for (std::size_t axis = first_axis; axis < 3 && *here == label && !on_border; ++axis)
          on_border = voxel[axis] == 0 || voxel[axis] == shape[axis] - 1 || here[-strides[axis]] != label ||
                      here[strides[axis]] != label;
        border.push_back(on_border ? 1 : 0);
      }
  return border;
}

std::vector<double> DistancesBetween(const std::vector<std::uint8_t>& from, const std::vector<std::uint8_t>& to,
                                     const Shape3& shape, const datasets::Spacing3& spacing) {
  const std::vector<double> squared = SquaredDistances(to, shape, spacing);
  std::vector<double> distances;
  for (std::size_t i = 0; i < from.size(); ++i)
    if (from[i] != 0) distances.push_back(std::sqrt(squared[i]));
  return distances;
}

// Between the two nearest, as NumPy has it.
double Percentile(std::vector<double> values, double percent) {
  const double rank = percent / 100 * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(rank);
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(below), values.end());
  const double low = values[below];
  if (below + 1 == values.size()) return low;
  const double high = *std::min_element(values.begin() + static_cast<std::ptrdiff_t>(below) + 1, values.end());
  return low + (rank - static_cast<double>(below)) * (high - low);
}

}  // namespace

double SurfaceDistances::Hausdorff95() const {
  if (to_reference.empty() || to_prediction.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::vector<double> both = to_reference;
  both.insert(both.end(), to_prediction.begin(), to_prediction.end());
  return Percentile(std::move(both), 95);
}

double SurfaceDistances::SurfaceDice(double tolerance) const {
  const std::size_t all = to_reference.size() + to_prediction.size();
  if (all == 0) return std::numeric_limits<double>::quiet_NaN();
  const auto within = [&](double distance) { return distance <= tolerance; };
  const auto near = std::count_if(to_reference.begin(), to_reference.end(), within) +
                    std::count_if(to_prediction.begin(), to_prediction.end(), within);
  return static_cast<double>(near) / static_cast<double>(all);
}

StatusOr<std::vector<SurfaceDistances>> MeasureSurfaces(const datasets::LabelMap& prediction,
                                                        const datasets::LabelMap& reference,
                                                        std::span<const std::int16_t> labels) {
  RETURN_IF_ERROR(CheckSameShape(prediction, reference));
  std::vector<SurfaceDistances> all;
  for (const std::int16_t label : labels) {
    SurfaceDistances& distances = all.emplace_back();
    const Part part = PartOf(prediction, reference, label);
    if (part.is_empty()) continue;
    const std::vector<std::uint8_t> predicted = BorderOf(prediction, label, part);
    const std::vector<std::uint8_t> truth = BorderOf(reference, label, part);
    distances.to_reference = DistancesBetween(predicted, truth, part.shape(), reference.geometry.spacing);
    distances.to_prediction = DistancesBetween(truth, predicted, part.shape(), reference.geometry.spacing);
  }
  return all;
}

}  // namespace consilium::trainer
