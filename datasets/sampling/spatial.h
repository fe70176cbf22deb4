// Rotation and scaling of a training patch, sampled straight from the case into the patch in one pass.
//
// nnU-Net crops a larger window, resamples it, and cuts the patch out of its middle; here only the patch's own voxels
// are computed, and what lies in the case beyond the window is seen instead of zeros.
//
// Source: nnU-Net v2 (Isensee et al., Nature Methods 18, 2021), configure_rotation_dummyDA_mirroring_and_inital_patch_
// size and batchgeneratorsv2's SpatialTransform: ranges, gates and the order of matrices.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "comm/base/rng.h"
#include "datasets/image/volume.h"

namespace consilium::datasets {

// What a patch's shape decides.
struct SpatialRange {
  std::array<double, 3> angle_max{};  // radians about z, y and x, either way; 0: never
  // Slices are transformed alike and never mixed: the patch is flat, or its z edge is less than a third of the largest.
  bool in_plane = false;
  // The window in which the patch is placed: as large as any rotation of the patch, divided by 0.85.
  Shape3 window{};
};
// `patch`: (z, y, x); flat patches have z = 1 and `dimensions` 2.
SpatialRange SpatialRangeOf(const Shape3& patch, int dimensions);

// From a patch's voxel to the case's: centre + matrix * (voxel - (patch - 1) / 2), axes z, y, x.
using Matrix3 = std::array<std::array<double, 3>, 3>;

// Draws gates and parameters: rotation with probability 0.2 by angles uniform in their ranges, scaling with probability
// 0.2 by one factor of 0.7 to 1.4 for all axes (above 1 things become smaller).  Nothing when neither comes.
std::optional<Matrix3> DrawSpatial(const SpatialRange& range, Rng& rng);

// R_x R_y R_z times the factor: about z first, then y, then x.  `in_plane`: about z alone, and z is not scaled.
Matrix3 SpatialMatrix(const std::array<double, 3>& angles, double scale, bool in_plane);

// Where a patch's voxels lie in a case.
struct Resampling {
  Matrix3 matrix{};
  std::array<double, 3> centre{};  // of the patch, in the case's voxels
};

// Linear between voxels, 0 outside.  One channel; `target` [patch].
void ResamplePatch(std::span<const float> source, const Shape3& shape, const Resampling& resampling,
                   const Shape3& patch, std::span<float> target);
// The label with the largest weight of the eight voxels around, the smallest of equals; outside is -1.
void ResamplePatch(std::span<const std::int16_t> source, const Shape3& shape, const Resampling& resampling,
                   const Shape3& patch, std::span<std::int16_t> target);

}  // namespace consilium::datasets
