#include "trainer/evaluation/label_pairs.h"

#include <algorithm>
#include <optional>
#include <set>

#include "datasets/image/image_io.h"
#include "datasets/raw/raw_dataset.h"

namespace consilium::trainer {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFaultsShown = 50;

// nullopt: there is no dataset.json in the usual places.
StatusOr<std::optional<LabelSet>> LabelsFromDataset(const LabelFolders& folders) {
  for (const fs::path& folder : {folders.predictions, folders.labels, folders.labels / ".."}) {
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

std::vector<LabelPair> MatchFiles(const std::map<std::string, fs::path>& predictions,
                                  const std::map<std::string, fs::path>& references, MissingPredictions missing,
                                  FileFaults* faults) {
  std::vector<LabelPair> pairs;
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
StatusOr<LabelSet> LabelsFromReferences(const std::vector<LabelPair>& pairs) {
  std::set<std::int16_t> values;
  for (const LabelPair& pair : pairs) {
    ASSIGN_OR_RETURN(const datasets::LabelMap reference, datasets::ReadLabels(pair.reference));
    for (const std::int16_t value : reference.labels)
      if (value > 0) values.insert(value);
  }
  if (values.empty()) return InvalidArgument("the labels hold nothing but background");
  return LabelSet{.foreground = {values.begin(), values.end()}, .source = "the labels"};
}

}  // namespace

Status FileFaults::ToStatus() const {
  if (lines_.empty()) return Status();
  std::string text = Concat(lines_.size(), lines_.size() == 1 ? " fault" : " faults", ", nothing was evaluated:");
  for (std::size_t i = 0; i < std::min(lines_.size(), kFaultsShown); ++i) text += "\n  " + lines_[i];
  if (lines_.size() > kFaultsShown) text += Concat("\n  and ", lines_.size() - kFaultsShown, " more");
  return InvalidArgument(text);
}

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

StatusOr<LabelPairs> MatchLabelFolders(const LabelFolders& folders, FileFaults* faults) {
  ASSIGN_OR_RETURN(const auto predictions, ListLabelFiles(folders.predictions));
  ASSIGN_OR_RETURN(const auto references, ListLabelFiles(folders.labels));
  LabelPairs matched{.pairs = MatchFiles(predictions, references, folders.missing, faults),
                     .labels = {.foreground = folders.foreground, .source = "those asked for"}};
  if (!folders.foreground.empty()) return matched;
  ASSIGN_OR_RETURN(std::optional<LabelSet> found, LabelsFromDataset(folders));
  if (!found && matched.pairs.empty()) return matched;  // the faults say why
  if (!found) {
    ASSIGN_OR_RETURN(found, LabelsFromReferences(matched.pairs));
  }
  matched.labels = *std::move(found);
  return matched;
}

}  // namespace consilium::trainer
