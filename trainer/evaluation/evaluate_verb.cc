#include "trainer/evaluation/evaluate_verb.h"

#include <cmath>
#include <cstdio>
#include <iostream>

#include "trainer/evaluation/evaluate.h"

namespace consilium::trainer {
namespace {

struct Options {
  std::string predictions, labels, output;
  bool allow_missing = false;
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

// label    Dice     IoU    cases that show it
void PrintTable(const EvaluationSummary& summary) {
  std::fprintf(stderr, "%-10s %8s %8s %18s\n", "label", "Dice", "IoU", "cases that show it");
  for (std::size_t i = 0; i < summary.labels.size(); ++i) {
    std::int64_t shown = 0;
    for (const CaseEvaluation& evaluation : summary.cases) shown += evaluation.counts[i].reference() > 0;
    std::fprintf(stderr, "%-10d %8s %8s %12lld of %lld\n", summary.labels[i], Rounded(summary.MeanDice(i)).c_str(),
                 Rounded(MeanIntersectionOverUnion(summary, i)).c_str(), static_cast<long long>(shown),
                 static_cast<long long>(summary.cases.size()));
  }
  std::fprintf(stderr, "%-10s %8s\n", "mean", Rounded(summary.ForegroundMeanDice()).c_str());
}

Status Evaluate(const Options& options, bool json_wanted) {
  ASSIGN_OR_RETURN(
      const EvaluationSummary summary,
      EvaluateFolder({.predictions = options.predictions,
                      .labels = options.labels,
                      .missing = options.allow_missing ? MissingPredictions::kSkip : MissingPredictions::kRefuse}));
  const std::filesystem::path output = options.output.empty()
                                           ? std::filesystem::path(options.predictions) / "summary.json"
                                           : std::filesystem::path(options.output);
  const Json json = summary.ToJson();
  RETURN_IF_ERROR(WriteJson(output, json));
  PrintTable(summary);
  std::cerr << "Wrote " << output.string() << "\n";
  if (json_wanted) Command::PrintJson(json);
  return Status();
}

}  // namespace

int EvaluateVerb(const Arguments& arguments) {
  Options options;
  Command command("consilium evaluate",
                  "Compares predicted segmentations with true ones: Dice and IoU for each case and label, in nnU-Net's "
                  "summary.json.",
                  "consilium evaluate --predictions predicted --labels Dataset004_Hippocampus/labelsTr");
  command.Option("--predictions", &options.predictions, "folder of predicted label files", /*required=*/true);
  command.Option("--labels", &options.labels, "folder of true label files, named alike", /*required=*/true);
  command.Option("--output", &options.output, "file to write; default: summary.json in the predictions' folder");
  command.Flag("--allow-missing", &options.allow_missing, "leave out labels that were not predicted");
  return command.Run(arguments, [&] { return Evaluate(options, command.json()); });
}

}  // namespace consilium::trainer
