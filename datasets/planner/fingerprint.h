// What nnU-Net knows of a data set before it plans: dataset_fingerprint.json, readable by and from nnU-Net.
//
// Source: nnU-Net v2's DatasetFingerprintExtractor (Isensee et al., Nature Methods 2021); the file's keys are its keys.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "comm/base/json.h"
#include "comm/base/status.h"

namespace consilium::datasets {

// Of the foreground voxels (label > 0) of all cases, each case weighing the same.  Population standard deviation.
struct IntensityProperties {
  double mean = 0, median = 0, std = 0, min = 0, max = 0;
  double percentile_00_5 = 0, percentile_99_5 = 0;
  friend bool operator==(const IntensityProperties&, const IntensityProperties&) = default;
};

struct DatasetFingerprint {
  std::vector<std::array<double, 3>> spacings;                 // a case: mm, (z, y, x)
  std::vector<std::array<std::int64_t, 3>> shapes_after_crop;  // a case: voxels, (z, y, x)
  std::vector<IntensityProperties> channels;                   // channel 0 first
  double median_relative_size = 1;                             // voxels after the crop / before
  friend bool operator==(const DatasetFingerprint&, const DatasetFingerprint&) = default;
};

// {"mean", "median", "std", "min", "max", "percentile_00_5", "percentile_99_5"} under "0", "1", ...
Json IntensitiesToJson(const std::vector<IntensityProperties>& channels);
StatusOr<std::vector<IntensityProperties>> IntensitiesFromJson(const Json& json, const std::string& where);

Json FingerprintToJson(const DatasetFingerprint& fingerprint);
// Checks every number: positive spacings and shapes, as many of one as of the other.  `where` names the file in errors.
StatusOr<DatasetFingerprint> FingerprintFromJson(const Json& json, const std::string& where);

}  // namespace consilium::datasets
