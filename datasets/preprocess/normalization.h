// Intensity normalisation of one channel of one case, by nnU-Net's schemes.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "comm/base/status.h"

namespace consilium::datasets {

enum class Normalization {
  kZScore,  // subtract the mean, divide by the population standard deviation (at least 1e-8)
  kCt,      // clip to and scale by what the foreground of the whole data set is like
  kNone,
  kRescale0To1,  // subtract the minimum, divide by the new maximum (at least 1e-8)
  kRgb0To1,      // divide by 255
};

// By lower-cased channel name: "ct", "nonorm", "rescale_to_0_1", "rgb_to_0_1"; anything else ("MRI", "T2", "zscore")
// z-score.
Normalization NormalizationFor(const std::string& channel_name);

// nnU-Net's names in its plans: "ZScoreNormalization", "CTNormalization", ...
std::string NormalizationName(Normalization scheme);
std::optional<Normalization> NormalizationNamed(const std::string& name);

// Of the foreground voxels of a data set; from its plans.
struct CtIntensities {
  double mean = 0, std = 1;
  double low = 0, high = 0;  // percentiles 0.5 and 99.5
  friend bool operator==(const CtIntensities&, const CtIntensities&) = default;
};

// In place.  `inside`: empty, or one byte a voxel; then z-score takes its statistics where it is not 0 and puts 0
// elsewhere. Other schemes ignore it.  kCt without `ct` is kFailedPrecondition; values outside 0..255 with kRgb0To1 are
// kInvalidArgument.
Status Normalize(Normalization scheme, std::span<float> voxels, std::span<const std::uint8_t> inside,
                 const std::optional<CtIntensities>& ct = std::nullopt);

}  // namespace consilium::datasets
