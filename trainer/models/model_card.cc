#include "trainer/models/model_card.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>

#include "trainer/models/registry.h"

namespace consilium::trainer {
namespace {

using datasets::Normalization;

constexpr std::int64_t kFormat = 1;
constexpr std::int64_t kChannelsMax = 64;

void ReadSchemes(ConfigReader& reader, ModelCard* card) {
  std::vector<std::string> names;
  reader.Read("normalization", &names);
  for (const std::string& name : names) {
    const std::optional<Normalization> scheme = datasets::NormalizationNamed(name);
    if (!scheme) return reader.Refuse("normalization", "names such as \"ZScoreNormalization\" or \"NoNormalization\"");
    card->normalization.push_back(*scheme);
  }
  if (names.size() != card->channel_names.size())
    reader.Refuse("normalization", Concat("one name a channel (", card->channel_names.size(), ")"));
}

// {"0": {"mean": ..., "std": ..., "low": ..., "high": ...}, ...}
void ReadCt(ConfigReader& reader, ModelCard* card) {
  for (std::size_t c = 0; c < card->channel_names.size(); ++c) {
    datasets::CtIntensities& ct = card->ct.emplace_back();
    reader.Require(std::to_string(c));
    reader.ReadMap(std::to_string(c), [&](ConfigReader& nested) {
      nested.Read("mean", &ct.mean);
      nested.Read("std", &ct.std, AtLeast(0.0));
      nested.Read("low", &ct.low);
      nested.Read("high", &ct.high);
    });
  }
}

void ReadLabels(ConfigReader& reader, ModelCard* card) {
  for (const std::string& name : reader.node().keys()) {
    std::int64_t value = 0;
    reader.Read(name, &value, Between<std::int64_t>(0, std::numeric_limits<std::int16_t>::max()));
    card->labels.emplace_back(name, static_cast<std::int16_t>(value));
  }
}

// Class indices are the label values: 0, 1, 2, ... without gaps.
bool LabelsAreConsecutive(const ModelCard& card) {
  std::vector<std::int64_t> values;
  for (const auto& [name, value] : card.labels) values.push_back(value);
  std::sort(values.begin(), values.end());
  for (std::size_t i = 0; i < values.size(); ++i)
    if (values[i] != static_cast<std::int64_t>(i)) return false;
  return values.size() >= 2;
}

void ReadModelSpec(ConfigReader& reader, wire::ModelSpec* spec) {
  reader.Read("architecture", &spec->architecture);
  reader.Read("patch_size", &spec->patch_size);
  reader.Read("base_features", &spec->base_features);
  reader.Read("features_max", &spec->features_max);
  reader.Read("strides", &spec->strides);
  reader.Read("kernels", &spec->kernels);
  reader.Read("deep_supervision", &spec->deep_supervision);
}

}  // namespace

ModelInput ModelCard::input() const {
  return {.channels = static_cast<std::int64_t>(channel_names.size()),
          .classes = static_cast<std::int64_t>(labels.size())};
}

ModelCard MakeModelCard(const wire::JobSpec& job, const wire::ModelSpec& resolved,
                        const datasets::DatasetDescription& description, const datasets::PrepareOptions& prepare,
                        const datasets::Spacing3& spacing) {
  ModelCard card;
  card.dataset = job.data.dataset;
  card.configuration = job.data.configuration;
  card.channel_names = description.channel_names;
  card.labels = description.labels;
  card.file_ending = description.file_ending;
  card.normalization = prepare.normalization;
  card.normalization.resize(card.channel_names.size(), Normalization::kZScore);  // empty means z-score for all
  card.normalize_inside_mask_only = prepare.normalize_inside_mask_only;
  card.ct = prepare.ct;
  card.spacing = spacing;
  card.model = resolved;
  if (job.train.augmentation.mirror) {
    card.mirror_axes.resize(resolved.patch_size.size());
    std::iota(card.mirror_axes.begin(), card.mirror_axes.end(), 0);
  }
  return card;
}

Json ModelCardToJson(const ModelCard& card) {
  Json json;
  json["format"] = kFormat;
  json["dataset"] = card.dataset;
  json["configuration"] = card.configuration;
  json["channel_names"] = card.channel_names;
  json["labels"] = Json::object();
  for (const auto& [name, value] : card.labels) json["labels"][name] = value;
  json["file_ending"] = card.file_ending;
  json["normalization"] = Json::array();
  for (const Normalization scheme : card.normalization)
    json["normalization"].push_back(datasets::NormalizationName(scheme));
  json["normalize_inside_mask_only"] = card.normalize_inside_mask_only;
  for (std::size_t c = 0; c < card.ct.size(); ++c)
    json["ct"][std::to_string(c)] = {
        {"mean", card.ct[c].mean}, {"std", card.ct[c].std}, {"low", card.ct[c].low}, {"high", card.ct[c].high}};
  json["spacing"] = card.spacing;
  json["mirror_axes"] = card.mirror_axes;
  wire::JobSpec job;
  job.model = card.model;
  json["model"] = wire::JobToJson(job)["model"];
  return json;
}

StatusOr<ModelCard> ParseModelCard(const ConfigNode& root) {
  ModelCard card;
  ConfigReader reader(root);
  std::int64_t format = 0;
  for (const char* key : {"format", "channel_names", "labels", "file_ending", "spacing", "model"}) reader.Require(key);
  reader.Read("format", &format, Between(kFormat, kFormat));
  reader.Read("dataset", &card.dataset);
  reader.Read("configuration", &card.configuration, OneOf({"2d", "3d_fullres"}));
  reader.Read("channel_names", &card.channel_names);
  reader.ReadMap("labels", [&](ConfigReader& nested) { ReadLabels(nested, &card); });
  reader.Read("file_ending", &card.file_ending);
  ReadSchemes(reader, &card);
  reader.Read("normalize_inside_mask_only", &card.normalize_inside_mask_only);
  reader.ReadMap("ct", [&](ConfigReader& nested) { ReadCt(nested, &card); });
  std::vector<double> spacing;
  reader.Read("spacing", &spacing);
  reader.Read("mirror_axes", &card.mirror_axes);
  reader.ReadMap("model", [&](ConfigReader& nested) { ReadModelSpec(nested, &card.model); });
  RETURN_IF_ERROR(reader.Finish());

  if (card.channel_names.empty() || card.input().channels > kChannelsMax)
    reader.Refuse("channel_names", Concat("1 to ", kChannelsMax, " names"));
  if (card.ct.empty() &&
      std::find(card.normalization.begin(), card.normalization.end(), Normalization::kCt) != card.normalization.end())
    reader.Refuse("ct", "the intensities that CTNormalization scales by, a section for each channel");
  if (!LabelsAreConsecutive(card)) reader.Refuse("labels", "the values 0, 1, 2, ... without gaps, at least two");
  if (spacing.size() != 3 || *std::min_element(spacing.begin(), spacing.end()) <= 0)
    reader.Refuse("spacing", "three positive numbers, mm, (z, y, x)");
  const auto dimension = static_cast<std::int64_t>(card.model.patch_size.size());
  for (const std::int64_t axis : card.mirror_axes)
    if (axis < 0 || axis >= dimension) reader.Refuse("mirror_axes", Concat("axes 0 to ", dimension - 1));
  RETURN_IF_ERROR(reader.status());
  std::copy_n(spacing.begin(), 3, card.spacing.begin());
  StatusOr<wire::ModelSpec> model = ResolveModel(card.model);
  if (!model.ok()) return Annotate(model.status(), root.where());
  card.model = *std::move(model);
  return card;
}

Status WriteModelCard(const std::filesystem::path& run, const ModelCard& card) {
  return WriteJson(run / kModelCardFile, ModelCardToJson(card));
}

StatusOr<ModelCard> ReadModelCard(const std::filesystem::path& run) {
  const StatusOr<ConfigNode> root = ConfigNode::ReadFile(run / kModelCardFile);
  if (!root.ok())
    return Annotate(root.status(), "reading the model's description (is ", run.string(),
                    " the RUN directory of a training?)");
  return ParseModelCard(*root);
}

datasets::DatasetDescription DescriptionOf(const ModelCard& card) {
  datasets::DatasetDescription description;
  description.channel_names = card.channel_names;
  description.labels = card.labels;
  description.file_ending = card.file_ending;
  return description;
}

datasets::PrepareOptions PrepareOptionsOf(const ModelCard& card) {
  datasets::PrepareOptions options;
  options.num_classes = card.input().classes;
  options.normalization = card.normalization;
  options.normalize_inside_mask_only = card.normalize_inside_mask_only;
  options.ct = card.ct;
  const bool is_flat = card.model.patch_size.size() == 2;
  options.spacing.assign(card.spacing.begin() + (is_flat ? 1 : 0), card.spacing.end());
  return options;
}

StatusOr<datasets::PrepareOptions> PrepareOptionsOf(const wire::JobSpec& job,
                                                    const datasets::DatasetDescription& description) {
  const std::vector<wire::ChannelNormalization>& planned = job.data.normalization;
  if (planned.empty()) {
    ASSIGN_OR_RETURN(datasets::PrepareOptions options, datasets::PrepareOptionsFor(description));
    options.spacing = job.data.spacing;
    return options;
  }
  if (planned.size() != description.channel_names.size())
    return InvalidArgument("data.normalization is for ", planned.size(), " channels, but ", job.data.dataset, " has ",
                           description.channel_names.size(), "; plan with this data set");
  datasets::PrepareOptions options{.num_classes = description.num_classes(), .normalization = {}, .ct = {}};
  std::optional<bool> inside_mask;
  for (const wire::ChannelNormalization& channel : planned) {
    const std::optional<Normalization> scheme = datasets::NormalizationNamed(channel.scheme);
    if (!scheme) return InvalidArgument("data.normalization: '", channel.scheme, "' is not a scheme");
    options.normalization.push_back(*scheme);
    options.ct.push_back({channel.mean, channel.std, channel.percentile_00_5, channel.percentile_99_5});
    if (*scheme != Normalization::kZScore) continue;
    if (inside_mask.value_or(channel.inside_mask) != channel.inside_mask)
      return Unimplemented("data.normalization: z-scores inside the mask for some channels only");
    inside_mask = channel.inside_mask;
  }
  options.normalize_inside_mask_only = inside_mask.value_or(false);
  options.spacing = job.data.spacing;
  const auto is_ct = [](Normalization scheme) { return scheme == Normalization::kCt; };
  if (std::none_of(options.normalization.begin(), options.normalization.end(), is_ct)) options.ct.clear();
  return options;
}

}  // namespace consilium::trainer
