// Predicts a whole case with a network that sees patches.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "comm/base/status.h"
#include "datasets/preprocess/prepared_case.h"

namespace consilium::trainer {

// Logits of a batch of tiles: [B, C, patch] f32 -> [B, K, patch].  Called without gradients, on `device`.
using TilePredictor = std::function<torch::Tensor(const torch::Tensor& tiles)>;

struct SlidingWindowOptions {
  std::vector<std::int64_t> patch_size;   // (z, y, x); or (y, x): every slice is predicted on its own
  double step_fraction = 0.5;             // of the patch, between neighbouring tiles, at most
  std::vector<std::int64_t> mirror_axes;  // of the patch: logits are averaged over all 2^k flips; empty: none
  std::int64_t tiles_at_once = 4;
  std::int64_t buffer_bytes = std::int64_t{256} << 20;  // for logits of slices that later tiles may touch
  torch::Device device = torch::kCPU;
};

// [K, n, y, x] f32 on `device`: the logits of the next n slices of a prepared case.
using UseSlab = std::function<Status(const torch::Tensor& slab)>;

// The logits of the prepared (cropped, resampled) case, a few slices at a time, in order.  The case is zero-padded to
// at least the patch, symmetrically; the padding is cut off again.  Memory: options.buffer_bytes, or what one batch of
// tiles needs.  Errors: GuardTorch's (out of memory, ...); kFailed when the network yields values that are not finite.
Status ForEachLogitSlab(const datasets::PreparedCase& prepared, const TilePredictor& predict,
                        const SlidingWindowOptions& options, const UseSlab& use);

// The class of the largest logit (the first of equals) for each voxel of the crop, [z, y, x] of prepared.cropped_shape.
// Where that is another grid than the prepared one, logits are interpolated, not labels
// (datasets/resample/resampled_argmax.h).  Memory does not grow with the number of classes times the case.
StatusOr<std::vector<std::int16_t>> PredictLabels(const datasets::PreparedCase& prepared, const TilePredictor& predict,
                                                  const SlidingWindowOptions& options);

}  // namespace consilium::trainer
