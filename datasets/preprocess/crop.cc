#include "datasets/preprocess/crop.h"

#include <algorithm>

namespace consilium::datasets {
namespace {

enum Mark : std::uint8_t { kZero = 0, kNonzero = 1, kOutside = 2 };  // kOutside: zero, and joined to the border

// Marks every zero that is joined to the border over faces.  Whole runs of zeros along x are marked at once, and only
// the first voxel of each run in the four neighbouring rows waits its turn: little memory even where most is outside.
class BorderFlood {
 public:
  BorderFlood(const Shape3& shape, std::vector<std::uint8_t>* marks) : shape_(shape), marks_(*marks) {}

  void Run() {
    for (std::int64_t z = 0; z < shape_[0]; ++z) {
      for (std::int64_t y = 0; y < shape_[1]; ++y) {
        const bool is_border_row = z == 0 || z == shape_[0] - 1 || y == 0 || y == shape_[1] - 1;
        const std::int64_t stride = is_border_row || shape_[2] == 1 ? 1 : shape_[2] - 1;
        for (std::int64_t x = 0; x < shape_[2]; x += stride) {
          if (Mark(z, y)[x] == kZero) open_.push_back({z, y, x});
          while (!open_.empty()) {
            const Shape3 at = open_.back();
            open_.pop_back();
            FillRun(at);
          }
        }
      }
    }
  }

 private:
  std::uint8_t* Mark(std::int64_t z, std::int64_t y) { return marks_.data() + (z * shape_[1] + y) * shape_[2]; }

  void FillRun(const Shape3& at) {
    std::uint8_t* row = Mark(at[0], at[1]);
    if (row[at[2]] != kZero) return;  // reached from another side meanwhile
    std::int64_t begin = at[2], end = at[2] + 1;
    while (begin > 0 && row[begin - 1] == kZero) --begin;
    while (end < shape_[2] && row[end] == kZero) ++end;
    std::fill(row + begin, row + end, kOutside);
    for (const auto& [dz, dy] : {std::pair{-1, 0}, {1, 0}, {0, -1}, {0, 1}}) {
      const std::int64_t z = at[0] + dz, y = at[1] + dy;
      if (z < 0 || z >= shape_[0] || y < 0 || y >= shape_[1]) continue;
      const std::uint8_t* next = Mark(z, y);
      for (std::int64_t x = begin; x < end; ++x)
        if (next[x] == kZero && (x == begin || next[x - 1] != kZero)) open_.push_back({z, y, x});
    }
  }

  const Shape3& shape_;
  std::vector<std::uint8_t>& marks_;
  std::vector<Shape3> open_;
};

}  // namespace

std::vector<std::uint8_t> NonzeroMask(const Image& image) {
  const auto count = static_cast<std::size_t>(VoxelCount(image.shape));
  std::vector<std::uint8_t> mask(count, kZero);
  for (std::size_t begin = 0; begin < image.voxels.size(); begin += count)
    for (std::size_t i = 0; i < count; ++i)
      if (image.voxels[begin + i] != 0.0F) mask[i] = kNonzero;
  BorderFlood(image.shape, &mask).Run();
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
