// dataset.json, key by key.
#include <algorithm>
#include <set>

#include "datasets/image/image_io.h"
#include "datasets/raw/raw_dataset.h"

namespace consilium::datasets {
namespace {

// {"0": "T1", "1": "T2"} in any order.
StatusOr<std::vector<std::string>> ParseChannels(const Json& json, const std::string& where) {
  const char* key = json.contains("channel_names") ? "channel_names" : "modality";
  if (!json.contains(key))
    return InvalidArgument(where, ": channel_names is missing; expected for example {\"0\": \"MRI\"}");
  const Json& channels = json[key];
  if (!channels.is_object() || channels.empty())
    return InvalidArgument(where, ": ", key, " is ", channels.dump(), "; expected for example {\"0\": \"MRI\"}");
  std::vector<std::string> names;
  for (std::size_t channel = 0; channel < channels.size(); ++channel) {
    const auto name = channels.find(std::to_string(channel));
    if (name == channels.end())
      return InvalidArgument(where, ": ", key, " has ", channels.size(), " entries but no \"", channel,
                             "\"; channels are numbered \"0\", \"1\", ... without gaps");
    if (!name->is_string())
      return InvalidArgument(where, ": ", key, ".", channel, " is ", name->dump(), "; expected a name in quotes");
    names.push_back(name->get<std::string>());
  }
  return names;
}

StatusOr<std::vector<std::pair<std::string, std::int16_t>>> ParseLabels(const Json& json, const std::string& where) {
  constexpr const char* kExample = "; expected for example {\"background\": 0, \"tumour\": 1}";
  if (!json.contains("labels")) return InvalidArgument(where, ": labels is missing", kExample);
  const Json& entries = json["labels"];
  if (!entries.is_object() || entries.empty()) return InvalidArgument(where, ": labels is ", entries.dump(), kExample);
  std::vector<std::pair<std::string, std::int16_t>> labels;
  std::set<std::int64_t> values;
  for (const auto& [name, value] : entries.items()) {
    const std::string at = where + ": labels." + name;
    if (name == "ignore")
      return Unimplemented(at, ": an ignore label is not built yet; relabel those voxels or leave the case out");
    if (value.is_array())
      return Unimplemented(at, ": regions (several values to a label) are not built yet; give each label one value");
    if (value.is_string())
      return InvalidArgument(at, " is ", value.dump(), ": this is the older form value -> name", kExample);
    if (!value.is_number_integer()) return InvalidArgument(at, " is ", value.dump(), "; expected a whole number");
    const auto number = value.get<std::int64_t>();
    if (number < 0 || number > INT16_MAX) return InvalidArgument(at, " is ", number, "; expected 0 to ", INT16_MAX);
    if (!values.insert(number).second) return InvalidArgument(at, ": the value ", number, " is taken by another label");
    labels.emplace_back(name, static_cast<std::int16_t>(number));
  }
  const auto background =
      std::find_if(labels.begin(), labels.end(), [](const auto& l) { return l.first == "background"; });
  if (background == labels.end() || background->second != 0)
    return InvalidArgument(where, ": labels must name \"background\" with the value 0");
  if (*values.rbegin() != static_cast<std::int64_t>(values.size()) - 1)
    return InvalidArgument(where, ": label values must be 0, 1, 2, ... without gaps; there are ", values.size(),
                           " labels and the largest value is ", *values.rbegin());
  if (labels.size() < 2) return InvalidArgument(where, ": labels holds the background alone; nothing to learn");
  return labels;
}

StatusOr<std::string> ParseEnding(const Json& json, const std::string& where) {
  const std::span<const std::string> known = ImageEndings();
  if (!json.contains("file_ending"))
    return InvalidArgument(where, ": file_ending is missing; expected \".nii.gz\", \".nii\" or \".png\"");
  const Json& ending = json["file_ending"];
  if (!ending.is_string() || std::find(known.begin(), known.end(), ending.get<std::string>()) == known.end())
    return InvalidArgument(where, ": file_ending is ", ending.dump(), "; expected \".nii.gz\", \".nii\" or \".png\"");
  return ending.get<std::string>();
}

}  // namespace

StatusOr<DatasetDescription> ParseDatasetDescription(const Json& json, const std::string& where) {
  if (!json.is_object())
    return InvalidArgument(where, ": expected an object with channel_names, labels, numTraining, file_ending");
  if (json.contains("regions_class_order"))
    return Unimplemented(where, ": regions_class_order: regions are not built yet; give each label one value");
  if (json.contains("dataset"))
    return Unimplemented(where,
                         ": dataset: explicit file lists are not built yet; put the files into imagesTr and labelsTr");
  DatasetDescription description;
  ASSIGN_OR_RETURN(description.channel_names, ParseChannels(json, where));
  ASSIGN_OR_RETURN(description.labels, ParseLabels(json, where));
  ASSIGN_OR_RETURN(description.file_ending, ParseEnding(json, where));
  if (!json.contains("numTraining"))
    return InvalidArgument(where, ": numTraining is missing; expected the number of training cases");
  const Json& num_training = json["numTraining"];
  if (!num_training.is_number_integer() || num_training.get<std::int64_t>() < 0)
    return InvalidArgument(where, ": numTraining is ", num_training.dump(), "; expected the number of training cases");
  description.num_training = num_training.get<std::int64_t>();
  return description;
}

}  // namespace consilium::datasets
