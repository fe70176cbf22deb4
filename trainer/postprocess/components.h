// Connected parts of a segmentation.  No torch.
#pragma once

#include <cstdint>
#include <span>

#include "datasets/image/volume.h"

namespace consilium::trainer {

// Of the voxels that hold one of `labels`, those of the largest part stay (the first in array order of equally large
// ones), all others become background.  Voxels are joined over faces, edges and corners: 26 neighbours, 8 in a flat
// image.  Returns how many voxels went.
std::int64_t KeepLargestComponent(std::span<const std::int16_t> labels, datasets::LabelMap* map);

}  // namespace consilium::trainer
