// Where each foreground class is, so that a sampler can force a patch onto it without searching.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace consilium::datasets {

// Entry c - 1: ascending flat indices of voxels with label c, for c = 1..num_classes-1.  All N of them up to 10000;
// above that a sample without replacement of max(10000, ceil(N / 100)), the same for the same seed.  At most 2^32
// labels.
std::vector<std::vector<std::uint32_t>> ClassLocations(std::span<const std::int16_t> labels, std::int64_t num_classes,
                                                       std::uint64_t seed);

}  // namespace consilium::datasets
