#include "trainer/evaluation/metrics.h"

#include <cmath>
#include <limits>
#include <unordered_map>

namespace consilium::trainer {
namespace {

double Ratio(std::int64_t numerator, std::int64_t denominator) {
  return denominator == 0 ? std::numeric_limits<double>::quiet_NaN()
                          : static_cast<double>(numerator) / static_cast<double>(denominator);
}

std::string ShapeText(const datasets::Shape3& shape) {
  return Concat("[", shape[0], ", ", shape[1], ", ", shape[2], "]");
}

}  // namespace

double LabelCounts::Dice() const {
  return Ratio(2 * true_positive, 2 * true_positive + false_positive + false_negative);
}

double LabelCounts::IntersectionOverUnion() const {
  return Ratio(true_positive, true_positive + false_positive + false_negative);
}

Status CheckSameShape(const datasets::LabelMap& prediction, const datasets::LabelMap& reference) {
  if (prediction.shape == reference.shape) return Status();
  return InvalidArgument("the prediction has shape ", ShapeText(prediction.shape), ", the reference ",
                         ShapeText(reference.shape), " (z, y, x)");
}

StatusOr<std::vector<LabelCounts>> CountLabels(const datasets::LabelMap& prediction,
                                               const datasets::LabelMap& reference,
                                               std::span<const std::int16_t> labels) {
  RETURN_IF_ERROR(CheckSameShape(prediction, reference));
  // One pass for all labels: how often each value is predicted, true, and both.
  struct Tally {
    std::int64_t predicted = 0, reference = 0, both = 0;
  };
  std::unordered_map<std::int16_t, Tally> tallies;
  for (const std::int16_t label : labels) tallies[label];
  for (std::size_t i = 0; i < reference.labels.size(); ++i) {
    const std::int16_t p = prediction.labels[i], r = reference.labels[i];
    if (p == 0 && r == 0 && !tallies.count(0)) continue;  // most voxels
    if (const auto found = tallies.find(p); found != tallies.end()) {
      ++found->second.predicted;
      found->second.both += p == r;
    }
    if (const auto found = tallies.find(r); found != tallies.end()) ++found->second.reference;
  }
  std::vector<LabelCounts> counts;
  for (const std::int16_t label : labels) {
    const Tally& tally = tallies[label];
    counts.push_back({.true_positive = tally.both,
                      .false_positive = tally.predicted - tally.both,
                      .false_negative = tally.reference - tally.both,
                      .true_negative = static_cast<std::int64_t>(reference.labels.size()) - tally.predicted -
                                       tally.reference + tally.both});
  }
  return counts;
}

double NanMean(std::span<const double> values) {
  double sum = 0;
  std::int64_t count = 0;
  for (const double value : values)
    if (!std::isnan(value)) sum += value, ++count;
  return count == 0 ? std::numeric_limits<double>::quiet_NaN() : sum / static_cast<double>(count);
}

}  // namespace consilium::trainer
