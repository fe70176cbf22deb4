#include "trainer/evaluation/evaluate.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "datasets/image/image_io.h"
#include "datasets/raw/raw_dataset.h"
#include "trainer/evaluation/surface.h"

namespace consilium::trainer {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFaultsShown = 50;

// Label files by name ("hippocampus_001.nii.gz"); hidden files are none.
StatusOr<std::map<std::string, fs::path>> ListLabelFiles(const fs::path& folder) {
  std::map<std::string, fs::path> files;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name.front() != '.' && !datasets::ImageEndingOf(at->path()).empty()) files[name] = at->path();
  }
  if (error) return ErrnoStatus(error.value(), "listing " + folder.string());
  if (files.empty()) return InvalidArgument(folder.string(), " holds no label files; expected .nii.gz, .nii or .png");
  return files;
}

struct LabelSet {
  std::vector<std::int16_t> foreground;
  std::string source;  // for messages
};

// nullopt: there is no dataset.json in the usual places.
StatusOr<std::optional<LabelSet>> LabelsFromDataset(const EvaluateOptions& options) {
  for (const fs::path& folder : {options.predictions, options.labels, options.labels / ".."}) {
    const fs::path path = (folder / "dataset.json").lexically_normal();
    if (!fs::exists(path)) continue;
    ASSIGN_OR_RETURN(const Json json, ReadJson(path));
    ASSIGN_OR_RETURN(const datasets::DatasetDescription description,
                     datasets::ParseDatasetDescription(json, path.string()));
    LabelSet labels{.foreground = {}, .source = path.string()};
    for (const auto& [name, value] : description.labels)
      if (value != 0) labels.foreground.push_back(value);
    std::sort(labels.foreground.begin(), labels.foreground.end());
    return std::optional(std::move(labels));
  }
  return std::optional<LabelSet>();
}

// Collects faults so that a person mends once.
class Faults {
 public:
  void Add(const std::string& name, const std::string& fault) { lines_.push_back(name + ": " + fault); }
  Status ToStatus() const {
    if (lines_.empty()) return Status();
    std::string text = Concat(lines_.size(), lines_.size() == 1 ? " fault" : " faults", ", nothing was evaluated:");
    for (std::size_t i = 0; i < std::min(lines_.size(), kFaultsShown); ++i) text += "\n  " + lines_[i];
    if (lines_.size() > kFaultsShown) text += Concat("\n  and ", lines_.size() - kFaultsShown, " more");
    return InvalidArgument(text);
  }

 private:
  std::vector<std::string> lines_;
};

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

struct Pair {
  std::string name;
  fs::path prediction, reference;
};

std::vector<Pair> MatchFiles(const std::map<std::string, fs::path>& predictions,
                             const std::map<std::string, fs::path>& references, MissingPredictions missing,
                             Faults* faults) {
  std::vector<Pair> pairs;
  for (const auto& [name, reference] : references) {
    if (const auto found = predictions.find(name); found != predictions.end())
      pairs.push_back({name, found->second, reference});
    else if (missing == MissingPredictions::kRefuse)
      faults->Add(name, "is not among the predictions");
  }
  for (const auto& [name, prediction] : predictions)
    if (!references.count(name)) faults->Add(name, "was predicted, but is not among the labels");
  return pairs;
}

// Every value above 0 in the references.
StatusOr<LabelSet> LabelsFromReferences(const std::vector<Pair>& pairs) {
  std::set<std::int16_t> values;
  for (const Pair& pair : pairs) {
    ASSIGN_OR_RETURN(const datasets::LabelMap reference, datasets::ReadLabels(pair.reference));
    for (const std::int16_t value : reference.labels)
      if (value > 0) values.insert(value);
  }
  if (values.empty()) return InvalidArgument("the labels hold nothing but background");
  return LabelSet{.foreground = {values.begin(), values.end()}, .source = "the labels"};
}

// What is wrong with the pair, or its scores.
StatusOr<CaseEvaluation> EvaluatePair(const Pair& pair, const LabelSet& labels,
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
  ASSIGN_OR_RETURN(const auto predictions, ListLabelFiles(options.predictions));
  ASSIGN_OR_RETURN(const auto references, ListLabelFiles(options.labels));
  Faults faults;
  const std::vector<Pair> pairs = MatchFiles(predictions, references, options.missing, &faults);

  LabelSet labels{.foreground = options.foreground, .source = "those asked for"};
  if (labels.foreground.empty()) {
    ASSIGN_OR_RETURN(std::optional<LabelSet> found, LabelsFromDataset(options));
    if (!found) {
      ASSIGN_OR_RETURN(found, LabelsFromReferences(pairs));
    }
    labels = *std::move(found);
  }

  EvaluationSummary summary;
  summary.labels = labels.foreground;
  for (const Pair& pair : pairs) {
    StatusOr<CaseEvaluation> evaluation = EvaluatePair(pair, labels, options.surface_tolerance);
    if (evaluation.ok())
      summary.cases.push_back(*std::move(evaluation));
    else
      faults.Add(pair.name, evaluation.status().message());
  }
  RETURN_IF_ERROR(faults.ToStatus());
  return summary;
}

}  // namespace consilium::trainer
