#include "trainer/evaluation/evaluate.h"

#include <cmath>
#include <set>

#include "datasets/image/image_io.h"
#include "trainer/evaluation/surface.h"

namespace consilium::trainer {
namespace {

std::string UnknownValues(const datasets::LabelMap& map, const LabelSet& labels) {
  const std::set<std::int16_t> known(labels.foreground.begin(), labels.foreground.end());
  std::set<std::int16_t> unknown;
  std::int16_t last = 0;  // runs of equal values are long
  for (const std::int16_t value : map.labels) {
    if (value == last) continue;
    last = value;
    if (value != 0 && !known.count(value)) unknown.insert(value);
  }
  std::string text;
  for (const std::int16_t value : unknown) text += Concat(text.empty() ? "" : ", ", value);
  return text;
}

// What is wrong with the pair, or its scores.
StatusOr<CaseEvaluation> EvaluatePair(const LabelPair& pair, const LabelSet& labels,
                                      const std::optional<double>& surface_tolerance) {
  ASSIGN_OR_RETURN(const datasets::LabelMap prediction, datasets::ReadLabels(pair.prediction));
  ASSIGN_OR_RETURN(const datasets::LabelMap reference, datasets::ReadLabels(pair.reference));
  for (const auto& [map, whose] : {std::pair{&prediction, "the prediction"}, std::pair{&reference, "the label file"}})
    if (const std::string unknown = UnknownValues(*map, labels); !unknown.empty())
      return InvalidArgument(whose, " holds ", unknown, ", no label of ", labels.source);
  CaseEvaluation evaluation{pair.prediction.string(), pair.reference.string(), {}};
  ASSIGN_OR_RETURN(evaluation.counts, CountLabels(prediction, reference, labels.foreground));
  if (!surface_tolerance) return evaluation;
  ASSIGN_OR_RETURN(const auto surfaces, MeasureSurfaces(prediction, reference, labels.foreground));
  for (const SurfaceDistances& distances : surfaces)
    evaluation.surfaces.push_back({distances.Hausdorff95(), distances.SurfaceDice(*surface_tolerance)});
  return evaluation;
}

}  // namespace

StatusOr<EvaluationSummary> EvaluateFolder(const EvaluateOptions& options) {
  if (options.surface_tolerance && !(*options.surface_tolerance >= 0 && std::isfinite(*options.surface_tolerance)))
    return InvalidArgument("a tolerance of ", *options.surface_tolerance, " mm; expected 0 or more");
  FileFaults faults;
  ASSIGN_OR_RETURN(const LabelPairs matched, MatchLabelFolders(options.folders, &faults));
  EvaluationSummary summary;
  summary.labels = matched.labels.foreground;
  for (const LabelPair& pair : matched.pairs) {
    StatusOr<CaseEvaluation> evaluation = EvaluatePair(pair, matched.labels, options.surface_tolerance);
    if (evaluation.ok())
      summary.cases.push_back(*std::move(evaluation));
    else
      faults.Add(pair.name, evaluation.status().message());
  }
  RETURN_IF_ERROR(faults.ToStatus());
  return summary;
}

}  // namespace consilium::trainer
