#include "datasets/sampling/augment.h"

#include <algorithm>
#include <cmath>

#include "comm/base/status.h"
#include "datasets/sampling/resolution.h"
#include "datasets/sampling/vector_math.h"

namespace consilium::datasets {
namespace {

// nnU-Net's defaults: the gate of each transform (one draw a sample) and the range of its parameter.
constexpr double kNoiseProbability = 0.1, kNoiseStandardDeviationMax = 0.1;
constexpr double kBrightnessProbability = 0.15, kContrastProbability = 0.15, kFactorLow = 0.75, kFactorHigh = 1.25;
constexpr double kBlurProbability = 0.2, kBlurLow = 0.5, kBlurHigh = 1;  // voxels
constexpr double kLowResolutionProbability = 0.25, kCoarsest = 0.5;
constexpr double kChannelProbability = 0.5;  // of blur and low resolution, once they come
constexpr double kInvertedGammaProbability = 0.1, kGammaProbability = 0.3, kGammaLow = 0.7, kGammaHigh = 1.5;

// Sums run in eight fixed lanes: the compiler may use any vector width, the result is the same.
constexpr std::size_t kLanes = 8;

double Mean(std::span<const float> values) {
  std::array<double, kLanes> sums{};
  const std::size_t whole = values.size() / kLanes * kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes)
    for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += static_cast<double>(values[i + lane]);
  for (std::size_t i = whole; i < values.size(); ++i) sums[i - whole] += static_cast<double>(values[i]);
  double total = 0;
  for (const double sum : sums) total += sum;
  return total / static_cast<double>(values.size());
}

// Unbiased; 0 for a single value.
double StandardDeviation(std::span<const float> values, double mean) {
  std::array<double, kLanes> sums{};
  const std::size_t whole = values.size() / kLanes * kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes)
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const double distance = static_cast<double>(values[i + lane]) - mean;
      sums[lane] += distance * distance;
    }
  for (std::size_t i = whole; i < values.size(); ++i) {
    const double distance = static_cast<double>(values[i]) - mean;
    sums[i - whole] += distance * distance;
  }
  double total = 0;
  for (const double sum : sums) total += sum;
  return std::sqrt(total / static_cast<double>(std::max<std::size_t>(values.size() - 1, 1)));
}

struct Range {
  float low, high;
};

Range MinMax(std::span<const float> values) {
  std::array<float, kLanes> low, high;
  low.fill(values[0]);
  high.fill(values[0]);
  const std::size_t whole = values.size() / kLanes * kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes)
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const float value = values[i + lane];
      low[lane] = value < low[lane] ? value : low[lane];
      high[lane] = value > high[lane] ? value : high[lane];
    }
  for (std::size_t i = whole; i < values.size(); ++i) {
    low[0] = std::min(low[0], values[i]);
    high[0] = std::max(high[0], values[i]);
  }
  return {*std::min_element(low.begin(), low.end()), *std::max_element(high.begin(), high.end())};
}

// Swaps run i with run count-1-i; each run is `length` values long.
template <typename T>
void ReverseRuns(T* values, std::int64_t count, std::int64_t length) {
  for (std::int64_t low = 0, high = count - 1; low < high; ++low, --high)
    std::swap_ranges(values + low * length, values + (low + 1) * length, values + high * length);
}

template <typename T>
void MirrorVolume(T* volume, const std::array<std::int64_t, 3>& patch, MirrorAxes axes) {
  const std::int64_t slice = patch[1] * patch[2];
  if (axes[0]) ReverseRuns(volume, patch[0], slice);
  if (axes[1])
    for (std::int64_t z = 0; z < patch[0]; ++z) ReverseRuns(volume + z * slice, patch[1], patch[2]);
  if (axes[2])
    for (std::int64_t row = 0; row < patch[0] * patch[1]; ++row)
      std::reverse(volume + row * patch[2], volume + (row + 1) * patch[2]);
}

}  // namespace

void MultiplyBrightness(std::span<float> channel, float factor) {
  for (float& value : channel) value *= factor;
}

void ScaleContrast(std::span<float> channel, float factor) {
  if (channel.empty()) return;
  const Range range = MinMax(channel);
  const float mean = static_cast<float>(Mean(channel));
  for (float& value : channel) {
    const float scaled = (value - mean) * factor + mean;
    const float raised = scaled < range.low ? range.low : scaled;
    value = raised > range.high ? range.high : raised;
  }
}

