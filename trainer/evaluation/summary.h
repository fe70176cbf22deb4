// summary.json in nnU-Net's layout: foreground_mean, mean a label, metric_per_case.  No torch.
//
// Differences on purpose: a value that is not defined is `null` (JSON has no NaN), and foreground_mean leaves out
// labels that are defined in no case, where upstream's would be NaN.
#pragma once

#include <string>
#include <vector>

#include "comm/base/json.h"
#include "trainer/evaluation/metrics.h"

namespace consilium::trainer {

struct CaseEvaluation {
  std::string prediction_file;
  std::string reference_file;
  std::vector<LabelCounts> counts;  // in the order of EvaluationSummary::labels
};

struct EvaluationSummary {
  std::vector<std::int16_t> labels;  // foreground
  std::vector<CaseEvaluation> cases;

  // Over the cases where it is defined (NaN when there are none).
  double MeanDice(std::size_t label_index) const;
  // The plain mean of MeanDice over the labels where that is defined.
  double ForegroundMeanDice() const;
  Json ToJson() const;
};

}  // namespace consilium::trainer
