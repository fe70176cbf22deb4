// One picture that lets a person judge a segmentation: a row a case, with image, truth and prediction side by side.
//
// Shown is the axial slice with most foreground in the truth, front of the body up, gray from the 0.5 to the 99.5
// percentile. Classes are coloured, half transparent, with a full outline; the row's margin has the Dice of each class
// over the whole case.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "comm/base/status.h"
#include "datasets/demo/canvas.h"
#include "datasets/image/volume.h"

namespace consilium::datasets {

struct MontageRow {
  std::string title;  // "\n" starts a new line
  Image image;        // channel 0 is shown
  LabelMap truth;
  LabelMap prediction;  // same shape as image and truth
};

struct MontageOptions {
  std::string heading;                   // above everything; may be empty
  std::vector<std::string> class_names;  // of class 1, 2, ...; missing ones are called "class 3"
  std::int64_t panel_pixels = 200;       // the longer edge of the largest panel
};

// kInvalidArgument when there is no row, the shapes in one differ, or there are more than 64 classes.
StatusOr<Canvas> RenderMontage(std::span<const MontageRow> rows, const MontageOptions& options);
Status WriteMontage(const std::filesystem::path& path, std::span<const MontageRow> rows, const MontageOptions& options);

// 2 |A and B| / (|A| + |B|) of one class; 1 when neither has it.
double DiceOfClass(const LabelMap& truth, const LabelMap& prediction, std::int16_t class_index);

}  // namespace consilium::datasets
