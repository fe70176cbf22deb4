// One configuration of a plan: patch size, topology and batch size for a spacing and a median shape.
//
// Source: ExperimentPlanner.get_plans_for_configuration of nnU-Net v2, its rounding and its order of steps included.
#pragma once

#include <cstdint>
#include <vector>

#include "comm/base/status.h"
#include "datasets/planner/network_size.h"
#include "datasets/planner/topology.h"

namespace consilium::datasets {

// How large a network a planner aims at.  The reference values are what nnU-Net's authors measured to fit.
struct NetworkBudget {
  Encoder encoder = Encoder::kPlain;
  double values_3d = 560e6, values_2d = 85e6;  // FeatureMapValues() that fit into reference_gb
  double reference_gb = 8;
  double target_gb = 8;                // memory to plan for
  double dataset_fraction_max = 0.05;  // of the data set's voxels, in one batch
};

struct ConfigurationRequest {
  std::vector<double> spacing;       // mm; 3 axes, or 2 for the flat configuration
  std::vector<double> median_shape;  // voxels at that spacing; may end in a half
  double dataset_voxels = 0;         // of all training cases at that spacing
  std::int64_t labels = 2;           // entries of dataset.json's labels
};

struct Configuration {
  std::vector<double> spacing;
  std::vector<double> median_shape;
  std::vector<std::int64_t> patch_size;
  std::int64_t batch_size = 2;
  std::vector<std::vector<std::int64_t>> strides;  // one entry a stage, as in Topology
  std::vector<std::vector<std::int64_t>> kernels;
  std::vector<std::int64_t> features;  // channels a stage
  bool batch_dice = false;
  friend bool operator==(const Configuration&, const Configuration&) = default;
};

inline constexpr std::int64_t kBatchSizeMin = 2;

// batch_dice is left false.  A target so small that no patch fits is kInvalidArgument.
StatusOr<Configuration> PlanConfiguration(const ConfigurationRequest& request, const NetworkBudget& budget);

}  // namespace consilium::datasets
