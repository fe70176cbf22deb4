// One panel of a montage: an axial slice in gray, and classes painted over it.
#pragma once

#include <cstdint>
#include <vector>

#include "datasets/demo/canvas.h"
#include "datasets/image/volume.h"

namespace consilium::datasets {

// A slice with its first row at the top of the picture.
struct PanelSlice {
  std::int64_t height, width;        // voxels
  double pixel_height, pixel_width;  // mm
  std::vector<float> gray;           // [height, width], channel 0
  std::vector<std::int16_t> truth, prediction;
};

// Where a panel lies on the canvas, in pixels.
struct PanelPlace {
  std::int64_t left, top, width, height;
};

// The slice with most foreground in the truth (in the prediction when the truth has none), front of the body up.  The
// three volumes have one shape.
PanelSlice CutPanelSlice(const Image& image, const LabelMap& truth, const LabelMap& prediction);

// Bilinear, from the 0.5 to the 99.5 percentile of the slice; voxels that are no number are black.
void DrawGray(const PanelSlice& slice, const PanelPlace& place, Canvas& canvas);

// `labels`: the slice's truth or prediction.  Half transparent with a full outline; borders between voxels are
// smoothed.
void DrawOverlay(const PanelSlice& slice, const std::vector<std::int16_t>& labels, const PanelPlace& place,
                 Canvas& canvas);

// Class 1, 2, ... (the colours repeat after seven); told apart by colour-blind eyes (Okabe and Ito, 2008).
Color ClassColor(std::int64_t class_index);

// Slice along z with most voxels > 0; the middle one when there are none.
std::int64_t SliceWithMostForeground(const LabelMap& labels);

}  // namespace consilium::datasets
