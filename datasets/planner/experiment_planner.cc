#include "datasets/planner/experiment_planner.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>

#include "comm/base/suggest.h"
#include "datasets/planner/quantile.h"

namespace consilium::datasets {
namespace {

constexpr double kAnisotropy = 3;
constexpr double kLowresPatchFraction = 0.25;  // a patch that sees less of the image gets a coarse stage before it
constexpr double kLowresStep = 1.03;
constexpr double kLowresShrinkMin = 2;  // a coarse stage that saves less is not worth having
constexpr double kMaskedRelativeSize = 0.75;
constexpr int kLowresStepsMax = 1000;  // 1.03^1000 is 10^12

using Axes = std::array<double, 3>;

double Product(const std::vector<double>& numbers) {
  double product = 1;
  for (const double number : numbers) product *= number;
  return product;
}
double Voxels(const std::vector<std::int64_t>& patch) {
  return Product(std::vector<double>(patch.begin(), patch.end()));
}

std::size_t CoarsestAxis(const Axes& spacing) {
  return static_cast<std::size_t>(std::max_element(spacing.begin(), spacing.end()) - spacing.begin());
}

std::vector<double> Transposed(const Axes& numbers, const std::array<std::int64_t, 3>& order) {
  std::vector<double> transposed;
  for (const std::int64_t axis : order) transposed.push_back(numbers[static_cast<std::size_t>(axis)]);
  return transposed;
}

std::string SchemeFor(const std::string& channel_name) {
  std::string name = channel_name;
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  if (name == "ct") return "CTNormalization";
  if (name == "nonorm") return "NoNormalization";
  if (name == "rescale_to_0_1") return "RescaleTo01Normalization";
  if (name == "rgb_to_0_1") return "RGBTo01Normalization";
  return "ZScoreNormalization";
}

// The coarse stage of a cascade, where the full resolution's patch sees too little of the image.
class LowresSearch {
 public:
  LowresSearch(const Configuration& fullres, const DatasetFacts& facts, const NetworkBudget& budget)
      : fullres_(fullres), facts_(facts), budget_(budget), spacing_(fullres.spacing) {}

  StatusOr<std::optional<Configuration>> Run() {
    std::optional<Configuration> lowres;
    double median_voxels = Product(fullres_.median_shape), patch_voxels = Voxels(fullres_.patch_size);
    for (int step = 0; patch_voxels / median_voxels < kLowresPatchFraction; ++step) {
      if (step == kLowresStepsMax)
        return FailedPrecondition("no spacing was found at which a patch sees a quarter of the median image");
      Coarsen();
      const std::vector<double> shape = MedianShape();
      median_voxels = Product(shape);
      std::vector<double> rounded;
      for (const double edge : shape) rounded.push_back(std::nearbyint(edge));
      ASSIGN_OR_RETURN(lowres,
                       PlanConfiguration({.spacing = spacing_,
                                          .median_shape = rounded,
                                          .dataset_voxels = median_voxels * static_cast<double>(facts_.num_training),
                                          .labels = facts_.labels},
                                         budget_));
      patch_voxels = Voxels(lowres->patch_size);
    }
    if (Product(fullres_.median_shape) / median_voxels < kLowresShrinkMin) lowres.reset();
    return lowres;
  }

 private:
  // The axes that are much finer than the coarsest first, until all are alike; then all.
  void Coarsen() {
    const double coarsest = *std::max_element(spacing_.begin(), spacing_.end());
    std::vector<std::size_t> fine;
    for (std::size_t axis = 0; axis < spacing_.size(); ++axis)
      if (coarsest / spacing_[axis] > 2) fine.push_back(axis);
    if (fine.empty()) fine = {0, 1, 2};
    for (const std::size_t axis : fine) spacing_[axis] *= kLowresStep;
  }
  std::vector<double> MedianShape() const {
    std::vector<double> shape;
    for (std::size_t axis = 0; axis < spacing_.size(); ++axis)
      shape.push_back(fullres_.spacing[axis] / spacing_[axis] * fullres_.median_shape[axis]);
    return shape;
  }

