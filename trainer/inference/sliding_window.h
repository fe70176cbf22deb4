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
  torch::Device device = torch::kCPU;
};

// [K, z, y, x] f32 on `device`, for the prepared (cropped) case.  The case is zero-padded to at least the patch,
// symmetrically; the padding is cut off again.
// Errors: GuardTorch's (out of memory, ...); kFailed when the network yields values that are not finite.
StatusOr<torch::Tensor> SlidingWindowLogits(const datasets::PreparedCase& prepared, const TilePredictor& predict,
                                            const SlidingWindowOptions& options);

// The class of the largest logit (the first of equals) for each voxel of `grid.to`: [z, y, x].  `logits`: [K, z, y, x]
// on `grid.from`; where the two differ logits are interpolated, not labels (datasets/resample/resampled_argmax.h).
StatusOr<std::vector<std::int16_t>> LabelsFromLogits(const torch::Tensor& logits, const datasets::ResampleGrid& grid);

}  // namespace consilium::trainer
