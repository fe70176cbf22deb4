// Draws training patches from cases in memory: nnU-Net's sampling, as a pure function of (seed, step, index).
//
// A sample's bytes do not depend on rank, thread, or on what was drawn before.  So k ranks that each fill their part of
// the global batch see the batch of one process, and a resumed run needs no saved random state.
//
// Rules: a case uniformly, with replacement.  The last samples of a batch (patch_bounds.h, FirstForcedSample) are
// forced to show foreground: a class uniformly among those present in the case, a voxel uniformly among its stored
// locations, the patch around it.  All others, and forced ones whose case has no foreground, lie uniformly within
// PatchBounds(). Outside the case the image is 0 and the labels are background.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "datasets/preprocess/prepared_case.h"
#include "datasets/sampling/augment.h"
#include "datasets/sampling/spatial.h"

namespace consilium::datasets {

struct SamplerOptions {
  std::vector<std::int64_t> patch_size;  // 3 entries: (z, y, x); 2 entries: (y, x), and patches are single slices
  double foreground_oversampling = 0.33;
  std::uint64_t seed = 0;
  std::int64_t batch_size = 2;  // of the global batch, over all ranks
  AugmentationOptions augmentation;
};

// Thread-safe: const after construction.
class PatchSampler {
 public:
  // `cases` must not be empty, must agree in their channels, and must outlive the sampler.
  PatchSampler(std::span<const PreparedCase> cases, SamplerOptions options);

  // Fills sample `index` (0-based in the global batch) of optimizer step `step`.
  // `image` [C, patch] f32, C * patch_voxels() values; `labels` [patch] i16, patch_voxels() values, all >= 0.
  void Sample(std::int64_t step, std::int64_t index, std::span<float> image, std::span<std::int16_t> labels) const;

  // One patch of case `case_index` in step `step`, forced to show foreground with the probability of the oversampling:
  // a function of (seed, step, that case and its name) alone, so that taking another case away does not change it
  // (privacy/dp).  Buffers as for Sample().
  void SampleCase(std::int64_t step, std::int64_t case_index, std::span<float> image,
                  std::span<std::int16_t> labels) const;

  // What Sample() will read: which case, and the patch's first voxel (may lie outside the case), if it is neither
  // turned nor scaled; both happen around its middle.
  struct Placement {
    std::int64_t case_index;
    std::array<std::int64_t, 3> begin;  // z, y, x
    std::int64_t forced_class;          // 0: not forced, or the case has no foreground
  };
  Placement Place(std::int64_t step, std::int64_t index) const;
  // The same of SampleCase().
  Placement PlaceInCase(std::int64_t step, std::int64_t case_index) const;

  std::int64_t channels() const { return channels_; }
  std::int64_t patch_voxels() const { return patch_[0] * patch_[1] * patch_[2]; }

 private:
  enum class Focus { kAnywhere, kForeground };
  Placement PlaceWithin(std::int64_t case_index, Focus focus, Rng& rng) const;
  // `rng`: of the augmentation.
  void Fill(const Placement& placement, Rng rng, std::span<float> image, std::span<std::int16_t> labels) const;
  void Crop(const PreparedCase& chosen, const Placement& placement, std::span<float> image,
            std::span<std::int16_t> labels) const;
  void Transform(const PreparedCase& chosen, const Placement& placement, const Matrix3& matrix, std::span<float> image,
                 std::span<std::int16_t> labels) const;
  std::uint64_t NameOf(std::int64_t case_index) const;  // a number made of the case's id

  std::span<const PreparedCase> cases_;
  SamplerOptions options_;
  std::array<std::int64_t, 3> patch_;  // a slice has z = 1
  SpatialRange range_;
  std::array<std::int64_t, 3> window_{};  // that is placed; the patch is in its middle
  std::int64_t channels_;
};

}  // namespace consilium::datasets
