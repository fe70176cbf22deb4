// Overlap of a predicted and a true segmentation, one label at a time.  No torch.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "comm/base/status.h"
#include "datasets/image/volume.h"

namespace consilium::trainer {

// Voxels of one case and one label.
struct LabelCounts {
  std::int64_t true_positive = 0;
  std::int64_t false_positive = 0;
  std::int64_t false_negative = 0;
  std::int64_t true_negative = 0;

  std::int64_t predicted() const { return true_positive + false_positive; }
  std::int64_t reference() const { return true_positive + false_negative; }
  // 2 TP / (2 TP + FP + FN).  NaN when the label is in neither; 0 when it is in one of them only.
  double Dice() const;
  // TP / (TP + FP + FN), with the same rules.
  double IntersectionOverUnion() const;
  friend bool operator==(const LabelCounts&, const LabelCounts&) = default;
};

// Errors: InvalidArgument when the shapes differ.
Status CheckSameShape(const datasets::LabelMap& prediction, const datasets::LabelMap& reference);

// Entry i: the counts of labels[i].  Errors: InvalidArgument when the shapes differ.
StatusOr<std::vector<LabelCounts>> CountLabels(const datasets::LabelMap& prediction,
                                               const datasets::LabelMap& reference,
                                               std::span<const std::int16_t> labels);

// The mean of the values that are not NaN; NaN when there are none.
double NanMean(std::span<const double> values);

}  // namespace consilium::trainer
