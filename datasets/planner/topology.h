// How deep a U-Net may go for a patch, and where it pools: nnU-Net's get_pool_and_conv_props.
//
// Source: Isensee et al., nnU-Net (Nature Methods 2021), supplementary note 2; the rules as the public code has them.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "comm/base/status.h"

namespace consilium::datasets {

// One entry a stage (the first is full resolution), each with one number an axis, in the axis order of the patch.
struct Topology {
  std::vector<std::vector<std::int64_t>> strides;  // of the stage's first convolution; all 1 in stage 0
  std::vector<std::vector<std::int64_t>> kernels;  // 1 or 3
  std::vector<std::int64_t> pools;                 // an axis: how often it is halved
  std::vector<std::int64_t> divisor;               // 2^pools
  std::vector<std::int64_t> patch;                 // the given patch, padded up to multiples of `divisor`
  friend bool operator==(const Topology&, const Topology&) = default;
};

struct TopologyOptions {
  std::int64_t feature_map_edge_min = 4;                              // voxels left at the bottleneck
  std::int64_t pools_max = std::numeric_limits<std::int64_t>::max();  // an axis
};

// `spacing` (mm) and `patch` (voxels) have the same 2 or 3 axes.  Patch edges below 1 and spacings that are not
// positive are kInvalidArgument.
StatusOr<Topology> PlanTopology(std::span<const double> spacing, std::span<const std::int64_t> patch,
                                const TopologyOptions& options = {});
// Edges may end in a half: the median of an even number of cases does, and nnU-Net pads it only afterwards.
StatusOr<Topology> PlanTopology(std::span<const double> spacing, std::span<const double> patch,
                                const TopologyOptions& options = {});

}  // namespace consilium::datasets
