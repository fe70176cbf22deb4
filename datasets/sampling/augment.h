// Training-time augmentation of one patch, after nnU-Net's default recipe (Isensee et al., Nature Methods 18, 2021;
// batchgeneratorsv2): rotation and scaling (spatial.h), Gaussian noise, blur, brightness, contrast, low resolution
// (resolution.h), gamma on the inverted image, gamma, mirroring, in that order.  Probabilities and ranges are
// upstream's and stand in spatial.cc and augment.cc in one table each.
//
// Each transform is a plain function of its parameters; AugmentIntensity() and DrawMirror() draw the parameters.
// "Channel" below is one channel's voxels of a patch, contiguous, f32.  Nothing here allocates or locks: thread-safe on
// distinct buffers.  Results are the same on every machine (own polynomials instead of libm, fixed summation order).
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "comm/base/rng.h"
#include "datasets/image/volume.h"

namespace consilium::datasets {

// All off for validation.
struct AugmentationOptions {
  bool mirror = false;          // every patch axis with probability 1/2, image and labels together
  bool intensity = false;       // noise, brightness, contrast, gamma
  bool spatial = false;         // rotation and scaling, image and labels together
  bool blur = false;            // Gaussian
  bool low_resolution = false;  // fewer voxels, and back
};

// x + std * N(0, 1), independent for each voxel.  The noise is a function of (seed, stream) alone.
void AddGaussianNoise(std::span<float> voxels, float standard_deviation, std::uint64_t seed, std::uint64_t stream);

void MultiplyBrightness(std::span<float> channel, float factor);

// (x - mean) * factor + mean, clamped to the channel's own minimum and maximum from before.
void ScaleContrast(std::span<float> channel, float factor);

enum class GammaSide { kBright, kInverted };  // kInverted negates before and after: the curve bends at the other end

// ((x - min) / max(range, 1e-7))^gamma * range + min, then shifted and scaled back to the channel's mean and unbiased
// standard deviation from before.
void ApplyGamma(std::span<float> channel, float gamma, GammaSide side);

// One flag for each axis z, y, x.
using MirrorAxes = std::array<bool, 3>;

// Reverses `image` [C, z, y, x] and `labels` [z, y, x] in place along the chosen axes.  A 2D patch has z = 1.
void Mirror(std::span<float> image, std::span<std::int16_t> labels, const std::array<std::int64_t, 3>& patch,
            MirrorAxes axes);

// Of the patch whose voxels are to be changed.
struct IntensityPatch {
  Shape3 shape{};
  std::int64_t channels = 1;
  bool slices_apart = false;  // thick slices: low resolution acts within them (SpatialRange::in_plane)
};
// Draws gates and parameters from `rng` and applies what `options` has of noise, blur, brightness, contrast, low
// resolution and gamma to `image` [channels, patch].
void AugmentIntensity(std::span<float> image, const IntensityPatch& patch, const AugmentationOptions& options,
                      Rng& rng);

// Each axis with probability 1/2.  Three draws whatever the patch's dimension.
MirrorAxes DrawMirror(Rng& rng);

// Half of the draws uniform in [low, 1), half in [1, high): shrinking and growing are equally likely.
float DrawFactorAroundOne(Rng& rng, double low, double high);

}  // namespace consilium::datasets
