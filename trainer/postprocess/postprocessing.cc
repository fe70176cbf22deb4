#include "trainer/postprocess/postprocessing.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "comm/base/file.h"
#include "comm/base/json_number.h"
#include "datasets/image/image_io.h"
#include "trainer/evaluation/summary.h"
#include "trainer/postprocess/components.h"

namespace consilium::trainer {
namespace {

namespace fs = std::filesystem;

constexpr char kFormat[] = "consilium postprocessing 1";
constexpr char kStep[] = "keep_largest_component";

StatusOr<EvaluationSummary> Evaluate(const LabelPairs& matched, const Postprocessing& postprocessing) {
  EvaluationSummary summary{.labels = matched.labels.foreground, .cases = {}};
  FileFaults faults;
  for (const LabelPair& pair : matched.pairs) {
    ASSIGN_OR_RETURN(datasets::LabelMap prediction, datasets::ReadLabels(pair.prediction));
    ASSIGN_OR_RETURN(const datasets::LabelMap reference, datasets::ReadLabels(pair.reference));
    Apply(postprocessing, &prediction);
    StatusOr<std::vector<LabelCounts>> counts = CountLabels(prediction, reference, summary.labels);
    if (counts.ok())
      summary.cases.push_back({pair.prediction.string(), pair.reference.string(), *std::move(counts)});
    else
      faults.Add(pair.name, counts.status().message());
  }
  RETURN_IF_ERROR(faults.ToStatus());
  return summary;
}

// One that is undefined (the label is nowhere) neither rises nor falls.
bool Falls(double before, double after) { return after < before || (!std::isnan(before) && std::isnan(after)); }

bool AnyLabelFalls(const EvaluationSummary& before, const EvaluationSummary& after) {
  for (std::size_t i = 0; i < before.labels.size(); ++i)
    if (Falls(before.MeanDice(i), after.MeanDice(i))) return true;
  return false;
}

// Tries steps on top of those that were accepted.
class Learner {
 public:
  explicit Learner(LabelPairs matched) : matched_(std::move(matched)) {}

  StatusOr<LearnedPostprocessing> Learn() {
    const std::vector<std::int16_t> labels = matched_.labels.foreground;
    ASSIGN_OR_RETURN(current_, Evaluate(matched_, {}));
    learned_.cases = static_cast<std::int64_t>(current_.cases.size());
    learned_.foreground_mean_before = current_.ForegroundMeanDice();
    RETURN_IF_ERROR(Try({labels}, [](const EvaluationSummary& summary) { return summary.ForegroundMeanDice(); }));
    for (std::size_t i = 0; i < labels.size() && labels.size() > 1; ++i)
      RETURN_IF_ERROR(Try({{labels[i]}}, [i](const EvaluationSummary& summary) { return summary.MeanDice(i); }));
    learned_.foreground_mean_after = current_.ForegroundMeanDice();
    return std::move(learned_);
  }

 private:
  Status Try(const KeepLargest& step, const std::function<double(const EvaluationSummary&)>& score) {
    Postprocessing candidate = learned_.postprocessing;
    candidate.steps.push_back(step);
    ASSIGN_OR_RETURN(EvaluationSummary after, Evaluate(matched_, candidate));
    TriedStep tried{.step = step, .dice_before = score(current_), .dice_after = score(after)};
    // A label apart cannot change another one's voxels, so for those the second rule says nothing new.
    tried.accepted = tried.dice_after > tried.dice_before && !AnyLabelFalls(current_, after);
    if (tried.accepted) {
      learned_.postprocessing = std::move(candidate);
      current_ = std::move(after);
    }
    learned_.tried.push_back(std::move(tried));
    return Status();
  }

  LabelPairs matched_;
  EvaluationSummary current_;
  LearnedPostprocessing learned_;
};

Json NumberOrNull(double value) { return std::isnan(value) ? Json(nullptr) : Json(value); }

}  // namespace

void Apply(const Postprocessing& postprocessing, datasets::LabelMap* prediction) {
  for (const KeepLargest& step : postprocessing.steps) KeepLargestComponent(step.labels, prediction);
}

StatusOr<LearnedPostprocessing> LearnPostprocessing(const LabelFolders& folders) {
  FileFaults faults;
  ASSIGN_OR_RETURN(LabelPairs matched, MatchLabelFolders(folders, &faults));
  RETURN_IF_ERROR(faults.ToStatus());
  return Learner(std::move(matched)).Learn();
}

Json PostprocessingToJson(const LearnedPostprocessing& learned) {
  Json json = {{"format", kFormat},
               {"steps", Json::array()},
               {"tried", Json::array()},
               {"cases", learned.cases},
               {"foreground_mean_dice",
                {{"before", NumberOrNull(learned.foreground_mean_before)},
                 {"after", NumberOrNull(learned.foreground_mean_after)}}}};
  for (const KeepLargest& step : learned.postprocessing.steps) json["steps"].push_back({{kStep, step.labels}});
  for (const TriedStep& tried : learned.tried)
    json["tried"].push_back({{kStep, tried.step.labels},
                             {"dice_before", NumberOrNull(tried.dice_before)},
                             {"dice_after", NumberOrNull(tried.dice_after)},
                             {"accepted", tried.accepted}});
  return json;
}

StatusOr<Postprocessing> ParsePostprocessing(const Json& json, const std::string& where) {
  try {
    if (json.at("format") != kFormat)
      return InvalidArgument(where, " has format ", json.at("format").dump(), ", expected \"", kFormat, "\"");
    Postprocessing postprocessing;
    for (const Json& step : json.at("steps")) {
      KeepLargest& keep = postprocessing.steps.emplace_back();
      for (const Json& label : step.at(kStep)) keep.labels.push_back(WholeNumber<std::int16_t>(label));
      if (keep.labels.empty() || *std::min_element(keep.labels.begin(), keep.labels.end()) <= 0)
        return InvalidArgument(where, ": a step names no labels above 0: ", step.dump());
    }
    return postprocessing;
  } catch (const Json::exception& error) {
    return InvalidArgument(where, " is not what consilium postprocess --learn writes: ", error.what());
  }
}

StatusOr<std::int64_t> ApplyToFolder(const Postprocessing& postprocessing, const fs::path& predictions,
                                     const fs::path& output) {
  ASSIGN_OR_RETURN(const auto files, ListLabelFiles(predictions));
  RETURN_IF_ERROR(MakeDirectories(output));
  for (const auto& [name, path] : files) {
    ASSIGN_OR_RETURN(datasets::LabelMap map, datasets::ReadLabels(path));
    Apply(postprocessing, &map);
    RETURN_IF_ERROR(datasets::WriteLabels(output / name, map));
  }
  std::error_code error;
  if (fs::exists(predictions / "dataset.json", error)) {
    ASSIGN_OR_RETURN(const Json dataset, ReadJson(predictions / "dataset.json"));
    RETURN_IF_ERROR(WriteJson(output / "dataset.json", dataset));
  }
  return static_cast<std::int64_t>(files.size());
}

}  // namespace consilium::trainer