void ApplyGamma(std::span<float> channel, float gamma, GammaSide side) {
  if (channel.empty()) return;
  // Inverting is x -> -x: minimum and maximum trade places, and the distance from the minimum becomes that to the
  // maximum.
  const float sign = side == GammaSide::kInverted ? -1.0f : 1.0f;
  const Range range = MinMax(channel);
  const float low = side == GammaSide::kInverted ? -range.high : range.low;
  const float width = range.high - range.low;
  const float inverse_width = 1.0f / std::max(width, 1e-7f);
  const double mean_before = Mean(channel);
  const double deviation_before = StandardDeviation(channel, mean_before);
  for (float& value : channel) {
    const float fraction = (sign * value - low) * inverse_width;
    value = FastPow(fraction, gamma) * width + low;
  }
  const double mean_after = Mean(channel);
  const double deviation_after = StandardDeviation(channel, mean_after);
  // ((x - mean_after) * ratio + sign * mean_before) * sign, as one multiplication and one addition.
  const double ratio = deviation_before / std::max(deviation_after, 1e-7);
  const float scale = static_cast<float>(ratio) * sign;
  const float shift = static_cast<float>(mean_before - mean_after * ratio * static_cast<double>(sign));
  for (float& value : channel) value = value * scale + shift;
}

void Mirror(std::span<float> image, std::span<std::int16_t> labels, const std::array<std::int64_t, 3>& patch,
            MirrorAxes axes) {
  const auto voxels = static_cast<std::size_t>(patch[0] * patch[1] * patch[2]);
  CONSILIUM_CHECK(labels.size() == voxels && image.size() % voxels == 0, "image ", image.size(), " labels ",
                  labels.size(), " patch ", voxels);
  for (std::size_t channel = 0; channel < image.size(); channel += voxels)
    MirrorVolume(image.data() + channel, patch, axes);
  MirrorVolume(labels.data(), patch, axes);
}

void AugmentIntensity(std::span<float> image, const IntensityPatch& patch, const AugmentationOptions& options,
                      Rng& rng) {
  const auto voxels = static_cast<std::size_t>(VoxelCount(patch.shape));
  CONSILIUM_CHECK(patch.channels > 0 && image.size() == voxels * static_cast<std::size_t>(patch.channels), image.size(),
                  " / ", patch.channels);
  ResolutionFilter filter;
  const auto for_each_channel = [&](auto&& transform) {
    for (std::size_t begin = 0; begin < image.size(); begin += voxels) transform(image.subspan(begin, voxels));
  };
  if (options.intensity && rng.Bernoulli(kNoiseProbability)) {
    const auto deviation = static_cast<float>(rng.Uniform(0, kNoiseStandardDeviationMax));
    const std::uint64_t seed = rng.NextU64(), stream = rng.NextU64();
    AddGaussianNoise(image, deviation, seed, stream);
  }
  if (options.blur && rng.Bernoulli(kBlurProbability))
    for_each_channel([&](auto channel) {
      if (!rng.Bernoulli(kChannelProbability)) return;
      std::array<float, 3> deviations;
      for (float& deviation : deviations) deviation = static_cast<float>(rng.Uniform(kBlurLow, kBlurHigh));
      filter.Blur(channel, patch.shape, deviations);
    });
  if (options.intensity && rng.Bernoulli(kBrightnessProbability))
    for_each_channel(
        [&](auto channel) { MultiplyBrightness(channel, DrawFactorAroundOne(rng, kFactorLow, kFactorHigh)); });
  if (options.intensity && rng.Bernoulli(kContrastProbability))
    for_each_channel([&](auto channel) { ScaleContrast(channel, DrawFactorAroundOne(rng, kFactorLow, kFactorHigh)); });
  if (options.low_resolution && rng.Bernoulli(kLowResolutionProbability))
    for_each_channel([&](auto channel) {
      if (!rng.Bernoulli(kChannelProbability)) return;
      filter.Coarsen(channel, patch.shape, rng.Uniform(kCoarsest, 1.0), {patch.slices_apart, false, false});
    });
  if (options.intensity && rng.Bernoulli(kInvertedGammaProbability))
    for_each_channel([&](auto channel) {
      ApplyGamma(channel, DrawFactorAroundOne(rng, kGammaLow, kGammaHigh), GammaSide::kInverted);
    });
  if (options.intensity && rng.Bernoulli(kGammaProbability))
    for_each_channel([&](auto channel) {
      ApplyGamma(channel, DrawFactorAroundOne(rng, kGammaLow, kGammaHigh), GammaSide::kBright);
    });
}

MirrorAxes DrawMirror(Rng& rng) {
  MirrorAxes axes;
  for (bool& axis : axes) axis = rng.Bernoulli(0.5);
  return axes;
}

float DrawFactorAroundOne(Rng& rng, double low, double high) {
  const bool shrink = rng.Bernoulli(0.5);
  return static_cast<float>(shrink ? rng.Uniform(low, 1.0) : rng.Uniform(1.0, high));
}

}  // namespace consilium::datasets
