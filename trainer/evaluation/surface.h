// How far apart the borders of a predicted and a true segmentation are, in mm.  No torch.
//
// A border voxel is one of the label with a face to a voxel that is not; the outside of the image is not.  In a flat
// image only y and x have faces.  Distances run between centres of border voxels.
//
// HD95 as in MedPy: the 95th percentile of both directions' distances together.  Surface Dice: S. Nikolov et al.,
// "Clinically applicable segmentation of head and neck anatomy", JMIR 2021, with border voxels in place of surface
// elements, as in MONAI.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "comm/base/status.h"
#include "datasets/image/volume.h"

namespace consilium::trainer {

// Of one case and one label.
struct SurfaceDistances {
  std::vector<double> to_reference;   // mm; a border voxel of the prediction
  std::vector<double> to_prediction;  // mm; a border voxel of the reference

  // mm.  NaN when the label is missing in one of the two: there is no distance to nothing.
  double Hausdorff95() const;
  // The share of all border voxels that lie within `tolerance` mm of the other border.  NaN when the label is in
  // neither; 0 when it is in one of them only.
  double SurfaceDice(double tolerance) const;
};

// Entry i: of labels[i].  Spacing: the reference's.  Errors: InvalidArgument when the shapes differ.
StatusOr<std::vector<SurfaceDistances>> MeasureSurfaces(const datasets::LabelMap& prediction,
                                                        const datasets::LabelMap& reference,
                                                        std::span<const std::int16_t> labels);

}  // namespace consilium::trainer
