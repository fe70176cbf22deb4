// The network on which gradients were first turned into pictures (L. Zhu et al., 2019): no normalisation and smooth
// activations, so the easiest for an attacker.  What cannot be read out of it cannot be read out of a harder one.
//
//   [conv 5x5 - sigmoid] x 3, strides 2, 2, 1 - flatten - linear
#pragma once

#include <torch/torch.h>

#include <cstdint>

namespace consilium::attacks {

class LeNetImpl final : public torch::nn::Module {
 public:
  // Weights uniform in [-1/2, 1/2], a function of the seed.
  LeNetImpl(std::int64_t edge, std::int64_t classes, std::uint64_t seed);
  torch::Tensor forward(torch::Tensor x) { return head_->forward(body_->forward(x).flatten(1)); }  // [B, 1, edge, edge]

 private:
  torch::nn::Sequential body_;
  torch::nn::Linear head_;
};
TORCH_MODULE(LeNet);

}  // namespace consilium::attacks
