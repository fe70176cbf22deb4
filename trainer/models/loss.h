// nnU-Net's loss: soft Dice + cross entropy, summed over the resolutions of deep supervision.
//
//   Dice_c = (2 sum p_c g_c + smooth) / max(sum p_c + sum g_c + smooth, 1e-8),   p = softmax(logits), g = one-hot
//   loss   = mean over voxels of -log p_target  -  mean over foreground classes of Dice_c        in [-1, inf)
//
// (Isensee et al., Nature Methods 18, 2021; Drozdzal et al. 2016 for the soft Dice.)  Half precision is summed in f32;
// f64 stays f64.  All functions throw c10::Error on shapes that do not fit; callers wrap them in GuardTorch().
#pragma once

#include <torch/torch.h>

#include <functional>
#include <vector>

namespace consilium::trainer {

enum class DiceReduction {
  kSample,  // Dice of each sample, then the mean (nnU-Net: 3d_fullres)
  kBatch,   // sums over the whole batch first (nnU-Net: 2d)
};

struct LossOptions {
  DiceReduction dice_reduction = DiceReduction::kSample;
  double smooth = 1e-5;
  // With kBatch under several ranks: the sum over all ranks of a [3, classes - 1] tensor (overlap, predicted, true),
  // differentiable; its backward must be a sum over ranks as well, because gradients are averaged later.  Empty: one
  // rank.
  std::function<torch::Tensor(const torch::Tensor&)> all_reduce_sum;
};

// logits [B, K, ...], target [B, ...] of an integer type with values 0..K-1.  A scalar.
torch::Tensor DiceCrossEntropyLoss(const torch::Tensor& logits, const torch::Tensor& target,
                                   const LossOptions& options);

// 1/2^i, the last (lowest resolution) 0, normalised to the sum 1: {2/3, 1/3, 0} for three heads; {1} for one.
std::vector<double> DeepSupervisionWeights(std::int64_t heads);

// `target` [B, edges] on the grid of `edges` by nearest-exact sampling: source index floor((i + 0.5) * scale).
torch::Tensor DownsampleTarget(const torch::Tensor& target, torch::IntArrayRef edges);

// outputs: forward()'s, highest resolution first; target [B, edges of outputs[0]].  One output is weighted 1.  An
// output of weight 0 is still part of the graph, with zero gradients, so that a gradient reducer never waits for its
// head.
torch::Tensor SegmentationLoss(const std::vector<torch::Tensor>& outputs, const torch::Tensor& target,
                               const LossOptions& options);

}  // namespace consilium::trainer
