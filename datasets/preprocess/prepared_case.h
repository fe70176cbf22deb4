// A case made ready for the network: cropped to where it is not zero, normalised, resampled to the spacing that the
// network is for, its foreground voxels listed for sampling.
//
// The steps are nnU-Net's, in its order.  Axes stay as they are in the file (nnU-Net transposes the coarsest to the
// front; here patch and strides are given in the data's order instead).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "comm/base/status.h"
#include "datasets/image/volume.h"
#include "datasets/preprocess/normalization.h"
#include "datasets/raw/raw_dataset.h"
#include "datasets/resample/resample.h"

namespace consilium::datasets {

struct PreparedCase {
  std::string id;
  std::int64_t channels = 0;
  Shape3 shape{};             // after crop and resampling
  Spacing3 spacing{1, 1, 1};  // mm, of `shape`
  std::vector<float> image;   // [C, z, y, x], normalised
  std::vector<std::int16_t>
      labels;  // [z, y, x]; -1 where background lies outside the nonzero mask; empty: no label was given
  // Entry c - 1: flat indices into [z, y, x] of voxels of class c, for foreground sampling; ascending.  All of them up
  // to 10000, above that a seeded sample without replacement of max(10000, 1 %).
  std::vector<std::vector<std::uint32_t>> class_locations;
  Shape3 crop_begin{};      // of the crop, in the source's voxels
  Shape3 cropped_shape{};   // of the crop, before it was resampled
  Shape3 original_shape{};  // of the source
  Geometry geometry;        // of the source
};

struct PrepareOptions {
  std::int64_t num_classes = 2;              // background included
  std::vector<Normalization> normalization;  // one a channel; empty: z-score for all
  std::vector<CtIntensities> ct;             // one a channel, used by kCt; empty: there is no such channel
  // Z-score statistics from inside the nonzero mask only, outside stays 0 (nnU-Net: when the median crop keeps < 75 %).
  bool normalize_inside_mask_only = false;
  // mm, (z, y, x): what to resample to.  Two numbers: (y, x), and every slice stays as thick as it is.  Empty: nothing
  // is resampled.
  std::vector<double> spacing;
  std::uint64_t seed = 1234;  // of class_locations
};

// Normalisation by channel name.  Channels named "ct" need the data set's plans, which say more than a name:
// kFailedPrecondition.
StatusOr<PrepareOptions> PrepareOptionsFor(const DatasetDescription& description);

// Label values must be 0..num_classes-1, shapes of image and label equal.  An image of zeros alone is kInvalidArgument.
StatusOr<PreparedCase> PrepareCase(std::string id, const Image& image, const std::optional<LabelMap>& labels,
                                   const PrepareOptions& options);

// The spacing that a case of this spacing is prepared to.
Spacing3 PreparedSpacing(const Spacing3& source, const PrepareOptions& options);

// Reads and prepares the named cases, with their labels, in the order of `ids`.  Without options.spacing, spacings that
// differ by more than 1 % are kInvalidArgument: a network sees voxels, not millimetres.
StatusOr<std::vector<PreparedCase>> LoadPreparedCases(const RawDataset& dataset, std::span<const std::string> ids,
                                                      const PrepareOptions& options);

// The way back from the prepared grid to the crop's.
ResampleGrid GridToSource(const PreparedCase& prepared);

// Pastes a prediction on the crop ([z, y, x] of prepared.cropped_shape) back into the source's grid and geometry.
// Outside the crop and where a label is negative: background.
LabelMap RestoreGrid(const PreparedCase& prepared, std::span<const std::int16_t> labels);

}  // namespace consilium::datasets