  const Configuration& fullres_;
  const DatasetFacts& facts_;
  const NetworkBudget& budget_;
  std::vector<double> spacing_;
};

Status CheckInput(const DatasetFacts& facts, const PlanInput& input, const PlannerOptions& options) {
  if (facts.channel_names.empty() || facts.labels < 2 || facts.num_training < 1)
    return InvalidArgument(facts.name, ": ", facts.channel_names.size(), " channels, ", facts.labels, " labels and ",
                           facts.num_training, " training cases; a plan needs at least 1, 2 and 1");
  if (input.channels.size() != facts.channel_names.size())
    return InvalidArgument(facts.name, ": intensities of ", input.channels.size(), " channels, but dataset.json names ",
                           facts.channel_names.size());
  for (std::size_t axis = 0; axis < 3; ++axis)
    if (!(std::isfinite(input.target_spacing[axis]) && input.target_spacing[axis] > 0))
      return InvalidArgument(facts.name, ": the target spacing of axis ", axis, " is ", input.target_spacing[axis],
                             " mm; expected a positive number");
  if (options.memory_gb < 0 || !std::isfinite(options.memory_gb))
    return InvalidArgument("the memory target is ", options.memory_gb, " GB; expected a positive number");
  return Status();
}

}  // namespace

std::span<const PresetInfo> PlannerPresets() {
  constexpr Encoder kRes = Encoder::kResidual;
  static const PresetInfo kPresets[] = {
      {PlannerPreset::kDefault, "default", "ExperimentPlanner", "nnUNetPlans", {}},
      {PlannerPreset::kResEnc, "resenc", "ResEncUNetPlanner", "nnUNetResEncUNetPlans", {kRes, 680e6, 135e6}},
      {PlannerPreset::kResEncM,
       "resenc-m",
       "nnUNetPlannerResEncM",
       "nnUNetResEncUNetMPlans",
       {kRes, 680e6, 135e6, 8, 8, 1}},
      {PlannerPreset::kResEncL,
       "resenc-l",
       "nnUNetPlannerResEncL",
       "nnUNetResEncUNetLPlans",
       {kRes, 2.1e9, 380e6, 24, 24, 1}},
      {PlannerPreset::kResEncXL,
       "resenc-xl",
       "nnUNetPlannerResEncXL",
       "nnUNetResEncUNetXLPlans",
       {kRes, 3.6e9, 560e6, 40, 40, 1}},
  };
  return kPresets;
}

const PresetInfo& InfoOf(PlannerPreset preset) {
  for (const PresetInfo& info : PlannerPresets())
    if (info.preset == preset) return info;
  CONSILIUM_CHECK(false, "preset ", static_cast<int>(preset));
  std::abort();
}

StatusOr<PlannerPreset> PlannerPresetNamed(const std::string& name) {
  std::vector<std::string> known;
  for (const PresetInfo& info : PlannerPresets()) {
    if (info.name == name || info.planner_name == name) return info.preset;
    known.push_back(info.name);
  }
  std::string all;
  for (const std::string& one : known) all += (all.empty() ? "" : ", ") + one;
  return InvalidArgument("planner '", name, "' is not one of ", all,
                         NearestWord(name, known).empty() ? "" : Suggestion(name, known));
}

std::array<double, 3> TargetSpacing(const std::array<std::vector<double>, 3>& spacings,
                                    const std::array<std::vector<double>, 3>& shapes) {
  Axes target{}, size{};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    target[axis] = Percentile(spacings[axis], 50);
    size[axis] = Percentile(shapes[axis], 50);
  }
  const std::size_t worst = CoarsestAxis(target);
  const std::size_t a = worst == 0 ? 1 : 0, b = worst == 2 ? 1 : 2;  // the others
  const double others = std::max(target[a], target[b]);
  if (target[worst] > kAnisotropy * others && size[worst] * kAnisotropy < std::min(size[a], size[b])) {
    double finer = Percentile(spacings[worst], 10);
    if (finer < others) finer = std::max(others, finer) + 1e-5;  // never finer than the other axes
    target[worst] = finer;
  }
  return target;
}

