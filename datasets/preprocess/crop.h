// Where an image is not zero: nnU-Net crops to it, and takes background outside of it for "not seen" rather than
// "healthy".
#pragma once

#include <cstdint>
#include <vector>

#include "datasets/image/volume.h"

namespace consilium::datasets {

// Half-open box of voxels.
struct Box {
  Shape3 begin{};
  Shape3 end{};
  Shape3 shape() const { return {end[0] - begin[0], end[1] - begin[1], end[2] - begin[2]}; }
  bool is_empty() const { return VoxelCount(shape()) == 0; }
};

// [z, y, x]: 1 where any channel is not 0, and in holes: zeros that no path over faces of zeros joins to the border. As
// in nnU-Net a flat image has no holes, because all of it is border.
std::vector<std::uint8_t> NonzeroMask(const Image& image);

// The smallest box around the voxels that are not 0; empty when there are none.
Box BoundingBox(const std::vector<std::uint8_t>& mask, const Shape3& shape);

// Copies the box out of a [z, y, x] array that starts at `source`.
template <typename T>
std::vector<T> CropArray(const T* source, const Shape3& shape, const Box& box) {
  std::vector<T> cropped;
  cropped.reserve(static_cast<std::size_t>(VoxelCount(box.shape())));
  for (std::int64_t z = box.begin[0]; z < box.end[0]; ++z) {
    for (std::int64_t y = box.begin[1]; y < box.end[1]; ++y) {
      const T* row = source + (z * shape[1] + y) * shape[2];
      cropped.insert(cropped.end(), row + box.begin[2], row + box.end[2]);
    }
  }
  return cropped;
}

}  // namespace consilium::datasets
