// Intensity normalisation of one channel of one case, by nnU-Net's schemes.
#pragma once

#include <span>
#include <string>

#include "comm/base/status.h"

namespace consilium::datasets {

enum class Normalization {
  kZScore,  // subtract the mean, divide by the population standard deviation (at least 1e-8)
  kCt,      // clip and scale by data set statistics: not built yet
  kNone,
  kRescale0To1,  // subtract the minimum, divide by the new maximum (at least 1e-8)
  kRgb0To1,      // divide by 255
};

// By lower-cased channel name: "ct", "nonorm", "rescale_to_0_1", "rgb_to_0_1"; anything else ("MRI", "T2", "zscore")
// z-score.
Normalization NormalizationFor(const std::string& channel_name);

// In place.  `inside`: empty, or one byte a voxel; then z-score takes its statistics where it is not 0 and puts 0
// elsewhere. Other schemes ignore it.  kCt is kUnimplemented; values outside 0..255 with kRgb0To1 are kInvalidArgument.
Status Normalize(Normalization scheme, std::span<float> voxels, std::span<const std::uint8_t> inside);

}  // namespace consilium::datasets
