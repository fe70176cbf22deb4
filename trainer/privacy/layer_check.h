// Which networks a record's gradient can be told apart in.
#pragma once

#include <torch/torch.h>

#include "comm/base/status.h"

namespace consilium::trainer {

// Differential privacy for records clips each record's gradient: every layer must treat the samples of a batch apart.
// Only torch's layers that are known to do so pass, and our own that are marked (trainer/models/layer_traits.h).
// `model` is held by a shared_ptr, as torch's list of modules asks.  Errors: InvalidArgument with the layer's name, its
// kind, and what to use instead (batch normalisation: group or instance normalisation).
Status CheckSamplesStayApart(const torch::nn::Module& model);

}  // namespace consilium::trainer
