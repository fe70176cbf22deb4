// Applies a GradientCorrection to the gradients of a model, on the model's device.
#pragma once

#include <torch/torch.h>

#include <string>
#include <utility>
#include <vector>

#include "comm/collective/communicator.h"
#include "trainer/local/gradient_correction.h"

namespace consilium::trainer {

// Strand-bound.  Methods but Set() throw c10::Error; callers wrap them in GuardTorch().
class GradientCorrector {
 public:
  using NamedTensors = std::vector<std::pair<std::string, torch::Tensor>>;
  // The trained parameters; shared with the model.
  explicit GradientCorrector(NamedTensors parameters) : parameters_(std::move(parameters)) {}

  // From the next step on; the mean gradient starts anew.  Errors: InvalidArgument for a tensor that is no parameter
  // or has another shape; nothing is changed then.
  Status Set(GradientCorrection correction);
  const GradientCorrection& correction() const { return correction_; }

  // Once a step, between backward pass and clipping.  A parameter without gradient is left alone.  Without a
  // correction no bit changes.
  void Apply();

  // 0 where no step was recorded.  Schema: all trained parameters.
  tensor::ParameterVector MeanGradient() const;

 private:
  struct Item {
    torch::Tensor parameter, anchor, shift, sum;  // undefined: none; on the parameter's device
  };
  const NamedTensors parameters_;
  GradientCorrection correction_;
  std::vector<Item> items_;
  std::int64_t recorded_ = 0;  // steps
};

// Collective.  Every rank takes rank 0's correction; `schema` is the model's.
Status ShareCorrection(collective::Communicator& gang, const tensor::Schema& schema, GradientCorrection* correction);

}  // namespace consilium::trainer
