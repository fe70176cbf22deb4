#include "trainer/models/loss.h"

#include <algorithm>
#include <cmath>

namespace consilium::trainer {
namespace {

using torch::Tensor;

constexpr double kDenominatorMin = 1e-8;

// probabilities, truth: [B, K - 1, ...]; the mean Dice over foreground classes (and samples).
Tensor MeanDice(const Tensor& probabilities, const Tensor& truth, const LossOptions& options) {
  const Tensor p = probabilities.flatten(2), g = truth.flatten(2);         // [B, K-1, V]
  Tensor sums = torch::stack({(p * g).sum({2}), p.sum({2}), g.sum({2})});  // [3, B, K-1]
  if (options.dice_reduction == DiceReduction::kBatch) {
    sums = sums.sum({1});  // [3, K-1]
    if (options.all_reduce_sum) sums = options.all_reduce_sum(sums);
  }
  const Tensor numerator = 2 * sums[0] + options.smooth;
  return (numerator / (sums[1] + sums[2] + options.smooth).clamp_min(kDenominatorMin)).mean();
}

}  // namespace

Tensor DiceCrossEntropyLoss(const Tensor& logits, const Tensor& target, const LossOptions& options) {
  const Tensor wide = logits.scalar_type() == torch::kFloat64 ? logits : logits.to(torch::kFloat32);
  const Tensor labels = target.to(torch::kInt64).unsqueeze(1);  // [B, 1, ...]
  const Tensor log_p = torch::log_softmax(wide, 1);             // [B, K, ...]
  const Tensor cross_entropy = -log_p.gather(1, labels).mean();
  Tensor truth = torch::zeros_like(log_p, torch::TensorOptions().requires_grad(false));
  truth.scatter_(1, labels, 1);
  const std::int64_t classes = log_p.size(1);
  return cross_entropy - MeanDice(log_p.slice(1, 1, classes).exp(), truth.slice(1, 1, classes), options);
}

std::vector<double> DeepSupervisionWeights(std::int64_t heads) {
  std::vector<double> weights;
  double sum = 0;
  for (std::int64_t i = 0; i < heads; ++i) {
    const bool lowest = heads > 1 && i + 1 == heads;  // with a single head there is no lower one to leave out
    weights.push_back(lowest ? 0.0 : std::ldexp(1.0, static_cast<int>(-i)));
    sum += weights.back();
  }
  for (double& weight : weights) weight /= sum;
  return weights;
}

Tensor DownsampleTarget(const Tensor& target, torch::IntArrayRef edges) {
  Tensor result = target;
  for (std::size_t axis = 0; axis < edges.size(); ++axis) {
    const std::int64_t dimension = static_cast<std::int64_t>(axis) + 1, size = target.size(dimension);
    if (size == edges[axis]) continue;
    const double scale = static_cast<double>(size) / static_cast<double>(edges[axis]);
    std::vector<std::int64_t> index(static_cast<std::size_t>(edges[axis]));
    for (std::size_t i = 0; i < index.size(); ++i)
      index[i] = std::min(static_cast<std::int64_t>((static_cast<double>(i) + 0.5) * scale), size - 1);
    result = result.index_select(dimension, torch::tensor(index, torch::kInt64).to(target.device()));
  }
  return result;
}

Tensor SegmentationLoss(const std::vector<Tensor>& outputs, const Tensor& target, const LossOptions& options) {
  const std::vector<double> weights = DeepSupervisionWeights(static_cast<std::int64_t>(outputs.size()));
  Tensor total;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Tensor& logits = outputs[i];
    // f32 before the sum: a half-precision sum could overflow, and 0 * inf would spoil the loss.
    const Tensor term =
        weights[i] == 0
            ? 0 * logits.to(torch::kFloat32).sum()
            : weights[i] * DiceCrossEntropyLoss(logits, DownsampleTarget(target, logits.sizes().slice(2)), options);
    total = total.defined() ? total + term : term;
  }
  return total;
}

}  // namespace consilium::trainer
