// What one case contributes to a fingerprint or to a site's statistics, measured as nnU-Net does: after the crop to
// where the image is not zero.
#pragma once

#include <string>
#include <vector>

#include "comm/base/status.h"
#include "datasets/image/volume.h"
#include "datasets/raw/raw_dataset.h"

namespace consilium::datasets {

struct MeasuredCase {
  Spacing3 spacing{};
  Shape3 shape_after_crop{};
  double relative_size = 1;                    // voxels after the crop / before
  std::vector<std::vector<float>> foreground;  // a channel: its voxels where the label is above 0, in array order
  double voxel_size = 1;                       // mm^3; of a flat image mm^2
  std::vector<std::int64_t> label_voxels;      // a label, background first; of the whole image
  std::uint64_t bytes = 0;                     // memory that measuring took at its height, roughly
};

// Voxels that are NaN or infinite, labels that are not declared, an image of zeros alone: kInvalidArgument with the
// case.
StatusOr<MeasuredCase> MeasureCase(const CaseFiles& files, const DatasetDescription& description);

}  // namespace consilium::datasets
