#include "datasets/statistics/fingerprint_extractor.h"

#include <algorithm>
#include <cmath>
#include <mutex>

#include "comm/base/rng.h"
#include "datasets/planner/intensity_properties.h"
#include "datasets/planner/quantile.h"

namespace consilium::datasets {
namespace {

constexpr std::uint32_t kSampleSeed = 1234;
constexpr std::size_t kCellsMax = 2'000'000;

// How often each voxel is drawn: numpy.random.RandomState.choice with replacement.
std::vector<std::uint32_t> DrawCounts(std::size_t voxels, std::int64_t samples, Mt19937* generator) {
  std::vector<std::uint32_t> counts(voxels, 0);
  if (voxels == 1) {
    counts[0] = static_cast<std::uint32_t>(samples);  // NumPy draws nothing where there is no choice
    return counts;
  }
  const auto last = static_cast<std::uint32_t>(voxels - 1);
  for (std::int64_t i = 0; i < samples; ++i) ++counts[generator->UpTo(last)];
  return counts;
}

// One channel over all cases.
class ChannelSample {
 public:
  // Any thread.
  void Add(const std::vector<float>& values, const std::vector<std::uint32_t>& counts) {
    double samples = 0, sum = 0, squares = 0;
    std::vector<HistogramCell> cells;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (counts[i] == 0) continue;
      samples += counts[i];
      sum += counts[i] * static_cast<double>(values[i]);
      cells.push_back(CellOf(values[i], kExactShift, counts[i]));
    }
    const double mean = sum / samples;
    for (std::size_t i = 0; i < values.size(); ++i) squares += counts[i] * (values[i] - mean) * (values[i] - mean);
    const ValueHistogram histogram(kExactShift, std::move(cells));

    const std::lock_guard lock(mutex_);
    ++sums_.cases;
    sums_.mean.Add(mean);
    sums_.mean_squared.Add(mean * mean);
    sums_.variance.Add(squares / samples);
    pending_.insert(pending_.end(), histogram.cells().begin(), histogram.cells().end());
    if (pending_.size() > std::max(sums_.values.cells().size(), kCellsMax / 2)) Fold();
  }

  StatusOr<IntensityProperties> Finish() {
    Fold();
    if (sums_.cases == 0) return InvalidArgument("no case has a label above 0: there is no foreground to learn from");
    return PropertiesOf(sums_);
  }

 private:
  // Few large merges instead of one for each case.
  void Fold() {
    sums_.values.Merge(ValueHistogram(kExactShift, std::move(pending_)), kCellsMax);
    pending_ = {};
  }

  std::mutex mutex_;
  IntensityStatistics sums_{.kind = ValueKind::kContinuous};  // exact, so that the threads' order does not show
  std::vector<HistogramCell> pending_;
};

}  // namespace

StatusOr<DatasetFingerprint> ExtractFingerprint(const RawDataset& dataset, const FingerprintOptions& options) {
  if (dataset.cases.empty()) return InvalidArgument(dataset.folder.string(), " holds no case");
  const std::size_t cases = dataset.cases.size();
  const std::int64_t samples = std::max<std::int64_t>(options.samples / static_cast<std::int64_t>(cases), 1);
  DatasetFingerprint fingerprint;
  fingerprint.spacings.resize(cases);
  fingerprint.shapes_after_crop.resize(cases);
  std::vector<double> relative_sizes(cases);
  std::vector<ChannelSample> channels(static_cast<std::size_t>(dataset.description.num_channels()));
  RETURN_IF_ERROR(ForEachMeasuredCase(dataset, options.loop, [&](std::size_t index, MeasuredCase measured) -> Status {
    fingerprint.spacings[index] = measured.spacing;
    fingerprint.shapes_after_crop[index] = measured.shape_after_crop;
    relative_sizes[index] = measured.relative_size;
    Mt19937 generator(kSampleSeed);  // anew for each case, and on through its channels
    for (std::size_t c = 0; c < channels.size() && !measured.foreground[c].empty(); ++c)
      channels[c].Add(measured.foreground[c], DrawCounts(measured.foreground[c].size(), samples, &generator));
    return {};
  }));
  for (ChannelSample& channel : channels) {
    ASSIGN_OR_RETURN(const IntensityProperties properties, channel.Finish());
    fingerprint.channels.push_back(properties);
  }
  fingerprint.median_relative_size = Median(std::move(relative_sizes));
  return fingerprint;
}

DatasetFacts FactsOf(const RawDataset& dataset) {
  return {.name = dataset.name,
          .channel_names = dataset.description.channel_names,
          .labels = static_cast<std::int64_t>(dataset.description.labels.size()),
          .num_training = static_cast<std::int64_t>(dataset.cases.size()),
          .file_ending = dataset.description.file_ending};
}

}  // namespace consilium::datasets
