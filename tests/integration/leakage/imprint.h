// A network that is made to be read: its first layer sorts pictures into bins by their brightness, and the gradients of
// two neighbouring bins differ by the picture between them.  No optimisation, and no matter how many others are in a
// sum.
//
// L. Fowl et al., "Robbing the fed: directly obtaining private data in federated learning with modified models",
// ICLR 2022.
#pragma once

#include <torch/torch.h>

#include <cstdint>

#include "tests/integration/leakage/inversion.h"

namespace consilium::attacks {

class ImprintImpl final : public torch::nn::Module {
 public:
  // `known` [n, 1, edge, edge] in [0, 1]: the attacker's own pictures, whose brightness says where the bins' borders
  // are.
  ImprintImpl(const torch::Tensor& known, std::int64_t bins, std::int64_t classes, std::uint64_t seed);
  torch::Tensor forward(torch::Tensor x) { return head_->forward(torch::relu(bins_->forward(x.flatten(1)))); }

 private:
  torch::nn::Linear bins_, head_;
};
TORCH_MODULE(Imprint);

// What is in each bin [bins, 1, edge, edge]; rubbish where nothing is.  `gradient`: of an Imprint's parameters.
torch::Tensor ReadImprint(const Gradient& gradient, std::int64_t edge);

}  // namespace consilium::attacks
