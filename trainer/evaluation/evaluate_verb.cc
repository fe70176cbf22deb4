#include "trainer/evaluation/evaluate_verb.h"

#include <cmath>
#include <cstdio>
#include <iostream>

#include "trainer/evaluation/evaluate.h"

namespace consilium::trainer {
namespace {

struct Options {
  std::string predictions, labels, output;
  bool allow_missing = false, surface = false;
  double tolerance = 1;
};

std::string Rounded(double value) {
  if (std::isnan(value)) return "-";
  char text[32];
  std::snprintf(text, sizeof text, "%.4f", value);
  return text;
}

double MeanIntersectionOverUnion(const EvaluationSummary& summary, std::size_t label_index) {
  std::vector<double> values;
  for (const CaseEvaluation& evaluation : summary.cases)
    values.push_back(evaluation.counts[label_index].IntersectionOverUnion());
  return NanMean(values);
}

// label    Dice     IoU    HD95 mm     NSD    cases that show it
void PrintTable(const EvaluationSummary& summary, bool with_surfaces) {
  std::fprintf(stderr, "%-10s %8s %8s", "label", "Dice", "IoU");
  if (with_surfaces) std::fprintf(stderr, " %8s %8s", "HD95 mm", "NSD");
  std::fprintf(stderr, " %18s\n", "cases that show it");
  for (std::size_t i = 0; i < summary.labels.size(); ++i) {
    std::int64_t shown = 0;
    for (const CaseEvaluation& evaluation : summary.cases) shown += evaluation.counts[i].reference() > 0;
    std::fprintf(stderr, "%-10d %8s %8s", summary.labels[i], Rounded(summary.MeanDice(i)).c_str(),
                 Rounded(MeanIntersectionOverUnion(summary, i)).c_str());
    const SurfaceScores surface = summary.MeanSurface(i);
    if (with_surfaces)
      std::fprintf(stderr, " %8s %8s", Rounded(surface.hausdorff_95).c_str(), Rounded(surface.surface_dice).c_str());
    std::fprintf(stderr, " %12lld of %lld\n", static_cast<long long>(shown),
                 static_cast<long long>(summary.cases.size()));
  }
  std::fprintf(stderr, "%-10s %8s\n", "mean", Rounded(summary.ForegroundMeanDice()).c_str());
}

Status Evaluate(const Options& options, bool json_wanted) {
  ASSIGN_OR_RETURN(
      const EvaluationSummary summary,
      EvaluateFolder(
          {.folders = {.predictions = options.predictions,
                       .labels = options.labels,
                       .missing = options.allow_missing ? MissingPredictions::kSkip : MissingPredictions::kRefuse},
           .surface_tolerance = options.surface ? std::optional(options.tolerance) : std::nullopt}));
  const std::filesystem::path output = options.output.empty()
                                           ? std::filesystem::path(options.predictions) / "summary.json"
                                           : std::filesystem::path(options.output);
  const Json json = summary.ToJson();
  RETURN_IF_ERROR(WriteJson(output, json));
  PrintTable(summary, options.surface);
  std::cerr << "Wrote " << output.string() << "\n";
  if (json_wanted) Command::PrintJson(json);
  return Status();
}

}  // namespace

int EvaluateVerb(const Arguments& arguments) {
  Options options;
  Command command(
      "consilium evaluate",
      "Compares predicted segmentations with true ones: Dice and IoU for each case and label, on request HD95 and "
      "normalised surface Dice, in nnU-Net's summary.json.",
      "consilium evaluate --predictions predicted --labels Dataset004_Hippocampus/labelsTr");
  command.Option("--predictions", &options.predictions, "folder of predicted label files", /*required=*/true);
  command.Option("--labels", &options.labels, "folder of true label files, named alike", /*required=*/true);
  command.Option("--output", &options.output, "file to write; default: summary.json in the predictions' folder");
  command.Flag("--allow-missing", &options.allow_missing, "leave out labels that were not predicted");
  command.Flag("--surface", &options.surface,
               "also HD95 (mm) and normalised surface Dice (NSD); takes a few times as long");
  command.Option("--tolerance", &options.tolerance, "mm that borders may be apart and still agree, for NSD");
  return command.Run(arguments, [&] { return Evaluate(options, command.json()); });
}

}  // namespace consilium::trainer
