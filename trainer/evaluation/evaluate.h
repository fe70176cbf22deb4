// Compares a folder of predictions with a folder of true labels.  No torch.
#pragma once

#include <filesystem>
#include <optional>

#include "trainer/evaluation/summary.h"

namespace consilium::trainer {

enum class MissingPredictions { kRefuse, kSkip };  // of a reference

struct EvaluateOptions {
  std::filesystem::path predictions;  // CASE.ending
  std::filesystem::path labels;       // CASE.ending
  // Foreground labels; empty: from a dataset.json in `predictions`, in `labels` or above `labels`, in this order, else
  // every value above 0 in the references.
  std::vector<std::int16_t> foreground;
  MissingPredictions missing = MissingPredictions::kRefuse;
  // mm: then borders are measured too, with this tolerance for the surface Dice.
  std::optional<double> surface_tolerance{};
};

// In the order of file names.  Errors: InvalidArgument that lists every fault of every case at once: a prediction that
// is missing or has no reference, another shape, values that are no label of the data set, an unreadable file.
StatusOr<EvaluationSummary> EvaluateFolder(const EvaluateOptions& options);

}  // namespace consilium::trainer
