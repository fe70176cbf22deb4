#include "datasets/planner/topology.h"

#include <algorithm>
#include <cmath>

namespace consilium::datasets {
namespace {

// Axes whose resolution is within a factor of 2 of the finest are treated alike.
constexpr double kSimilarSpacing = 2.0;

class Planner {
 public:
  Planner(std::span<const double> spacing, std::span<const double> patch, const TopologyOptions& options)
      : options_(options), spacing_(spacing.begin(), spacing.end()), patch_(patch.begin(), patch.end()), size_(patch_) {
    topology_.strides.emplace_back(size_.size(), 1);
    topology_.pools.assign(size_.size(), 0);
    kernel_.assign(size_.size(), 1);
  }

  Topology Plan() && {
    for (std::vector<std::size_t> axes = AxesToPool(); !axes.empty(); axes = AxesToPool()) {
      GrowKernel();
      AddStage(axes);
    }
    topology_.kernels.emplace_back(size_.size(), 3);  // the bottleneck's, whatever the spacing
    for (std::size_t axis = 0; axis < size_.size(); ++axis) {
      const std::int64_t divisor = std::int64_t{1} << topology_.pools[axis];
      topology_.divisor.push_back(divisor);
      topology_.patch.push_back(static_cast<std::int64_t>(std::ceil(patch_[axis] / static_cast<double>(divisor))) *
                                divisor);
    }
    return std::move(topology_);
  }

 private:
  // Empty: the patch cannot be halved any further.
  std::vector<std::size_t> AxesToPool() const {
    std::vector<std::size_t> large;
    double finest = std::numeric_limits<double>::infinity();
    for (std::size_t axis = 0; axis < size_.size(); ++axis) {
      if (size_[axis] < edge_min() * 2) continue;
      large.push_back(axis);
      finest = std::min(finest, spacing_[axis]);
    }
    std::vector<std::size_t> axes;
    for (const std::size_t axis : large) {
      if (spacing_[axis] / finest < kSimilarSpacing && topology_.pools[axis] < options_.pools_max) axes.push_back(axis);
    }
    // A single axis is only worth a stage while enough of it is left.
    if (axes.size() == 1 && size_[axes[0]] < edge_min() * 3) axes.clear();
    return axes;
  }

  // An axis joins the convolutions once its resolution has come near the finest, and stays.
  void GrowKernel() {
    const double finest = *std::min_element(spacing_.begin(), spacing_.end());
    for (std::size_t axis = 0; axis < size_.size(); ++axis)
      if (spacing_[axis] / finest < kSimilarSpacing) kernel_[axis] = 3;
  }

  void AddStage(const std::vector<std::size_t>& axes) {
    std::vector<std::int64_t> stride(size_.size(), 1);
    for (const std::size_t axis : axes) {
      stride[axis] = 2;
      ++topology_.pools[axis];
      spacing_[axis] *= 2;
      size_[axis] = std::ceil(size_[axis] / 2);
    }
    topology_.strides.push_back(std::move(stride));
    topology_.kernels.push_back(kernel_);
  }

  double edge_min() const { return static_cast<double>(options_.feature_map_edge_min); }

  const TopologyOptions& options_;
  std::vector<double> spacing_;
  const std::vector<double> patch_;
  std::vector<double> size_;  // of the patch after the stages so far
  std::vector<std::int64_t> kernel_;
  Topology topology_;
};

}  // namespace

StatusOr<Topology> PlanTopology(std::span<const double> spacing, std::span<const double> patch,
                                const TopologyOptions& options) {
  if (patch.size() != spacing.size() || (patch.size() != 2 && patch.size() != 3))
    return InvalidArgument("a patch of ", patch.size(), " axes with a spacing of ", spacing.size(),
                           "; both must have the same 2 or 3 axes");
  for (std::size_t axis = 0; axis < patch.size(); ++axis) {
    if (!(patch[axis] >= 1 && patch[axis] <= (1 << 20)))
      return InvalidArgument("patch edge ", axis, " is ", patch[axis], " voxels; expected 1 to ", 1 << 20);
    if (!std::isfinite(spacing[axis]) || spacing[axis] <= 0)
      return InvalidArgument("spacing ", axis, " is ", spacing[axis], " mm; expected a positive number");
  }
  if (options.feature_map_edge_min < 1)
    return InvalidArgument("feature_map_edge_min is ", options.feature_map_edge_min, "; expected at least 1");
  return Planner(spacing, patch, options).Plan();
}

StatusOr<Topology> PlanTopology(std::span<const double> spacing, std::span<const std::int64_t> patch,
                                const TopologyOptions& options) {
  return PlanTopology(spacing, std::vector<double>(patch.begin(), patch.end()), options);
}

}  // namespace consilium::datasets