PlanInput PlanInputOf(const DatasetFingerprint& fingerprint, const PlannerOptions& options) {
  std::array<std::vector<double>, 3> spacings, shapes;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    for (const auto& spacing : fingerprint.spacings) spacings[axis].push_back(spacing[axis]);
    for (const auto& shape : fingerprint.shapes_after_crop) shapes[axis].push_back(static_cast<double>(shape[axis]));
  }
  PlanInput input{.median_relative_size = fingerprint.median_relative_size, .channels = fingerprint.channels};
  input.target_spacing = options.target_spacing.value_or(TargetSpacing(spacings, shapes));
  for (std::size_t axis = 0; axis < 3; ++axis) {
    std::vector<double> resampled;
    for (std::size_t i = 0; i < shapes[axis].size(); ++i)
      resampled.push_back(std::nearbyint(spacings[axis][i] / input.target_spacing[axis] * shapes[axis][i]));
    input.median_spacing[axis] = Median(spacings[axis]);
    input.median_shape[axis] = Median(shapes[axis]);
    input.median_resampled_shape[axis] = Median(std::move(resampled));
  }
  return input;
}

StatusOr<Plans> PlanExperiment(const DatasetFacts& facts, const PlanInput& input, const PlannerOptions& options) {
  RETURN_IF_ERROR(CheckInput(facts, input, options));
  const PresetInfo& info = InfoOf(options.preset);
  NetworkBudget budget = info.budget;
  if (options.memory_gb > 0) budget.target_gb = options.memory_gb;

  Plans plans{.dataset_name = facts.name,
              .plans_name = info.plans_name,
              .planner_name = info.planner_name,
              .reader_writer = facts.file_ending == ".png" ? "NaturalImage2DIO" : "SimpleITKIO",
              .encoder = budget.encoder,
              .intensities = input.channels};
  // The coarsest axis goes first.
  const auto coarsest = static_cast<std::int64_t>(CoarsestAxis(input.target_spacing));
  for (std::int64_t axis = 0, next = 1; axis < 3; ++axis)
    plans.transpose_forward[static_cast<std::size_t>(axis == coarsest ? 0 : next++)] = axis;
  for (std::size_t i = 0; i < 3; ++i)
    plans.transpose_backward[static_cast<std::size_t>(plans.transpose_forward[i])] = static_cast<std::int64_t>(i);

  const std::vector<double> spacing = Transposed(input.target_spacing, plans.transpose_forward);
  const std::vector<double> shape = Transposed(input.median_resampled_shape, plans.transpose_forward);
  const double dataset_voxels = Product(shape) * static_cast<double>(facts.num_training);
  if (shape[0] != 1) {
    ASSIGN_OR_RETURN(plans.fullres, PlanConfiguration({spacing, shape, dataset_voxels, facts.labels}, budget));
    ASSIGN_OR_RETURN(plans.lowres, LowresSearch(*plans.fullres, facts, budget).Run());
    plans.fullres->batch_dice = plans.lowres.has_value();
  }
  ASSIGN_OR_RETURN(
      plans.flat,
      PlanConfiguration({{spacing[1], spacing[2]}, {shape[1], shape[2]}, dataset_voxels, facts.labels}, budget));
  plans.flat->batch_dice = true;

  for (const std::string& channel : facts.channel_names) {
    plans.normalization_schemes.push_back(SchemeFor(channel));
    plans.use_mask_for_norm.push_back(input.median_relative_size < kMaskedRelativeSize &&
                                      plans.normalization_schemes.back() == "ZScoreNormalization");
  }
  for (std::size_t i = 0; i < 3; ++i) {
    const auto axis = static_cast<std::size_t>(plans.transpose_forward[i]);
    plans.original_median_spacing[i] = input.median_spacing[axis];
    plans.original_median_shape[i] = static_cast<std::int64_t>(std::nearbyint(input.median_shape[axis]));
  }
  return plans;
}

}  // namespace consilium::datasets
