// A case made ready for the network: cropped to where it is not zero, normalised, its foreground voxels listed for
// sampling.
//
// The steps are nnU-Net's (crop, then normalise).  Not built yet: resampling to a target spacing and transposing of
// axes; LoadPreparedCases() therefore refuses data sets whose spacings differ.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "comm/base/status.h"
#include "datasets/image/volume.h"
#include "datasets/preprocess/normalization.h"
#include "datasets/raw/raw_dataset.h"

namespace consilium::datasets {

struct PreparedCase {
  std::string id;
  std::int64_t channels = 0;
  Shape3 shape{};            // after the crop
  std::vector<float> image;  // [C, z, y, x], normalised
  std::vector<std::int16_t>
      labels;  // [z, y, x]; -1 where background lies outside the nonzero mask; empty: no label was given
  // Entry c - 1: flat indices into [z, y, x] of voxels of class c, for foreground sampling; ascending.  All of them up
  // to 10000, above that a seeded sample without replacement of max(10000, 1 %).
  std::vector<std::vector<std::uint32_t>> class_locations;
  Shape3 crop_begin{};      // of the crop, in the source's voxels
  Shape3 original_shape{};  // of the source
  Geometry geometry;        // of the source
};

struct PrepareOptions {
  std::int64_t num_classes = 2;              // background included
  std::vector<Normalization> normalization;  // one a channel; empty: z-score for all
  std::vector<CtIntensities> ct;             // one a channel, used by kCt; empty: there is no such channel
  // Z-score statistics from inside the nonzero mask only, outside stays 0 (nnU-Net: when the median crop keeps < 75 %).
  bool normalize_inside_mask_only = false;
  std::uint64_t seed = 1234;  // of class_locations
};

// Normalisation by channel name.  Channels named "ct" need the data set's plans, which say more than a name:
// kFailedPrecondition.
StatusOr<PrepareOptions> PrepareOptionsFor(const DatasetDescription& description);

// Label values must be 0..num_classes-1, shapes of image and label equal.  An image of zeros alone is kInvalidArgument.
StatusOr<PreparedCase> PrepareCase(std::string id, const Image& image, const std::optional<LabelMap>& labels,
                                   const PrepareOptions& options);

// Reads and prepares the named cases, with their labels, in the order of `ids`.  Spacings that differ by more than 1 %
// are kUnimplemented (resampling).
StatusOr<std::vector<PreparedCase>> LoadPreparedCases(const RawDataset& dataset, std::span<const std::string> ids,
                                                      const PrepareOptions& options);

// OK when `spacing` is within 1 % of what the model was trained on; else kUnimplemented, naming the case.
Status RequireSpacing(const std::string& id, const Spacing3& spacing, const Spacing3& expected);

// Pastes a prediction on the crop ([z, y, x] of prepared.shape) back into the source's grid and geometry.  Outside the
// crop and where a label is negative: background.
LabelMap RestoreGrid(const PreparedCase& prepared, std::span<const std::int16_t> labels);

}  // namespace consilium::datasets
