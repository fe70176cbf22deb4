// What a poorer scanner would have seen: blurred, or with fewer voxels.
//
// Source: batchgeneratorsv2, GaussianBlurTransform and SimulateLowResolutionTransform, as nnU-Net v2 sets them.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "datasets/image/volume.h"

namespace consilium::datasets {

// Scratch memory that is kept from patch to patch.  Strand-bound.
class ResolutionFilter {
 public:
  // One channel of `shape`, in place: a Gaussian with a standard deviation of so many voxels along each axis, cut off
  // after an odd number of about 6 standard deviations, at least 3; edges are reflected (c b | a b c).  An axis of one
  // voxel stays as it is.
  void Blur(std::span<float> channel, const Shape3& shape, const std::array<float, 3>& deviations);

  // One channel, in place: taken at round(edge * scale) voxels an axis, at least 1, by the nearest voxel, and brought
  // back linearly (half-pixel centres, edges repeated).  `scale` in (0, 1].  Axes with `keep` stay as they are.
  void Coarsen(std::span<float> channel, const Shape3& shape, double scale, const std::array<bool, 3>& keep);

 private:
  std::vector<float> scratch_, coarse_;
};

}  // namespace consilium::datasets
