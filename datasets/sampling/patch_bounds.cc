#include "datasets/sampling/patch_bounds.h"

#include <algorithm>
#include <cmath>

namespace consilium::datasets {

AxisBounds PatchBounds(std::int64_t extent, std::int64_t loaded, std::int64_t patch) {
  const std::int64_t need_to_pad = std::max(loaded - patch, loaded - extent);
  const std::int64_t pad = std::max<std::int64_t>(need_to_pad, 0);
  // Python's -pad // 2 rounds down: -33 gives -17, not -16.
  return {.low = -((pad + 1) / 2), .high = extent + pad / 2 + pad % 2 - loaded};
}

std::int64_t PatchAround(std::int64_t voxel, std::int64_t loaded, const AxisBounds& bounds) {
  return std::max(bounds.low, voxel - loaded / 2);
}

std::int64_t FirstForcedSample(std::int64_t batch_size, double foreground_oversampling) {
  // nearbyint in the default rounding mode: ties to even, as Python's round().
  return static_cast<std::int64_t>(std::nearbyint(static_cast<double>(batch_size) * (1.0 - foreground_oversampling)));
}

}  // namespace consilium::datasets
