// From a network's logits to labels on another grid, without the logits of that grid ever being there all at once.
//
// nnU-Net resamples the logits of all classes and takes the largest afterwards: classes x voxels x 4 bytes, which is
// what fills the memory with many classes on a large scan.  Here a slice of the result is made at a time.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "datasets/resample/resample.h"

namespace consilium::datasets {

// The class of the largest logit, the first of equals, at each voxel of grid.to: [z, y, x].  `logits`: [K, z, y, x] on
// grid.from, K >= 1; between voxels they are interpolated linearly as ResampleImage() does, along the separate axis the
// nearest is taken.  Memory beside the result: a slice of logits and a slice of the result for each thread.  The same
// result for any number of threads.
std::vector<std::int16_t> ResampledArgmax(std::span<const float> logits, const ResampleGrid& grid,
                                          unsigned threads = 1);

}  // namespace consilium::datasets
