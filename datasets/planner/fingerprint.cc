#include "datasets/planner/fingerprint.h"

#include <cmath>

namespace consilium::datasets {
namespace {

struct Property {
  const char* key;
  double IntensityProperties::*value;
};
// Sorted by name, as nnU-Net writes them.
constexpr Property kProperties[] = {
    {"max", &IntensityProperties::max},
    {"mean", &IntensityProperties::mean},
    {"median", &IntensityProperties::median},
    {"min", &IntensityProperties::min},
    {"percentile_00_5", &IntensityProperties::percentile_00_5},
    {"percentile_99_5", &IntensityProperties::percentile_99_5},
    {"std", &IntensityProperties::std},
};

constexpr char kIntensities[] = "foreground_intensity_properties_per_channel";
constexpr char kRelativeSize[] = "median_relative_size_after_cropping";

// [[1.0, 1.0, 1.0], ...]: three positive numbers a case.
StatusOr<std::vector<std::array<double, 3>>> ReadTriples(const Json& json, const std::string& key,
                                                         const std::string& where) {
  if (!json.contains(key) || !json[key].is_array() || json[key].empty())
    return InvalidArgument(where, ": ", key, " must be a list with three numbers for each case");
  std::vector<std::array<double, 3>> triples;
  for (const Json& entry : json[key]) {
    std::array<double, 3> triple{};
    bool is_good = entry.is_array() && entry.size() == 3;
    for (std::size_t axis = 0; is_good && axis < 3; ++axis) {
      is_good = entry[axis].is_number();
      if (is_good) triple[axis] = entry[axis].get<double>();
      is_good = is_good && std::isfinite(triple[axis]) && triple[axis] > 0;
    }
    if (!is_good)
      return InvalidArgument(where, ": ", key, "[", triples.size(), "] is ", entry.dump(),
                             "; expected three positive numbers (z, y, x)");
    triples.push_back(triple);
  }
  return triples;
}

}  // namespace

Json IntensitiesToJson(const std::vector<IntensityProperties>& channels) {
  Json json = Json::object();
  for (std::size_t c = 0; c < channels.size(); ++c) {
    Json& channel = json[std::to_string(c)];
    for (const Property& property : kProperties) channel[property.key] = channels[c].*property.value;
  }
  return json;
}

StatusOr<std::vector<IntensityProperties>> IntensitiesFromJson(const Json& json, const std::string& where) {
  if (!json.is_object() || json.empty())
    return InvalidArgument(where, ": ", kIntensities, " must hold \"0\", \"1\", ... for the channels");
  std::vector<IntensityProperties> channels(json.size());
  for (std::size_t c = 0; c < channels.size(); ++c) {
    const std::string name = std::to_string(c);
    if (!json.contains(name) || !json[name].is_object())
      return InvalidArgument(where, ": ", kIntensities, " holds ", json.size(), " channels, but none is \"", name,
                             "\"");
    for (const Property& property : kProperties) {
      const Json& channel = json[name];
      if (!channel.contains(property.key) || !channel[property.key].is_number())
        return InvalidArgument(where, ": ", kIntensities, ".", name, ".", property.key, " must be a number");
      channels[c].*property.value = channel[property.key].get<double>();
    }
  }
  return channels;
}

Json FingerprintToJson(const DatasetFingerprint& fingerprint) {
  return {{kIntensities, IntensitiesToJson(fingerprint.channels)},
          {kRelativeSize, fingerprint.median_relative_size},
          {"shapes_after_crop", fingerprint.shapes_after_crop},
          {"spacings", fingerprint.spacings}};
}

StatusOr<DatasetFingerprint> FingerprintFromJson(const Json& json, const std::string& where) {
  if (!json.is_object()) return InvalidArgument(where, ": expected an object with spacings, shapes_after_crop, ...");
  DatasetFingerprint fingerprint;
  ASSIGN_OR_RETURN(fingerprint.spacings, ReadTriples(json, "spacings", where));
  ASSIGN_OR_RETURN(const auto shapes, ReadTriples(json, "shapes_after_crop", where));
  if (shapes.size() != fingerprint.spacings.size())
    return InvalidArgument(where, ": ", fingerprint.spacings.size(), " spacings, but ", shapes.size(),
                           " shapes_after_crop; expected one of each for a case");
  for (const auto& shape : shapes) {
    std::array<std::int64_t, 3> whole{};
    for (std::size_t axis = 0; axis < 3; ++axis) {
      if (shape[axis] != std::floor(shape[axis]) || shape[axis] > 1 << 20)
        return InvalidArgument(where, ": shapes_after_crop holds ", shape[axis], "; expected whole numbers of voxels");
      whole[axis] = static_cast<std::int64_t>(shape[axis]);
    }
    fingerprint.shapes_after_crop.push_back(whole);
  }
  if (!json.contains(kIntensities)) return InvalidArgument(where, ": ", kIntensities, " is missing");
  ASSIGN_OR_RETURN(fingerprint.channels, IntensitiesFromJson(json[kIntensities], where));
  if (!json.contains(kRelativeSize) || !json[kRelativeSize].is_number())
    return InvalidArgument(where, ": ", kRelativeSize, " must be a number");
  fingerprint.median_relative_size = json[kRelativeSize].get<double>();
  return fingerprint;
}

}  // namespace consilium::datasets
