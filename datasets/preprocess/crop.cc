#include "datasets/preprocess/crop.h"

#include <algorithm>

namespace consilium::datasets {
namespace {

enum Mark : std::uint8_t { kZero = 0, kNonzero = 1, kOutside = 2 };  // kOutside: zero, and joined to the border

// Marks every zero that is joined to the border over faces.
void FloodFromBorder(const Shape3& shape, std::vector<std::uint8_t>* marks) {
  const std::array<std::int64_t, 3> step{shape[1] * shape[2], shape[2], 1};
  std::vector<Shape3> open;
  const auto visit = [&](const Shape3& at) {
    std::uint8_t& mark = (*marks)[static_cast<std::size_t>(at[0] * step[0] + at[1] * step[1] + at[2])];
    if (mark != kZero) return;
    mark = kOutside;
    open.push_back(at);
  };
  for (std::int64_t z = 0; z < shape[0]; ++z) {
    for (std::int64_t y = 0; y < shape[1]; ++y) {
      const bool is_border_row = z == 0 || z == shape[0] - 1 || y == 0 || y == shape[1] - 1;
      const std::int64_t stride = is_border_row || shape[2] == 1 ? 1 : shape[2] - 1;
      for (std::int64_t x = 0; x < shape[2]; x += stride) visit({z, y, x});
    }
  }
  while (!open.empty()) {
    const Shape3 at = open.back();
    open.pop_back();
    for (int axis = 0; axis < 3; ++axis) {
      for (const int direction : {-1, 1}) {
        Shape3 next = at;
        next[axis] += direction;
        if (next[axis] >= 0 && next[axis] < shape[axis]) visit(next);
      }
    }
  }
}

}  // namespace

std::vector<std::uint8_t> NonzeroMask(const Image& image) {
  const auto count = static_cast<std::size_t>(VoxelCount(image.shape));
  std::vector<std::uint8_t> mask(count, kZero);
  for (std::size_t i = 0; i < image.voxels.size(); ++i)
    if (image.voxels[i] != 0.0F) mask[i % count] = kNonzero;
  FloodFromBorder(image.shape, &mask);
  for (std::uint8_t& mark : mask) mark = mark == kOutside ? 0 : 1;  // zeros that were not reached are holes
  return mask;
}

Box BoundingBox(const std::vector<std::uint8_t>& mask, const Shape3& shape) {
  Box box{.begin = shape, .end = {0, 0, 0}};
  std::size_t i = 0;
  for (std::int64_t z = 0; z < shape[0]; ++z) {
    for (std::int64_t y = 0; y < shape[1]; ++y) {
      for (std::int64_t x = 0; x < shape[2]; ++x) {
        if (mask[i++] == 0) continue;
        const Shape3 at{z, y, x};
        for (int axis = 0; axis < 3; ++axis) {
          box.begin[axis] = std::min(box.begin[axis], at[axis]);
          box.end[axis] = std::max(box.end[axis], at[axis] + 1);
        }
      }
    }
  }
  return box.end[0] == 0 ? Box{} : box;
}

}  // namespace consilium::datasets
