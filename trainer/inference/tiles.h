// Where the windows of a sliding-window prediction lie, and how much each voxel of a window counts.  No torch.
//
// Source: nnU-Net (Isensee et al., Nature Methods 18, 2021), inference with half-overlapping, Gaussian-weighted tiles.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace consilium::trainer {

// First indices of the tiles on one axis: n = ceil((size - patch) / (patch * step_fraction)) + 1 of them, evenly spread
// from 0 to size - patch, rounded half to even.  size >= patch >= 1; 0 < step_fraction <= 1.
std::vector<std::int64_t> TileStarts(std::int64_t size, std::int64_t patch, double step_fraction);

// [patch], row-major: a Gaussian around patch / 2 with sigma = patch / 8 an axis, cut off at 4 sigma, scaled to the
// maximum 10; what would be 0 gets the smallest value that is not, so that no voxel is ever without weight.
std::vector<float> GaussianWeights(std::span<const std::int64_t> patch);

}  // namespace consilium::trainer
