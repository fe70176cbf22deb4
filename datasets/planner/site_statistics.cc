#include "datasets/planner/site_statistics.h"

#include <algorithm>

#include "datasets/planner/varint.h"

namespace consilium::datasets {
namespace {

constexpr std::string_view kMagic = "consilium.statistics.1";
constexpr std::size_t kNamesMax = 1024;  // channels, and labels
constexpr std::size_t kNameBytesMax = 256;

template <typename Statistics, typename Visit>
void ForEachScalar(Statistics& statistics, const Visit& visit) {
  for (auto* histograms : {&statistics.spacing, &statistics.shape, &statistics.extent})
    for (auto& histogram : *histograms) visit(histogram);
  visit(statistics.relative_size);
}

std::string Names(const SiteStatistics& statistics) {
  std::string names = "channels";
  for (const std::string& channel : statistics.channel_names) names += " '" + channel + "'";
  names += ", labels";
  for (const LabelStatistics& label : statistics.labels) names += Concat(" ", label.value, "='", label.name, "'");
  return names + ", files " + statistics.file_ending;
}

bool SameDescription(const SiteStatistics& a, const SiteStatistics& b) {
  return a.channel_names == b.channel_names && a.file_ending == b.file_ending &&
         std::equal(
             a.labels.begin(), a.labels.end(), b.labels.begin(), b.labels.end(),
             [](const LabelStatistics& x, const LabelStatistics& y) { return x.name == y.name && x.value == y.value; });
}

void MergeChannel(const IntensityStatistics& other, std::size_t cells_max, IntensityStatistics* sum) {
  sum->cases += other.cases;
  sum->withheld_sites += other.withheld_sites;
  if (other.kind == ValueKind::kContinuous) sum->kind = ValueKind::kContinuous;
  sum->mean.Merge(other.mean);
  sum->mean_squared.Merge(other.mean_squared);
  sum->variance.Merge(other.variance);
  sum->values.Merge(other.values, cells_max);
}

IntensityStatistics DecodeChannel(ByteReader* reader, std::uint64_t cases_of_site, std::size_t cells_max) {
  IntensityStatistics channel;
  channel.cases = GetVarint(reader);
  channel.withheld_sites = reader->Get<std::uint32_t>();
  channel.kind = reader->Get<bool>() ? ValueKind::kWhole : ValueKind::kContinuous;
  if (channel.cases > cases_of_site) reader->Fail(Concat(channel.cases, " cases with foreground of ", cases_of_site));
  for (ExactSum* sum : {&channel.mean, &channel.mean_squared, &channel.variance}) *sum = ExactSum::DecodeFrom(reader);
  if (!reader->status().ok()) return channel;
  channel.values = ValueHistogram::DecodeFrom(reader, cells_max, channel.cases * kCaseWeight);
  if (reader->status().ok() && channel.values.total() != channel.cases * kCaseWeight)
    reader->Fail(Concat("intensities weigh ", channel.values.total(), ", not as much as ", channel.cases, " cases"));
  return channel;
}

}  // namespace

std::size_t IntensityCellsMax(std::size_t channels) {
  return std::max<std::size_t>(256, 32768 / std::max<std::size_t>(channels, 1));
}

Status Merge(const SiteStatistics& other, SiteStatistics* sum) {
  if (!SameDescription(other, *sum))
    return InvalidArgument("the sites' data sets are described differently: ", Names(*sum), "; and ", Names(other),
                           "; make dataset.json the same everywhere");
  if (other.cases > kStatisticsCasesMax - sum->cases)
    return ResourceExhausted(sum->cases, " and ", other.cases, " cases are more than the ", kStatisticsCasesMax,
                             " that statistics may describe");
  sum->sites += other.sites;
  sum->cases_min = std::min(sum->cases_min, other.cases_min);
  sum->cases += other.cases;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    sum->spacing[axis].Merge(other.spacing[axis], kScalarCellsMax);
    sum->shape[axis].Merge(other.shape[axis], kScalarCellsMax);
    sum->extent[axis].Merge(other.extent[axis], kScalarCellsMax);
  }
  sum->relative_size.Merge(other.relative_size, kScalarCellsMax);
  const std::size_t cells_max = IntensityCellsMax(sum->channels.size());
  for (std::size_t c = 0; c < sum->channels.size(); ++c) MergeChannel(other.channels[c], cells_max, &sum->channels[c]);
  for (std::size_t i = 0; i < sum->labels.size(); ++i) {
    sum->labels[i].withheld_sites += other.labels[i].withheld_sites;
    sum->labels[i].volumes.Merge(other.labels[i].volumes, kVolumeCellsMax);
  }
  return Status();
}

