#include "trainer/postprocess/postprocess_verb.h"

#include <cmath>
#include <cstdio>
#include <iostream>

#include "trainer/postprocess/postprocessing.h"

namespace consilium::trainer {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string predictions, labels, output, apply;
  bool learn = false, allow_missing = false;
};

std::string LabelsText(const KeepLargest& step) {
  std::string text = step.labels.size() == 1 ? "label" : "labels";
  for (const std::int16_t label : step.labels) text += Concat(" ", label);
  return text;
}

std::string Rounded(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4f", value);
  return std::isnan(value) ? "-" : text;
}

Status Learn(const Options& options, bool json_wanted) {
  if (options.labels.empty()) return InvalidArgument("--learn needs --labels, the true labels of the predicted cases");
  ASSIGN_OR_RETURN(const LearnedPostprocessing learned,
                   LearnPostprocessing(
                       {.predictions = options.predictions,
                        .labels = options.labels,
                        .missing = options.allow_missing ? MissingPredictions::kSkip : MissingPredictions::kRefuse}));
  for (const TriedStep& tried : learned.tried)
    std::cerr << "  largest part of " << LabelsText(tried.step) << ": Dice " << Rounded(tried.dice_before) << " -> "
              << Rounded(tried.dice_after) << (tried.accepted ? ", kept\n" : ", not worth it\n");
  std::cerr << "Mean Dice over " << learned.cases << " cases: " << Rounded(learned.foreground_mean_before) << " -> "
            << Rounded(learned.foreground_mean_after) << "\n";
  const fs::path output =
      options.output.empty() ? fs::path(options.predictions) / "postprocessing.json" : fs::path(options.output);
  const Json json = PostprocessingToJson(learned);
  RETURN_IF_ERROR(WriteJson(output, json));
  std::cerr << "Wrote " << output.string() << "\n";
  if (json_wanted) Command::PrintJson(json);
  return Status();
}

Status ApplyFile(const Options& options, bool json_wanted) {
  if (options.output.empty()) return InvalidArgument("--apply needs --output, the folder for the results");
  if (!options.labels.empty()) return InvalidArgument("--labels is for --learn; consilium evaluate compares results");
  ASSIGN_OR_RETURN(const Json json, ReadJson(options.apply));
  ASSIGN_OR_RETURN(const Postprocessing postprocessing, ParsePostprocessing(json, options.apply));
  ASSIGN_OR_RETURN(const std::int64_t files, ApplyToFolder(postprocessing, options.predictions, options.output));
  std::cerr << "Wrote " << files << " files into " << options.output << ", " << postprocessing.steps.size()
            << (postprocessing.steps.size() == 1 ? " step each\n" : " steps each\n");
  if (json_wanted) Command::PrintJson({{"files", files}, {"steps", postprocessing.steps.size()}});
  return Status();
}

}  // namespace

int PostprocessVerb(const Arguments& arguments) {
  Options options;
  Command command("consilium postprocess",
                  "Removes what predictions show beside the largest connected part, where that has proved right.\n"
                  "--learn tries it on predictions of cross-validation, for all labels together and for each apart,\n"
                  "and keeps what raises the Dice; --apply does the same to other predictions.",
                  "consilium postprocess --learn --predictions cv --labels Dataset004_Hippocampus/labelsTr\n"
                  "  consilium postprocess --apply cv/postprocessing.json --predictions new --output cleaned");
  command.Flag("--learn", &options.learn, "choose the steps");
  command.Option("--apply", &options.apply, "postprocessing.json that --learn wrote");
  command.Option("--predictions", &options.predictions, "folder of predicted label files", /*required=*/true);
  command.Option("--labels", &options.labels, "with --learn: folder of true label files, named alike");
  command.Flag("--allow-missing", &options.allow_missing, "with --learn: leave out labels that were not predicted");
  command.Option(
      "--output,-o", &options.output,
      "with --learn: file to write, default postprocessing.json beside the predictions; with --apply: folder");
  return command.Run(arguments, [&] {
    if (options.learn == !options.apply.empty()) return InvalidArgument("give either --learn or --apply FILE");
    return options.learn ? Learn(options, command.json()) : ApplyFile(options, command.json());
  });
}

}  // namespace consilium::trainer
