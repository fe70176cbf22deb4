// SiteStatistics for people.
#include "datasets/planner/site_statistics.h"

namespace consilium::datasets {
namespace {

Json Quantiles(const ValueHistogram& histogram, ValueKind kind) {
  if (histogram.empty()) return nullptr;
  const std::vector<double> at = histogram.Percentiles(std::vector<double>{5, 25, 50, 75, 95}, kind);
  return {{"p05", at[0]}, {"p25", at[1]}, {"median", at[2]}, {"p75", at[3]}, {"p95", at[4]}};
}

Json Axes(const std::array<ValueHistogram, 3>& histograms, ValueKind kind) {
  Json json = Json::object();
  for (std::size_t axis = 0; axis < 3; ++axis) json[std::string(1, "zyx"[axis])] = Quantiles(histograms[axis], kind);
  return json;
}

// [[from, to, weight], ...]: what is known of a distribution, to draw it.
Json Bars(const ValueHistogram& histogram) {
  Json bars = Json::array();
  for (const HistogramCell& cell : histogram.cells()) {
    const std::uint64_t width = cell.shift >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << cell.shift) - 1;
    bars.push_back({ValueOfKey(cell.begin), ValueOfKey(cell.begin | width), cell.weight});
  }
  return bars;
}

}  // namespace

Json StatisticsReport(const SiteStatistics& statistics) {
  Json json = {{"sites", statistics.sites},
               {"cases", statistics.cases},
               {"cases_min", statistics.cases_min},
               {"spacing_mm", Axes(statistics.spacing, ValueKind::kContinuous)},
               {"shape_voxels", Axes(statistics.shape, ValueKind::kWhole)},
               {"extent_mm", Axes(statistics.extent, ValueKind::kContinuous)},
               {"relative_size_after_cropping", Quantiles(statistics.relative_size, ValueKind::kContinuous)},
               {"channels", Json::array()},
               {"labels", Json::array()}};
  for (std::size_t c = 0; c < statistics.channels.size(); ++c) {
    const IntensityStatistics& channel = statistics.channels[c];
    const double cases = static_cast<double>(channel.cases);
    json["channels"].push_back({{"name", statistics.channel_names[c]},
                                {"cases_with_foreground", channel.cases},
                                {"sites_that_withheld", channel.withheld_sites},
                                {"mean", channel.cases > 0 ? Json(channel.mean.Value() / cases) : Json()},
                                {"foreground_intensity", Quantiles(channel.values, channel.kind)}});
  }
  for (const LabelStatistics& label : statistics.labels)
    json["labels"].push_back({{"name", label.name},
                              {"value", label.value},
                              {"cases_at_least", label.volumes.total()},
                              {"sites_that_withheld", label.withheld_sites},
                              {"volume", Quantiles(label.volumes, ValueKind::kContinuous)},
                              {"volume_histogram", Bars(label.volumes)}});
  return json;
}

}  // namespace consilium::datasets