Bytes EncodeStatistics(const SiteStatistics& statistics) {
  CONSILIUM_CHECK(statistics.channels.size() == statistics.channel_names.size(), statistics.channels.size());
  ByteWriter writer;
  writer.PutString(kMagic);
  writer.PutString(statistics.file_ending);
  writer.Put(statistics.sites);
  writer.Put(statistics.cases_min);
  PutVarint(&writer, statistics.cases);
  ForEachScalar(statistics, [&](const ValueHistogram& histogram) { histogram.EncodeTo(&writer); });
  writer.Put(static_cast<std::uint32_t>(statistics.channels.size()));
  for (std::size_t c = 0; c < statistics.channels.size(); ++c) {
    const IntensityStatistics& channel = statistics.channels[c];
    writer.PutString(statistics.channel_names[c]);
    PutVarint(&writer, channel.cases);
    writer.Put(channel.withheld_sites);
    writer.Put(channel.kind == ValueKind::kWhole);
    for (const ExactSum* sum : {&channel.mean, &channel.mean_squared, &channel.variance}) sum->EncodeTo(&writer);
    channel.values.EncodeTo(&writer);
  }
  writer.Put(static_cast<std::uint32_t>(statistics.labels.size()));
  for (const LabelStatistics& label : statistics.labels) {
    writer.PutString(label.name);
    writer.Put(label.value);
    writer.Put(label.withheld_sites);
    label.volumes.EncodeTo(&writer);
  }
  return std::move(writer).Take();
}

StatusOr<SiteStatistics> DecodeStatistics(ByteSpan bytes) {
  if (bytes.size() > kStatisticsBytesMax)
    return InvalidArgument("statistics of ", bytes.size(), " bytes; at most ", kStatisticsBytesMax, " are read");
  ByteReader reader(bytes);
  SiteStatistics statistics;
  if (reader.GetString(kMagic.size()) != kMagic) reader.Fail("these are not statistics of this version");
  statistics.file_ending = reader.GetString(kNameBytesMax);
  statistics.sites = reader.Get<std::uint32_t>();
  statistics.cases_min = reader.Get<std::uint32_t>();
  statistics.cases = GetVarint(&reader);
  // Every site that went in had at least cases_min cases.
  if (statistics.cases > kStatisticsCasesMax || statistics.sites == 0 || statistics.cases_min == 0 ||
      statistics.sites > statistics.cases / statistics.cases_min)
    reader.Fail(Concat(statistics.cases, " cases of ", statistics.sites, " sites with at least ", statistics.cases_min,
                       " cases each; that cannot be, or is more than can be described"));
  ForEachScalar(statistics, [&](ValueHistogram& histogram) {
    if (!reader.status().ok()) return;
    histogram = ValueHistogram::DecodeFrom(&reader, kScalarCellsMax, statistics.cases);
    if (reader.status().ok() && histogram.total() != statistics.cases)
      reader.Fail(Concat("a histogram of ", histogram.total(), " cases, expected ", statistics.cases));
  });
  const auto channels = reader.Get<std::uint32_t>();
  if (channels == 0 || channels > kNamesMax) reader.Fail(Concat(channels, " channels"));
  for (std::uint32_t c = 0; c < channels && reader.status().ok(); ++c) {
    statistics.channel_names.push_back(reader.GetString(kNameBytesMax));
    statistics.channels.push_back(DecodeChannel(&reader, statistics.cases, IntensityCellsMax(channels)));
  }
  const auto labels = reader.Get<std::uint32_t>();
  if (labels < 2 || labels > kNamesMax) reader.Fail(Concat(labels, " labels, expected background and at least one"));
  for (std::uint32_t i = 0; i < labels && reader.status().ok(); ++i) {
    LabelStatistics label{.name = reader.GetString(kNameBytesMax)};
    label.value = reader.Get<std::int16_t>();
    label.withheld_sites = reader.Get<std::uint32_t>();
    label.volumes = ValueHistogram::DecodeFrom(&reader, kVolumeCellsMax, statistics.cases);
    statistics.labels.push_back(std::move(label));
  }
  RETURN_IF_ERROR(Annotate(reader.Finish(), "statistics"));
  return statistics;
}

}  // namespace consilium::datasets
