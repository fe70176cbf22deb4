#include "trainer/postprocess/components.h"

#include <algorithm>
#include <vector>

namespace consilium::trainer {
namespace {

using datasets::Shape3;

// Marks the voxels that are joined to `start`, itself included: 1 becomes `mark`.  Returns how many.
std::int64_t Flood(std::size_t start, std::uint8_t mark, const Shape3& shape, std::vector<std::uint8_t>* voxels,
                   std::vector<std::size_t>* pending) {
  std::int64_t count = 0;
  (*voxels)[start] = mark;
  pending->assign(1, start);
  while (!pending->empty()) {
    const auto at = static_cast<std::int64_t>(pending->back());
    pending->pop_back();
    ++count;
    const std::int64_t z = at / (shape[1] * shape[2]), y = at / shape[2] % shape[1], x = at % shape[2];
    for (std::int64_t w = std::max<std::int64_t>(z - 1, 0); w <= std::min(z + 1, shape[0] - 1); ++w)
      for (std::int64_t v = std::max<std::int64_t>(y - 1, 0); v <= std::min(y + 1, shape[1] - 1); ++v)
        for (std::int64_t u = std::max<std::int64_t>(x - 1, 0); u <= std::min(x + 1, shape[2] - 1); ++u) {
          const auto next = static_cast<std::size_t>((w * shape[1] + v) * shape[2] + u);
          if ((*voxels)[next] != 1) continue;
          (*voxels)[next] = mark;
          pending->push_back(next);
        }
  }
  return count;
}

}  // namespace

std::int64_t KeepLargestComponent(std::span<const std::int16_t> labels, datasets::LabelMap* map) {
  constexpr std::uint8_t kSeen = 2, kKept = 3;
  std::vector<std::uint8_t> voxels;
  voxels.reserve(map->labels.size());
  for (const std::int16_t label : map->labels)
    voxels.push_back(std::find(labels.begin(), labels.end(), label) != labels.end() ? 1 : 0);
  std::vector<std::size_t> pending;
  std::int64_t all = 0, largest = 0;
  std::size_t start_of_largest = 0;
  for (std::size_t at = 0; at < voxels.size(); ++at) {
    if (voxels[at] != 1) continue;
    const std::int64_t size = Flood(at, kSeen, map->shape, &voxels, &pending);
    all += size;
    if (size > largest) largest = size, start_of_largest = at;
  }
  if (all == largest) return 0;  // one part, or none
  for (std::uint8_t& voxel : voxels) voxel = voxel == kSeen ? 1 : 0;
  Flood(start_of_largest, kKept, map->shape, &voxels, &pending);
  for (std::size_t at = 0; at < voxels.size(); ++at)
    if (voxels[at] == 1) map->labels[at] = 0;
  return all - largest;
}

}  // namespace consilium::trainer
