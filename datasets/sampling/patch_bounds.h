// Where a patch may lie in a case, on one axis: nnU-Net's rules, to the voxel (they decide which borders are ever
// seen).
#pragma once

#include <cstdint>

namespace consilium::datasets {

// First index of the patch; both ends included.  Negative, or beyond extent - patch, where the patch sticks out and is
// padded.
struct AxisBounds {
  std::int64_t low;
  std::int64_t high;
  bool operator==(const AxisBounds&) const = default;
};

// `loaded` >= `patch` is the window that is read before a spatial transform crops it to `patch` (equal without one).
// need_to_pad = max(loaded - patch, loaded - extent); low = floor(-need_to_pad / 2);
// high = extent + need_to_pad / 2 + need_to_pad % 2 - loaded.  low <= high always.
AxisBounds PatchBounds(std::int64_t extent, std::int64_t loaded, std::int64_t patch);

// The patch that has `voxel` at its centre, moved up to `bounds.low`; not clamped above (upstream does neither).
std::int64_t PatchAround(std::int64_t voxel, std::int64_t loaded, const AxisBounds& bounds);

// First sample of a batch that must show foreground: round_half_even(batch_size * (1 - oversampling)).
// Batch 2 at 0.33: sample 1; batch 9: samples 6, 7, 8.
std::int64_t FirstForcedSample(std::int64_t batch_size, double foreground_oversampling);

}  // namespace consilium::datasets
