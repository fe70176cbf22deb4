#include "datasets/demo/scanner_look.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "datasets/sampling/augment.h"

namespace consilium::datasets {
namespace {

constexpr double kPercentile = 0.005;

std::vector<double> GaussianKernel(double sigma) {
  const int radius = static_cast<int>(std::ceil(4 * sigma));
  std::vector<double> kernel;
  double sum = 0;
  for (int i = -radius; i <= radius; ++i) sum += kernel.emplace_back(std::exp(-0.5 * i * i / (sigma * sigma)));
  for (double& weight : kernel) weight /= sum;
  return kernel;
}

// Along one axis; the border voxel is repeated outwards.
void BlurAxis(std::span<float> volume, const Shape3& shape, int axis, double sigma) {
  const std::vector<double> kernel = GaussianKernel(sigma);
  const auto radius = static_cast<std::int64_t>(kernel.size() / 2);
  const std::int64_t length = shape[axis];
  const std::int64_t stride = axis == 0 ? shape[1] * shape[2] : axis == 1 ? shape[2] : 1;
  std::vector<float> line(static_cast<std::size_t>(length));
  for (std::int64_t first = 0; first < VoxelCount(shape); ++first) {
    if (first / stride % length != 0) continue;  // not the start of a line
    for (std::int64_t i = 0; i < length; ++i) line[i] = volume[first + i * stride];
    for (std::int64_t i = 0; i < length; ++i) {
      double sum = 0;
      for (std::int64_t k = -radius; k <= radius; ++k)
        sum += kernel[k + radius] * static_cast<double>(line[std::clamp<std::int64_t>(i + k, 0, length - 1)]);
      volume[first + i * stride] = static_cast<float>(sum);
    }
  }
}

}  // namespace

std::vector<ScannerLook> DefaultScannerLooks(std::size_t sites) {
  CONSILIUM_CHECK(sites <= kDemoSitesMax, "the demonstration has looks for ", kDemoSitesMax, " sites");
  std::vector<ScannerLook> looks = {
      {.scanner = "bright and soft", .gamma = 0.65, .blur_sigma_mm = 0.6, .noise = 0.015, .intensity_max = 255},
      {.scanner = "high contrast, smooth",
       .gamma = 1.0,
       .s_curve = 7.0,
       .blur_sigma_mm = 0.45,
       .noise = 0.01,
       .intensity_max = 1000},
      {.scanner = "dark and noisy", .gamma = 1.6, .noise = 0.05, .intensity_max = 4095},
      {.scanner = "sharp, flat contrast", .gamma = 0.85, .s_curve = 3.0, .noise = 0.02, .intensity_max = 511},
      {.scanner = "dark and soft", .gamma = 1.3, .blur_sigma_mm = 0.7, .noise = 0.02, .intensity_max = 2047},
  };
  looks.resize(sites);
  return looks;
}

IntensityRange RobustRange(std::span<const float> voxels) {
  std::vector<float> sorted;
  std::ranges::copy_if(voxels, std::back_inserter(sorted), [](float value) { return std::isfinite(value); });
  if (sorted.empty()) return {0, 1};
  const auto percentile = [&](double share) {
    const auto at = static_cast<std::ptrdiff_t>(std::lround(share * static_cast<double>(sorted.size() - 1)));
    std::nth_element(sorted.begin(), sorted.begin() + at, sorted.end());
    return sorted[static_cast<std::size_t>(at)];
  };
  const float low = percentile(kPercentile), high = percentile(1 - kPercentile);
  return {low, high > low ? high : low + 1};
}

double ContrastCurve(const ScannerLook& look, double t) {
  const double bent = std::pow(std::clamp(t, 0.0, 1.0), look.gamma);
  if (look.s_curve <= 0) return bent;
  const auto logistic = [&](double x) { return 1 / (1 + std::exp(-look.s_curve * (x - 0.5))); };
  return (logistic(bent) - logistic(0)) / (logistic(1) - logistic(0));
}

void ApplyScannerLook(const ScannerLook& look, const IntensityRange& range, std::uint64_t seed, std::uint64_t stream,
                      Image& image) {
  const double width = static_cast<double>(range.high) - static_cast<double>(range.low);
  for (float& value : image.voxels)
    value =
        static_cast<float>(ContrastCurve(look, (static_cast<double>(value) - static_cast<double>(range.low)) / width));
  const auto voxels = static_cast<std::size_t>(VoxelCount(image.shape));
  if (look.blur_sigma_mm > 0)
    for (std::size_t begin = 0; begin < image.voxels.size(); begin += voxels)
      for (int axis = 0; axis < 3; ++axis)
        BlurAxis(std::span(image.voxels).subspan(begin, voxels), image.shape, axis,
                 look.blur_sigma_mm / image.geometry.spacing[axis]);
  if (look.noise > 0) AddGaussianNoise(image.voxels, static_cast<float>(look.noise), seed, stream);
  // Scanners write whole numbers, and whole numbers compress.
  for (float& value : image.voxels)
    value = static_cast<float>(std::max(std::round(static_cast<double>(value) * look.intensity_max), 0.0));
}

Json ToJson(const ScannerLook& look) {
  return {{"scanner", look.scanner}, {"gamma", look.gamma},
          {"s_curve", look.s_curve}, {"blur_sigma_mm", look.blur_sigma_mm},
          {"noise", look.noise},     {"intensity_max", look.intensity_max}};
}

}  // namespace consilium::datasets
