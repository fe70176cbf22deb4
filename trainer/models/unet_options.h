// What nnU-Net's two U-Nets have in common, in numbers.
#pragma once

#include <cstdint>
#include <vector>

#include "comm/base/status.h"

namespace consilium::trainer {

// `strides` and `kernels` have one entry a stage (at least 2 stages), each with 2 or 3 numbers, axis order (z,) y, x.
struct UNetOptions {
  std::int64_t channels_in = 1;
  std::int64_t classes = 2;
  std::vector<std::vector<std::int64_t>> strides;
  std::vector<std::vector<std::int64_t>> kernels;  // odd
  std::int64_t base_features = 32;
  std::int64_t features_max = 320;
  bool deep_supervision = true;
};

// OK when a network can be built; else kInvalidArgument with the option and what was expected.
Status CheckOptions(const UNetOptions& options);

// Channels of each stage: base_features doubled a stage, at most features_max.
std::vector<std::int64_t> FeaturesOf(const UNetOptions& options);
// The product of the strides: what every edge of the input must be a multiple of.
std::vector<std::int64_t> DivisorOf(const UNetOptions& options);

}  // namespace consilium::trainer
