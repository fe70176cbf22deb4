// What a site makes of its pictures in one step, by the product's own gradient and optimizer, and what whoever knows
// the job reads out of it.
#pragma once

#include <torch/torch.h>

#include <optional>
#include <vector>

#include "tests/integration/leakage/inversion.h"

namespace consilium::attacks {

// Of the job: everybody knows them.
struct Step {
  double learning_rate = 0.01, momentum = 0.9, weight_decay = 3e-5;
};

// Differential privacy for each picture (privacy.records).
struct PrivateStep {
  double clip = 1, noise_multiplier = 1;
  std::int64_t site = 0;  // each has noise of its own
};

using Update = std::vector<float>;  // new weights less old ones, in the order of the parameters

// The network is left as it was.
Update UpdateOf(const Network& network, const torch::Tensor& pictures, const torch::Tensor& labels, const Step& step,
                const std::optional<PrivateStep>& privacy = std::nullopt);

// The gradient that such an update was made of.
Gradient GradientIn(const Update& update, const Network& network, const Step& step);

}  // namespace consilium::attacks
