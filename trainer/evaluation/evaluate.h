// Compares a folder of predictions with a folder of true labels.  No torch.
#pragma once

#include <optional>

#include "trainer/evaluation/label_pairs.h"
#include "trainer/evaluation/summary.h"

namespace consilium::trainer {

struct EvaluateOptions {
  LabelFolders folders;
  // mm: then borders are measured too, with this tolerance for the surface Dice.
  std::optional<double> surface_tolerance{};
};

// In the order of file names.  Errors: InvalidArgument that lists every fault of every case at once: a prediction that
// is missing or has no reference, another shape, values that are no label of the data set, an unreadable file.
StatusOr<EvaluationSummary> EvaluateFolder(const EvaluateOptions& options);

}  // namespace consilium::trainer
