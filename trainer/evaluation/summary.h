// summary.json in nnU-Net's layout: foreground_mean, mean a label, metric_per_case.  No torch.
//
// Where borders were measured there are HD95 and NSD too, which upstream does not have.
//
// Differences on purpose: a value that is not defined is `null` (JSON has no NaN), and foreground_mean leaves out
// labels that are defined in no case, where upstream's would be NaN.
#pragma once

#include <string>
#include <vector>

#include "comm/base/json.h"
#include "trainer/evaluation/metrics.h"

namespace consilium::trainer {

// Of one case and one label; see surface.h.
struct SurfaceScores {
  double hausdorff_95 = 0;  // mm
  double surface_dice = 0;
};

struct CaseEvaluation {
  std::string prediction_file;
  std::string reference_file;
  std::vector<LabelCounts> counts;        // in the order of EvaluationSummary::labels
  std::vector<SurfaceScores> surfaces{};  // alike; empty: they were not measured
};

struct EvaluationSummary {
  std::vector<std::int16_t> labels;  // foreground
  std::vector<CaseEvaluation> cases;

  // Over the cases where it is defined (NaN when there are none).
  double MeanDice(std::size_t label_index) const;
  // The plain mean of MeanDice over the labels where that is defined.
  double ForegroundMeanDice() const;
  // The same means of the borders' scores; NaN when they were not measured.
  SurfaceScores MeanSurface(std::size_t label_index) const;
  Json ToJson() const;
};

}  // namespace consilium::trainer
