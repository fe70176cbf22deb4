// nnU-Net's quick measure during training: overlap counts summed over all validation patches, then one Dice a class.
#pragma once

#include <torch/torch.h>

#include <optional>
#include <vector>

namespace consilium::trainer {

// logits [B, K, ...], target [B, ...] i64: [3, K - 1] f64 on the CPU, voxels of (true positive, false positive, false
// negative) for each foreground class.
torch::Tensor CountOverlap(const torch::Tensor& logits, const torch::Tensor& target);

// 2 TP / (2 TP + FP + FN) for each class; NaN where there is nothing of it in either.
std::vector<double> PseudoDice(const torch::Tensor& counts);

// Of the values that are not NaN; NaN when there are none.
double MeanOfDefined(const std::vector<double>& values);

// The moving average that decides which checkpoint is best: the first value as it is, then 0.9 old + 0.1 new.  A value
// that is NaN changes nothing.
std::optional<double> UpdateEma(std::optional<double> before, double value);

}  // namespace consilium::trainer
