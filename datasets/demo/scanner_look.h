// Makes an image look as if another scanner had taken it: contrast curve, blur, noise.
//
// A per-case z-score undoes any scale and offset, so sites that differ only in those would train as one.  A nonlinear
// curve on normalised intensities, a different sharpness and a different noise level survive it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "comm/base/json.h"
#include "datasets/image/volume.h"

namespace consilium::datasets {

struct ScannerLook {
  std::string scanner;          // for people: "sharp and noisy"
  double gamma = 1.0;           // t -> t^gamma on [0, 1]; below 1 brightens the dark half
  double s_curve = 0.0;         // then steepness of a logistic through (0, 0) and (1, 1); 0: none
  double blur_sigma_mm = 0.0;   // then a Gaussian
  double noise = 0.0;           // then white noise, standard deviation as a share of the robust range
  double intensity_max = 1000;  // what 1 is written as; values are whole and at least 0
};

// Of the first `sites` hospitals, at most kDemoSitesMax; they differ plainly: soft and bright, contrasty and smooth,
// dark and noisy, ...
inline constexpr std::size_t kDemoSitesMax = 5;
std::vector<ScannerLook> DefaultScannerLooks(std::size_t sites = 3);

struct IntensityRange {
  float low;
  float high;  // > low
};

// The 0.5 and 99.5 percentiles: a few bright vessels do not set the scale.  A constant image gets high =
// low + 1; values that are not finite do not count.
IntensityRange RobustRange(std::span<const float> voxels);

// The curve alone; monotone, [0, 1] onto [0, 1]; values outside are clamped.
double ContrastCurve(const ScannerLook& look, double t);

// In place, each channel.  `range` is mapped to [0, 1] first.  The noise is a function of (seed, stream).
void ApplyScannerLook(const ScannerLook& look, const IntensityRange& range, std::uint64_t seed, std::uint64_t stream,
                      Image& image);

Json ToJson(const ScannerLook& look);

}  // namespace consilium::datasets
