// Two folders of label files, put side by side: which files belong together, which labels there are.  No torch.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "comm/base/status.h"

namespace consilium::trainer {

enum class MissingPredictions { kRefuse, kSkip };  // of a reference

// Collects what is wrong with files, so that a person mends once.
class FileFaults {
 public:
  void Add(const std::string& name, const std::string& fault) { lines_.push_back(name + ": " + fault); }
  // InvalidArgument with all of them.
  Status ToStatus() const;

 private:
  std::vector<std::string> lines_;
};

struct LabelSet {
  std::vector<std::int16_t> foreground;  // ascending
  std::string source;                    // for messages
};

struct LabelPair {
  std::string name;  // of both files
  std::filesystem::path prediction, reference;
};

struct LabelPairs {
  std::vector<LabelPair> pairs;  // in the order of names
  LabelSet labels;
};

// Label files of a folder by name ("hippocampus_001.nii.gz"); hidden files are none.  Errors: NotFound;
// InvalidArgument when there are none.
StatusOr<std::map<std::string, std::filesystem::path>> ListLabelFiles(const std::filesystem::path& folder);

struct LabelFolders {
  std::filesystem::path predictions;  // CASE.ending
  std::filesystem::path labels;       // CASE.ending
  // Foreground labels; empty: from a dataset.json in `predictions`, in `labels` or above `labels`, in this order, else
  // every value above 0 in the references.
  std::vector<std::int16_t> foreground;
  MissingPredictions missing = MissingPredictions::kRefuse;
};
// Files without a counterpart are added to `faults`.  Errors: of reading folders and dataset.json.
StatusOr<LabelPairs> MatchLabelFolders(const LabelFolders& folders, FileFaults* faults);

}  // namespace consilium::trainer
