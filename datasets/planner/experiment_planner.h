// nnU-Net's experiment planners: from what a data set is like to patch sizes, networks and batch sizes.
//
// Source: Isensee et al., nnU-Net (Nature Methods 2021), and "nnU-Net Revisited" (2024) for the residual presets; the
// rules, their rounding and their quirks as nnU-Net v2's public code has them.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "comm/base/status.h"
#include "datasets/planner/configuration.h"
#include "datasets/planner/fingerprint.h"

namespace consilium::datasets {

enum class PlannerPreset { kDefault, kResEnc, kResEncM, kResEncL, kResEncXL };

struct PresetInfo {
  PlannerPreset preset;
  std::string name;          // on the command line: "default", "resenc-l"
  std::string planner_name;  // nnU-Net's class, "experiment_planner_used"
  std::string plans_name;    // and the file's name without .json
  NetworkBudget budget;
};
std::span<const PresetInfo> PlannerPresets();
const PresetInfo& InfoOf(PlannerPreset preset);
// kInvalidArgument lists the names, and suggests the nearest.
StatusOr<PlannerPreset> PlannerPresetNamed(const std::string& name);

struct PlannerOptions {
  PlannerPreset preset = PlannerPreset::kDefault;
  double memory_gb = 0;                                 // 0: the preset's
  std::optional<std::array<double, 3>> target_spacing;  // mm, (z, y, x); instead of the data set's own
};

// What dataset.json says.
struct DatasetFacts {
  std::string name;                        // DatasetNNN_Name
  std::vector<std::string> channel_names;  // channel 0 first
  std::int64_t labels = 2;                 // entries, background and ignore label included
  std::int64_t num_training = 0;           // cases
  std::string file_ending;                 // ".nii.gz"
};

// What the planner needs of the cases, as numbers of the whole data set: from a fingerprint, or from the merged
// statistics of a federation (planner/site_statistics.h).  Axes are (z, y, x), not transposed yet.
struct PlanInput {
  std::array<double, 3> target_spacing{};
  std::array<double, 3> median_spacing{};
  std::array<double, 3> median_shape{};            // after the crop
  std::array<double, 3> median_resampled_shape{};  // after the crop, at the target spacing; may end in a half
  double median_relative_size = 1;
  std::vector<IntensityProperties> channels;
};

// The median spacing, but for data whose coarsest axis is more than 3 times as coarse and has less than a third of the
// voxels: there the 10th percentile.  `spacings[axis]` and `shapes[axis]` hold one number a case.
std::array<double, 3> TargetSpacing(const std::array<std::vector<double>, 3>& spacings,
                                    const std::array<std::vector<double>, 3>& shapes);

PlanInput PlanInputOf(const DatasetFingerprint& fingerprint, const PlannerOptions& options);

struct Plans {
  std::string dataset_name, plans_name, planner_name, reader_writer;
  std::array<double, 3> original_median_spacing{};  // transposed, as all that follows
  std::array<std::int64_t, 3> original_median_shape{};
  std::array<std::int64_t, 3> transpose_forward{0, 1, 2}, transpose_backward{0, 1, 2};
  Encoder encoder = Encoder::kPlain;
  std::vector<std::string> normalization_schemes;  // a channel: "ZScoreNormalization", ...
  std::vector<bool> use_mask_for_norm;             // a channel
  std::vector<IntensityProperties> intensities;    // a channel
  std::optional<Configuration> flat;               // "2d"; always there
  std::optional<Configuration> fullres;            // "3d_fullres"; absent for flat images
  std::optional<Configuration> lowres;             // "3d_lowres", and with it "3d_cascade_fullres"
};

StatusOr<Plans> PlanExperiment(const DatasetFacts& facts, const PlanInput& input, const PlannerOptions& options);

// nnUNetPlans.json: what nnU-Net writes, key for key.
Json PlansToJson(const Plans& plans);

}  // namespace consilium::datasets
