#include "datasets/sampling/patch_sampler.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "comm/base/digest.h"
#include "comm/base/rng.h"
#include "comm/base/status.h"
#include "datasets/sampling/patch_bounds.h"

namespace consilium::datasets {
namespace {

// Separate streams: switching augmentation on does not move the patches.
constexpr std::uint64_t kPlacementStream = 0x706C616365, kAugmentationStream = 0x6175676D,
                        kCasePlacementStream = 0x6361736570, kCaseAugmentationStream = 0x6361736561;

Rng StreamFor(std::uint64_t seed, std::int64_t step, std::int64_t index, std::uint64_t purpose) {
  return Rng(seed, StreamOf({static_cast<std::uint64_t>(step), static_cast<std::uint64_t>(index), purpose}));
}

std::size_t Voxels(const Shape3& shape) { return static_cast<std::size_t>(shape[0] * shape[1] * shape[2]); }

// Copies the part of `source` [shape] that lies in the window [begin, begin + patch) to `target` [patch], which the
// caller has filled with the padding; `convert` maps a run of values.
template <typename T, typename CopyRun>
void CopyWindow(const T* source, const Shape3& shape, const Shape3& begin, const Shape3& patch, T* target,
                const CopyRun& copy_run) {
  Shape3 first, last;  // within the patch
  for (int axis = 0; axis < 3; ++axis) {
    first[axis] = std::clamp<std::int64_t>(-begin[axis], 0, patch[axis]);
    last[axis] = std::clamp<std::int64_t>(shape[axis] - begin[axis], first[axis], patch[axis]);
  }
  for (std::int64_t z = first[0]; z < last[0]; ++z)
    for (std::int64_t y = first[1]; y < last[1]; ++y) {
      const T* from = source + ((begin[0] + z) * shape[1] + begin[1] + y) * shape[2] + begin[2] + first[2];
      copy_run(from, last[2] - first[2], target + (z * patch[1] + y) * patch[2] + first[2]);
    }
}

}  // namespace

PatchSampler::PatchSampler(std::span<const PreparedCase> cases, SamplerOptions options)
    : cases_(cases), options_(std::move(options)), patch_{1, 1, 1} {
  CONSILIUM_CHECK(!cases_.empty(), "a sampler needs at least one case");
  CONSILIUM_CHECK(options_.patch_size.size() == 2 || options_.patch_size.size() == 3, options_.patch_size.size(),
                  " axes");
  CONSILIUM_CHECK(options_.batch_size >= 1, options_.batch_size);
  std::copy(options_.patch_size.begin(), options_.patch_size.end(), patch_.end() - options_.patch_size.size());
  CONSILIUM_CHECK(std::ranges::min(patch_) >= 1, "patch ", patch_[0], "x", patch_[1], "x", patch_[2]);
  range_ = SpatialRangeOf(patch_, static_cast<int>(options_.patch_size.size()));
  window_ = options_.augmentation.spatial ? range_.window : patch_;
  channels_ = cases_.front().channels;
  for (const PreparedCase& one : cases_) {
    CONSILIUM_CHECK(one.channels == channels_, one.id, " has ", one.channels, " channels, the first case ", channels_);
    CONSILIUM_CHECK(one.labels.size() == Voxels(one.shape) &&
                        one.image.size() == Voxels(one.shape) * static_cast<std::size_t>(channels_),
                    one.id, ": ", one.image.size(), " voxels and ", one.labels.size(), " labels do not fit the shape");
  }
}

PatchSampler::Placement PatchSampler::Place(std::int64_t step, std::int64_t index) const {
  Rng rng = StreamFor(options_.seed, step, index, kPlacementStream);
  const auto case_index = static_cast<std::int64_t>(rng.Below(cases_.size()));
  const bool forced = index >= FirstForcedSample(options_.batch_size, options_.foreground_oversampling);
  return PlaceWithin(case_index, forced ? Focus::kForeground : Focus::kAnywhere, rng);
}

PatchSampler::Placement PatchSampler::PlaceInCase(std::int64_t step, std::int64_t case_index) const {
  Rng rng(options_.seed, StreamOf({static_cast<std::uint64_t>(step), NameOf(case_index), kCasePlacementStream}));
  const bool forced = rng.Bernoulli(options_.foreground_oversampling);
  return PlaceWithin(case_index, forced ? Focus::kForeground : Focus::kAnywhere, rng);
}

PatchSampler::Placement PatchSampler::PlaceWithin(std::int64_t case_index, Focus focus, Rng& rng) const {
  Placement placement{.case_index = case_index, .begin = {}, .forced_class = 0};
  // The patch is in the middle of the window that is placed.
  const auto in_window = [&](int axis, std::int64_t window_begin) {
    return window_begin + (window_[axis] - patch_[axis]) / 2;
  };
  const PreparedCase& chosen = cases_[static_cast<std::size_t>(case_index)];

  std::array<AxisBounds, 3> bounds;
  for (int axis = 0; axis < 3; ++axis) bounds[axis] = PatchBounds(chosen.shape[axis], window_[axis], patch_[axis]);

  const auto& locations = chosen.class_locations;
  const auto present = std::ranges::count_if(locations, [](const auto& of_class) { return !of_class.empty(); });
  if (focus == Focus::kForeground && present > 0) {
    auto remaining = static_cast<std::int64_t>(rng.Below(static_cast<std::uint64_t>(present)));
    std::size_t at = 0;
    while (locations[at].empty() || remaining-- > 0) ++at;
    placement.forced_class = static_cast<std::int64_t>(at) + 1;
    std::int64_t flat = locations[at][rng.Below(locations[at].size())];
    for (int axis = 2; axis >= 0; --axis) {
      placement.begin[axis] = in_window(axis, PatchAround(flat % chosen.shape[axis], window_[axis], bounds[axis]));
      flat /= chosen.shape[axis];
    }
    return placement;
  }
  for (int axis = 0; axis < 3; ++axis) {
    const auto width = static_cast<std::uint64_t>(bounds[axis].high - bounds[axis].low + 1);
    placement.begin[axis] = in_window(axis, bounds[axis].low + static_cast<std::int64_t>(rng.Below(width)));
  }
  return placement;
}

void PatchSampler::Sample(std::int64_t step, std::int64_t index, std::span<float> image,
                          std::span<std::int16_t> labels) const {
  Fill(Place(step, index), StreamFor(options_.seed, step, index, kAugmentationStream), image, labels);
}

void PatchSampler::SampleCase(std::int64_t step, std::int64_t case_index, std::span<float> image,
                              std::span<std::int16_t> labels) const {
  const Rng rng(options_.seed,
                StreamOf({static_cast<std::uint64_t>(step), NameOf(case_index), kCaseAugmentationStream}));
  Fill(PlaceInCase(step, case_index), rng, image, labels);
}

std::uint64_t PatchSampler::NameOf(std::int64_t case_index) const {
  const Digest digest = Sha256Of(cases_[static_cast<std::size_t>(case_index)].id);
  std::uint64_t name = 0;
  for (std::size_t i = 0; i < sizeof name; ++i) name = name << 8 | digest.bytes[i];
  return name;
}

void PatchSampler::Crop(const PreparedCase& chosen, const Placement& placement, std::span<float> image,
                        std::span<std::int16_t> labels) const {
  const std::size_t voxels = labels.size();
  std::fill(image.begin(), image.end(), 0.0f);
  for (std::int64_t channel = 0; channel < channels_; ++channel)
    CopyWindow(chosen.image.data() + static_cast<std::size_t>(channel) * Voxels(chosen.shape), chosen.shape,
               placement.begin, patch_, image.data() + static_cast<std::size_t>(channel) * voxels,
               [](const float* from, std::int64_t count, float* to) { std::copy_n(from, count, to); });
  // Padding is -1 (outside), which ends as background; both happen here at once.
  std::fill(labels.begin(), labels.end(), std::int16_t{0});
  CopyWindow(chosen.labels.data(), chosen.shape, placement.begin, patch_, labels.data(),
             [](const std::int16_t* from, std::int64_t count, std::int16_t* to) {
               for (std::int64_t i = 0; i < count; ++i) to[i] = std::max<std::int16_t>(from[i], 0);
             });
}

void PatchSampler::Transform(const PreparedCase& chosen, const Placement& placement, const Matrix3& matrix,
                             std::span<float> image, std::span<std::int16_t> labels) const {
  const std::size_t voxels = labels.size(), volume = Voxels(chosen.shape);
  Resampling resampling{.matrix = matrix};
  for (std::size_t axis = 0; axis < 3; ++axis)
    resampling.centre[axis] = static_cast<double>(placement.begin[axis]) + (static_cast<double>(patch_[axis]) - 1) / 2;
  for (std::size_t channel = 0; channel < static_cast<std::size_t>(channels_); ++channel)
    ResamplePatch(std::span(chosen.image).subspan(channel * volume, volume), chosen.shape, resampling, patch_,
                  image.subspan(channel * voxels, voxels));
  ResamplePatch(chosen.labels, chosen.shape, resampling, patch_, labels);
  for (std::int16_t& label : labels) label = std::max<std::int16_t>(label, 0);
}

void PatchSampler::Fill(const Placement& placement, Rng rng, std::span<float> image,
                        std::span<std::int16_t> labels) const {
  const auto voxels = static_cast<std::size_t>(patch_voxels());
  CONSILIUM_CHECK(image.size() == voxels * static_cast<std::size_t>(channels_) && labels.size() == voxels,
                  "buffers of ", image.size(), " and ", labels.size(), " for a patch of ", voxels, " voxels");
  const PreparedCase& chosen = cases_[static_cast<std::size_t>(placement.case_index)];

  const std::optional<Matrix3> matrix = options_.augmentation.spatial ? DrawSpatial(range_, rng) : std::nullopt;
  if (matrix)
    Transform(chosen, placement, *matrix, image, labels);
  else
    Crop(chosen, placement, image, labels);
  AugmentIntensity(image, {patch_, channels_, range_.in_plane}, options_.augmentation, rng);
  // A slice has one z, which mirrors onto itself.
  if (options_.augmentation.mirror) Mirror(image, labels, patch_, DrawMirror(rng));
}

}  // namespace consilium::datasets
