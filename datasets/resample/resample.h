// Images and labels on another grid, as nnU-Net's resample_data_or_seg_to_shape puts them there.
//
// Interpolation is what scikit-image's resize(mode="edge", anti_aliasing=False, clip=True) does: half-pixel centres
// (x_in = (x_out + 0.5) * in / out - 0.5), edges repeated, order 3 a true interpolating B-spline (with the recursive
// prefilter; not the 4-tap cubic of other libraries), and the result clipped to the range of its input.
//
// Source: Unser, "Splines: a perfect fit for signal and image processing" (1999); nnU-Net v2, default_resampling.py.
//
// Pure; call from any thread.  Memory: the result and one array between two axes (at most as large as the larger of
// input and result times the factors in between).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "datasets/image/volume.h"

namespace consilium::datasets {

enum class Interpolation { kLinear, kCubic };

// Voxels that `shape` at `spacing` has at `target`: rounded half to even, at least 1.
Shape3 ResampledShape(const Shape3& shape, const Spacing3& spacing, const Spacing3& target);

// The axis along which an anisotropic image is not interpolated but repeated: the coarsest of `from` when that is more
// than 3 times as coarse as its finest axis, else of `to` by the same rule; none where the coarsest is not one alone.
std::optional<std::size_t> SeparateAxis(const Spacing3& from, const Spacing3& to);

struct ResampleGrid {
  Shape3 from{}, to{};                       // voxels; all at least 1
  std::optional<std::size_t> separate_axis;  // then slices across it are resampled one by one, and taken by nearest
};

// One channel, [z, y, x].
std::vector<float> ResampleImage(std::span<const float> voxels, const ResampleGrid& grid, Interpolation interpolation);

// Each label as a mask, linearly; where a mask reaches one half the label is taken, the largest of several.  Where none
// does: 0.  Negative labels ("not seen") are labels like others.
std::vector<std::int16_t> ResampleLabels(std::span<const std::int16_t> labels, const ResampleGrid& grid);

}  // namespace consilium::datasets
