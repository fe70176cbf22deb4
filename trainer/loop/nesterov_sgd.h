// Stochastic gradient descent with Nesterov momentum and coupled weight decay, in one pass over memory.
//
//   d = scale * gradient + weight_decay * p
//   v = momentum * v + d                        (v = 0 before the first step)
//   p = p - learning_rate * (d + momentum * v)
//
// The same as torch::optim::SGD with nesterov (Sutskever et al., ICML 2013, in PyTorch's formulation); written here
// because its state must be saved and sent as a plain vector, and because eight passes become one.
#pragma once

#include <torch/torch.h>

#include <string>
#include <utility>
#include <vector>

#include "comm/tensor/parameter_vector.h"

namespace consilium::trainer {

struct SgdOptions {
  double momentum = 0.99;
  double weight_decay = 3e-5;
};

// Strand-bound.  Methods throw c10::Error; callers wrap them in GuardTorch().  On the CPU results do not depend on the
// number of threads.
class NesterovSgd {
 public:
  // f32 leaves; shared with the model, so a model's weights may be overwritten in place but not replaced.
  NesterovSgd(std::vector<std::pair<std::string, torch::Tensor>> parameters, const SgdOptions& options);

  // L2 norm over all gradients.  Parameters without a gradient count as 0.
  double GradientNorm() const;
  // `scale` multiplies every gradient (ClipScale).  Parameters without a gradient stay as they are.
  void Step(double learning_rate, double scale);

  // By name: `values` of that parameter's momentum, in row-major order.  Tensors of the schema that are no parameter
  // are left alone.
  void ExportMomentum(tensor::ParameterVector& momentum) const;
  void ImportMomentum(const tensor::ParameterVector& momentum);

  std::vector<torch::Tensor> momentum_tensors() const;

 private:
  struct Item {
    std::string name;
    torch::Tensor parameter, velocity;
  };
  std::vector<Item> items_;
  SgdOptions options_;
};

// What brings a gradient of norm `norm` to at most `norm_max`; 1 when it is already there.  As
// torch::nn::utils::clip_grad_norm_.
inline double ClipScale(double norm, double norm_max) {
  const double scale = norm_max / (norm + 1e-6);
  return scale < 1 ? scale : 1;
}

}  // namespace consilium::trainer
