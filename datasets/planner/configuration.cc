#include "datasets/planner/configuration.h"

#include <algorithm>
#include <cmath>

namespace consilium::datasets {
namespace {

// A patch as large as 256^3 or 2048^2 is where the search for one that fits begins.
constexpr double kStartVoxels3d = 256.0 * 256 * 256;
constexpr double kStartVoxels2d = 2048.0 * 2048;

double Product(const std::vector<double>& numbers) {
  double product = 1;
  for (const double number : numbers) product *= number;
  return product;
}

// As many mm along each axis, at most the median image.
std::vector<double> StartPatch(const ConfigurationRequest& request) {
  const std::size_t dimensions = request.spacing.size();
  std::vector<double> density;  // voxels a mm
  for (const double spacing : request.spacing) density.push_back(1 / spacing);
  const double scale = std::pow((dimensions == 3 ? kStartVoxels3d : kStartVoxels2d) / Product(density),
                                1.0 / static_cast<double>(dimensions));
  std::vector<double> patch;
  for (std::size_t axis = 0; axis < dimensions; ++axis)
    patch.push_back(std::min(std::nearbyint(density[axis] * scale), request.median_shape[axis]));
  return patch;
}

// The axis along which the patch covers most of the median image; of equals, the last.
std::size_t WidestAxis(const std::vector<std::int64_t>& patch, const std::vector<double>& median_shape) {
  std::size_t widest = 0;
  double widest_cover = -1;
  for (std::size_t axis = 0; axis < patch.size(); ++axis) {
    const double cover = static_cast<double>(patch[axis]) / median_shape[axis];
    if (cover >= widest_cover) widest = axis, widest_cover = cover;
  }
  return widest;
}

// One step smaller along the widest axis.  Taking the divisor itself off could skip valid sizes (from 256 to 192 past
// 224), so the divisor of the next smaller patch is what is taken.
StatusOr<Topology> Shrink(const ConfigurationRequest& request, Topology topology) {
  const std::size_t axis = WidestAxis(topology.patch, request.median_shape);
  std::vector<std::int64_t> smaller = topology.patch;
  smaller[axis] -= topology.divisor[axis];
  ASSIGN_OR_RETURN(const Topology next, PlanTopology(request.spacing, smaller));
  topology.patch[axis] -= next.divisor[axis];
  return PlanTopology(request.spacing, topology.patch);
}

}  // namespace

StatusOr<Configuration> PlanConfiguration(const ConfigurationRequest& request, const NetworkBudget& budget) {
  const bool is_flat = request.spacing.size() == 2;
  if (request.median_shape.size() != request.spacing.size() || request.labels < 1)
    return InvalidArgument("a spacing of ", request.spacing.size(), " axes, a median shape of ",
                           request.median_shape.size(), " and ", request.labels, " labels cannot be planned for");
  const double reference = (is_flat ? budget.values_2d : budget.values_3d) * (budget.target_gb / budget.reference_gb);
  const double reference_batch = is_flat ? 12 : 2;
  // The plain planner's limit is for a batch of two; the residual planner's, as upstream has it, for the reference
  // batch.
  const double limit =
      budget.encoder == Encoder::kPlain ? reference * reference_batch / static_cast<double>(kBatchSizeMin) : reference;
  const auto values = [&](const Topology& topology) {
    return static_cast<double>(FeatureMapValues(budget.encoder, topology.patch, topology.strides, request.labels));
  };

  ASSIGN_OR_RETURN(Topology topology, PlanTopology(request.spacing, StartPatch(request)));
  while (values(topology) > limit) {
    StatusOr<Topology> smaller = Shrink(request, topology);
    if (!smaller.ok()) return InvalidArgument("no patch fits into ", budget.target_gb, " GB; plan for more memory");
    topology = *std::move(smaller);
  }

  double patch_voxels = 1;
  for (const std::int64_t edge : topology.patch) patch_voxels *= static_cast<double>(edge);
  const double fitting = std::nearbyint(reference / values(topology) * reference_batch);
  const double covering = std::nearbyint(request.dataset_voxels * budget.dataset_fraction_max / patch_voxels);
  // A memory target of thousands of GB and tiny images must not overflow.
  const double batch = std::clamp(std::min(fitting, covering), static_cast<double>(kBatchSizeMin), 1e9);
  return Configuration{.spacing = request.spacing,
                       .median_shape = request.median_shape,
                       .patch_size = topology.patch,
                       .batch_size = static_cast<std::int64_t>(batch),
                       .strides = topology.strides,
                       .kernels = topology.kernels,
                       .features = FeaturesPerStage(topology.strides.size(), request.spacing.size())};
}

}  // namespace consilium::datasets
