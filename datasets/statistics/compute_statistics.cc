#include "datasets/statistics/compute_statistics.h"

#include <algorithm>
#include <cmath>
#include <mutex>

namespace consilium::datasets {
namespace {

// One case's foreground in one channel, reduced to what is added up.
struct ForegroundSummary {
  double mean = 0, variance = 0;
  ValueKind kind = ValueKind::kWhole;
  std::vector<std::pair<double, std::uint64_t>> weights;  // a value of each cell, and its share of kCaseWeight
};

ForegroundSummary Summarise(std::vector<float> values) {
  ForegroundSummary summary;
  std::sort(values.begin(), values.end());
  const auto count = static_cast<double>(values.size());
  double sum = 0, squares = 0;
  for (const float value : values) {
    sum += value;
    if (value != std::nearbyint(value)) summary.kind = ValueKind::kContinuous;
  }
  summary.mean = sum / count;
  for (const float value : values) squares += (value - summary.mean) * (value - summary.mean);
  summary.variance = squares / count;
  // Shares are differences of a rounded running total, so that they add up to kCaseWeight.
  const auto share_up_to = [&](std::size_t n) {
    return static_cast<std::uint64_t>(
        std::nearbyint(static_cast<double>(n) / count * static_cast<double>(kCaseWeight)));
  };
  for (std::size_t begin = 0, end = 0; begin < values.size(); begin = end) {
    const std::uint64_t cell = CellOf(values[begin], kIntensityShift, 1).begin;
    while (end < values.size() && CellOf(values[end], kIntensityShift, 1).begin == cell) ++end;
    summary.weights.emplace_back(values[begin], share_up_to(end) - share_up_to(begin));
  }
  return summary;
}

struct Channel {
  explicit Channel(std::uint32_t cases_min) : values(kIntensityShift, cases_min) {}
  IntensityStatistics sums;
  SuppressedHistogram values;
};

struct Label {
  explicit Label(std::uint32_t cases_min) : volumes(kVolumeShift, cases_min) {}
  std::uint32_t cases = 0;
  SuppressedHistogram volumes;
};

class Computation {
 public:
  Computation(const RawDataset& dataset, std::uint32_t cases_min)
      : cases_min_(cases_min),
        channels_(dataset.description.channel_names.size(), Channel(cases_min)),
        labels_(dataset.description.labels.size(), Label(cases_min)),
        scalars_(10, SuppressedHistogram(kExactShift, cases_min)) {
    statistics_.channel_names = dataset.description.channel_names;
    statistics_.file_ending = dataset.description.file_ending;
    statistics_.cases_min = cases_min;
    statistics_.cases = dataset.cases.size();
    for (const auto& [name, value] : dataset.description.labels)
      statistics_.labels.push_back({.name = name, .value = value});
  }

  // Any thread.
  void Add(std::uint32_t number, MeasuredCase measured) {
    std::vector<ForegroundSummary> summaries;
    for (std::vector<float>& values : measured.foreground)
      if (!values.empty()) summaries.push_back(Summarise(std::move(values)));
    const std::lock_guard lock(mutex_);
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const double spacing = measured.spacing[axis], shape = static_cast<double>(measured.shape_after_crop[axis]);
      scalars_[axis].Add(number, spacing, 1);
      scalars_[3 + axis].Add(number, shape, 1);
      scalars_[6 + axis].Add(number, spacing * shape, 1);
    }
    scalars_[9].Add(number, measured.relative_size, 1);
    for (std::size_t c = 0; c < summaries.size(); ++c) AddForeground(number, summaries[c], &channels_[c]);
    for (std::size_t i = 0; i < labels_.size(); ++i) {
      const auto value = static_cast<std::size_t>(statistics_.labels[i].value);
      const std::int64_t voxels = measured.label_voxels[value];
      if (voxels == 0) continue;
      ++labels_[i].cases;
      labels_[i].volumes.Add(number, static_cast<double>(voxels) * measured.voxel_size, 1);
    }
  }

  SiteStatistics Finish() && {
    for (std::size_t axis = 0; axis < 3; ++axis) {
      statistics_.spacing[axis] = scalars_[axis].Build(kScalarCellsMax);
      statistics_.shape[axis] = scalars_[3 + axis].Build(kScalarCellsMax);
      statistics_.extent[axis] = scalars_[6 + axis].Build(kScalarCellsMax);
    }
    statistics_.relative_size = scalars_[9].Build(kScalarCellsMax);
    for (Channel& channel : channels_) {
      if (channel.sums.cases >= cases_min_) {
        channel.sums.values = channel.values.Build(IntensityCellsMax(channels_.size()));
      } else {
        const bool is_withheld = channel.sums.cases > 0;
        channel.sums = {.withheld_sites = is_withheld ? 1U : 0U};
        channel.sums.values = ValueHistogram(kIntensityShift, {});
      }
      statistics_.channels.push_back(std::move(channel.sums));
    }
    for (std::size_t i = 0; i < labels_.size(); ++i) {
      statistics_.labels[i].withheld_sites = labels_[i].cases > 0 && labels_[i].cases < cases_min_ ? 1 : 0;
      statistics_.labels[i].volumes = labels_[i].volumes.Build(kVolumeCellsMax);
    }
    return std::move(statistics_);
  }

 private:
  static void AddForeground(std::uint32_t number, const ForegroundSummary& summary, Channel* channel) {
    IntensityStatistics& sums = channel->sums;
    ++sums.cases;
    if (summary.kind == ValueKind::kContinuous) sums.kind = ValueKind::kContinuous;
    sums.mean.Add(summary.mean);
    sums.mean_squared.Add(summary.mean * summary.mean);
    sums.variance.Add(summary.variance);
    for (const auto& [value, weight] : summary.weights) channel->values.Add(number, value, weight);
  }

  const std::uint32_t cases_min_;
  SiteStatistics statistics_;
  std::mutex mutex_;  // guards all below
  std::vector<Channel> channels_;
  std::vector<Label> labels_;
  std::vector<SuppressedHistogram> scalars_;  // spacing, shape, extent by axis; relative size
};

}  // namespace

StatusOr<SiteStatistics> ComputeSiteStatistics(const RawDataset& dataset, const StatisticsOptions& options) {
  if (options.cases_min < 1) return InvalidArgument("cases_min is ", options.cases_min, "; expected at least 1");
  if (dataset.cases.size() < options.cases_min)
    return PermissionDenied(dataset.name, " has ", dataset.cases.size(), " cases; statistics of fewer than ",
                            options.cases_min, " would tell about single patients");
  if (dataset.cases.size() > kStatisticsCasesMax)
    return ResourceExhausted(dataset.name, " has ", dataset.cases.size(), " cases, more than the ", kStatisticsCasesMax,
                             " that statistics may describe");
  Computation computation(dataset, options.cases_min);
  RETURN_IF_ERROR(ForEachMeasuredCase(dataset, options.loop, [&](std::size_t index, MeasuredCase measured) {
    computation.Add(static_cast<std::uint32_t>(index), std::move(measured));
    return Status();
  }));
  return std::move(computation).Finish();
}

}  // namespace consilium::datasets
