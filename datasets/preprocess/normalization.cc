#include "datasets/preprocess/normalization.h"

#include <algorithm>
#include <cctype>
#include <cmath>

namespace consilium::datasets {
namespace {

constexpr double kDivisorMin = 1e-8;

void ZScore(std::span<float> voxels, std::span<const std::uint8_t> inside) {
  const auto is_inside = [&](std::size_t i) { return inside.empty() || inside[i] != 0; };
  // Two passes in f64: intensities reach 1e6, and f32 sums of squares would lose the variance.
  double sum = 0.0, count = 0.0;
  for (std::size_t i = 0; i < voxels.size(); ++i)
    if (is_inside(i)) sum += voxels[i], count += 1.0;
  if (count == 0.0) return;
  const double mean = sum / count;
  double squares = 0.0;
  for (std::size_t i = 0; i < voxels.size(); ++i)
    if (is_inside(i)) squares += (voxels[i] - mean) * (voxels[i] - mean);
  const double divisor = std::max(std::sqrt(squares / count), kDivisorMin);
  for (std::size_t i = 0; i < voxels.size(); ++i)
    voxels[i] = is_inside(i) ? static_cast<float>((voxels[i] - mean) / divisor) : 0.0F;
}

void Rescale0To1(std::span<float> voxels) {
  const auto [low, high] = std::minmax_element(voxels.begin(), voxels.end());
  const double minimum = *low, divisor = std::max(double{*high} - *low, kDivisorMin);
  for (float& voxel : voxels) voxel = static_cast<float>((voxel - minimum) / divisor);
}

Status Rgb0To1(std::span<float> voxels) {
  for (const float voxel : voxels)
    if (voxel < 0.0F || voxel > 255.0F)
      return InvalidArgument("rgb_to_0_1 needs values in 0..255, one is ", voxel,
                             "; name the channel otherwise in channel_names");
  for (float& voxel : voxels) voxel /= 255.0F;
  return Status();
}

void Ct(std::span<float> voxels, const CtIntensities& ct) {
  const double divisor = std::max(ct.std, kDivisorMin);
  for (float& voxel : voxels)
    voxel = static_cast<float>((std::clamp<double>(voxel, ct.low, ct.high) - ct.mean) / divisor);
}

constexpr std::pair<Normalization, const char*> kNames[] = {
    {Normalization::kZScore, "ZScoreNormalization"},   {Normalization::kCt, "CTNormalization"},
    {Normalization::kNone, "NoNormalization"},         {Normalization::kRescale0To1, "RescaleTo01Normalization"},
    {Normalization::kRgb0To1, "RGBTo01Normalization"},
};

}  // namespace

std::string NormalizationName(Normalization scheme) {
  for (const auto& [known, name] : kNames)
    if (known == scheme) return name;
  return "?";
}

std::optional<Normalization> NormalizationNamed(const std::string& name) {
  for (const auto& [scheme, known] : kNames)
    if (known == name) return scheme;
  return std::nullopt;
}

Normalization NormalizationFor(const std::string& channel_name) {
  std::string name = channel_name;
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  if (name == "ct") return Normalization::kCt;
  if (name == "nonorm") return Normalization::kNone;
  if (name == "rescale_to_0_1") return Normalization::kRescale0To1;
  if (name == "rgb_to_0_1") return Normalization::kRgb0To1;
  return Normalization::kZScore;
}

Status Normalize(Normalization scheme, std::span<float> voxels, std::span<const std::uint8_t> inside,
                 const std::optional<CtIntensities>& ct) {
  CONSILIUM_CHECK(inside.empty() || inside.size() == voxels.size(), inside.size(), " mask voxels for ", voxels.size());
  if (voxels.empty()) return Status();
  switch (scheme) {
    case Normalization::kZScore:
      ZScore(voxels, inside);
      return Status();
    case Normalization::kCt:
      if (!ct || !(ct->low <= ct->high))
        return FailedPrecondition("CT normalisation needs the intensities of the whole data set; train with ",
                                  "model.architecture: plan and the plans of consilium plan");
      Ct(voxels, *ct);
      return Status();
    case Normalization::kNone:
      return Status();
    case Normalization::kRescale0To1:
      Rescale0To1(voxels);
      return Status();
    case Normalization::kRgb0To1:
      return Rgb0To1(voxels);
  }
  return InvalidArgument("normalisation scheme ", static_cast<int>(scheme));
}

}  // namespace consilium::datasets
