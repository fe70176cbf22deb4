// How far each voxel is from the nearest of a set, exactly.
//
// P. Felzenszwalb, D. Huttenlocher, "Distance transforms of sampled functions", Theory of Computing 8 (2012): the lower
// envelope of parabolas along each axis in turn; linear in the number of voxels.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "datasets/image/volume.h"

namespace consilium::trainer {

// mm^2 from each voxel's centre to the nearest centre where `set` is not 0; infinity everywhere when the set is empty.
// [z, y, x]; `spacing` in mm.
std::vector<double> SquaredDistances(std::span<const std::uint8_t> set, const datasets::Shape3& shape,
                                     const datasets::Spacing3& spacing);

}  // namespace consilium::trainer
