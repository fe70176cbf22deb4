#include "datasets/planner/federated_plan.h"

#include <algorithm>
#include <cmath>

#include "datasets/planner/intensity_properties.h"
#include "datasets/planner/quantile.h"

namespace consilium::datasets {
namespace {

StatusOr<std::vector<double>> PositiveSamples(const ValueHistogram& histogram, ValueKind kind, const char* what) {
  std::vector<double> samples = histogram.Samples(kind);
  if (samples.empty() || !(samples.front() > 0) || samples.back() > 1e9)
    return InvalidArgument("the sites' statistics hold a ", what, " of ",
                           samples.empty() ? 0.0 : (samples.front() > 0 ? samples.back() : samples.front()),
                           "; expected numbers above 0 and up to 1e9");
  return samples;
}

}  // namespace

StatusOr<PlanInput> PlanInputOf(const SiteStatistics& statistics, const PlannerOptions& options) {
  std::array<std::vector<double>, 3> spacings, shapes, extents;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    ASSIGN_OR_RETURN(spacings[axis], PositiveSamples(statistics.spacing[axis], ValueKind::kContinuous, "spacing"));
    ASSIGN_OR_RETURN(shapes[axis], PositiveSamples(statistics.shape[axis], ValueKind::kWhole, "shape"));
    ASSIGN_OR_RETURN(extents[axis], PositiveSamples(statistics.extent[axis], ValueKind::kContinuous, "size"));
  }
  PlanInput input;
  input.target_spacing = options.target_spacing.value_or(TargetSpacing(spacings, shapes));
  for (std::size_t axis = 0; axis < 3; ++axis) {
    input.median_spacing[axis] = Median(spacings[axis]);
    input.median_shape[axis] = Median(shapes[axis]);
    for (double& extent : extents[axis]) extent = std::nearbyint(extent / input.target_spacing[axis]);
    input.median_resampled_shape[axis] = std::max(Median(std::move(extents[axis])), 1.0);
  }
  ASSIGN_OR_RETURN(std::vector<double> sizes,
                   PositiveSamples(statistics.relative_size, ValueKind::kContinuous, "relative size"));
  input.median_relative_size = Median(std::move(sizes));
  for (std::size_t c = 0; c < statistics.channels.size(); ++c) {
    const IntensityStatistics& channel = statistics.channels[c];
    if (channel.cases == 0)
      return InvalidArgument("channel ", c, " ('", statistics.channel_names[c], "'): no site has ",
                             statistics.cases_min, " or more cases with foreground, so nothing is known of it");
    input.channels.push_back(PropertiesOf(channel));
    const IntensityProperties& found = input.channels.back();
    if (!std::isfinite(found.mean) || !std::isfinite(found.std))
      return InvalidArgument("channel ", c, " ('", statistics.channel_names[c], "'): the sites' sums give a mean of ",
                             found.mean, " and a deviation of ", found.std);
  }
  return input;
}

StatusOr<Json> PlanFromStatistics(const SiteStatistics& statistics, const std::string& dataset,
                                  const PlannerOptions& options) {
  ASSIGN_OR_RETURN(const PlanInput input, PlanInputOf(statistics, options));
  ASSIGN_OR_RETURN(const Plans plans, PlanExperiment({.name = dataset,
                                                      .channel_names = statistics.channel_names,
                                                      .labels = static_cast<std::int64_t>(statistics.labels.size()),
                                                      .num_training = static_cast<std::int64_t>(statistics.cases),
                                                      .file_ending = statistics.file_ending},
                                                     input, options));
  return PlansToJson(plans);
}

Digest PlanDigest(const Json& plans) { return Sha256Of(nlohmann::json(plans).dump()); }

}  // namespace consilium::datasets
