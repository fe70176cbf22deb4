// What is done to predictions after the network: chosen on cross-validation, kept as JSON, applied anywhere.  No torch.
//
// Source: nnU-Net v2, remove_connected_components.py: keep the largest part of all foreground if the mean Dice rises
// and no label's falls; then the same for each label apart if its own Dice rises.
#pragma once

#include <filesystem>
#include <vector>

#include "comm/base/json.h"
#include "datasets/image/volume.h"
#include "trainer/evaluation/label_pairs.h"

namespace consilium::trainer {

// Of these labels together the largest connected part is kept.
struct KeepLargest {
  std::vector<std::int16_t> labels;
  friend bool operator==(const KeepLargest&, const KeepLargest&) = default;
};

struct Postprocessing {
  std::vector<KeepLargest> steps;  // in this order; none: predictions stay as they are
  friend bool operator==(const Postprocessing&, const Postprocessing&) = default;
};

void Apply(const Postprocessing& postprocessing, datasets::LabelMap* prediction);

// One step that was tried.
struct TriedStep {
  KeepLargest step;
  double dice_before = 0, dice_after = 0;  // what decided: the foreground mean, or the label's own; NaN: undefined
  bool accepted = false;
};

struct LearnedPostprocessing {
  Postprocessing postprocessing;
  std::vector<TriedStep> tried;
  double foreground_mean_before = 0, foreground_mean_after = 0;  // Dice
  std::int64_t cases = 0;
};

// Predictions must be of cases that their networks were not trained on: cross-validation.  Each step reads all cases
// once more; one case is in memory at a time.  Errors: as EvaluateFolder.
StatusOr<LearnedPostprocessing> LearnPostprocessing(const LabelFolders& folders);

Json PostprocessingToJson(const LearnedPostprocessing& learned);
// Reads the steps alone.  Errors: InvalidArgument, naming `where`.
StatusOr<Postprocessing> ParsePostprocessing(const Json& json, const std::string& where);

// Every label file of `predictions` into `output`, under its name, and dataset.json where there is one.  `output` may
// be the same folder.  Returns the number of files.
StatusOr<std::int64_t> ApplyToFolder(const Postprocessing& postprocessing, const std::filesystem::path& predictions,
                                     const std::filesystem::path& output);

}  // namespace consilium::trainer
