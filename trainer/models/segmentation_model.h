// What training and prediction need to know about a segmentation network, whichever it is.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <vector>

namespace consilium::trainer {

// Strand-bound, as torch modules are.  forward() throws c10::Error; callers wrap it in GuardTorch().
class SegmentationModel : public torch::nn::Module {
 public:
  // x: [B, channels, (z,) y, x], every edge a multiple of divisor().
  // Returns logits, highest resolution first: entry i is [B, classes, (z_i,) y_i, x_i], entry 0 has the input's edges.
  // With deep supervision and in training mode (train()) all heads() of them; otherwise (eval()) entry 0 alone.
  virtual std::vector<torch::Tensor> forward(torch::Tensor x) = 0;

  virtual std::int64_t channels() const = 0;
  virtual std::int64_t classes() const = 0;  // background included
  // How many outputs forward() gives in training mode.
  virtual std::int64_t heads() const = 0;
  // One number an axis, (z, y, x) or (y, x): its size is the network's dimension.
  virtual std::vector<std::int64_t> divisor() const = 0;
};

}  // namespace consilium::trainer
