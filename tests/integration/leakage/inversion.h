// Pictures from a gradient: looks for inputs whose gradient is the one that was observed.
//
// MatchGradient: L. Zhu, Z. Liu, S. Han, "Deep leakage from gradients", NeurIPS 2019 (squared distance, L-BFGS), with
// the labels known, as B. Zhao et al., "iDLG", 2020, do.  MatchDirection: J. Geiping et al., "Inverting gradients: how
// easy is it to break privacy in federated learning?", NeurIPS 2020 (cosine distance, total variation, Adam on signs).
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace consilium::attacks {

using Gradient = std::vector<torch::Tensor>;  // in the order of the network's parameters

// What everybody who has the job and the weights can make again.
struct Network {
  std::vector<torch::Tensor> parameters;
  std::function<torch::Tensor(const torch::Tensor& inputs, const torch::Tensor& targets)> loss;
};
Gradient GradientOf(const Network& network, const torch::Tensor& inputs, const torch::Tensor& targets);

struct Inversion {
  torch::Tensor pictures;  // [count, 1, edge, edge] in [0, 1]
  double distance = 0;     // what is left between the gradients: squared, relative to the observed one; or 1 - cosine
};

struct MatchOptions {
  int iterations = 100;        // a start
  int starts = 4;              // the one that comes nearest wins
  double enough = 1e-4;        // a start that comes so near is the last
  double total_variation = 0;  // its weight against the distance
  // MatchDirection's: first looks for a picture of few pixels, then goes on from it with twice as many, so often.
  int halvings = 0;
  std::uint64_t seed = 1;
};

// `targets`: one a picture that is looked for.
Inversion MatchGradient(const Network& network, const Gradient& observed, const torch::Tensor& targets,
                        std::int64_t edge, const MatchOptions& options);
Inversion MatchDirection(const Network& network, const Gradient& observed, const torch::Tensor& targets,
                         std::int64_t edge, const MatchOptions& options);

// The label of the one record behind a classifier's gradient: only for it does the head's bias gradient fall below 0.
std::int64_t LabelIn(const torch::Tensor& head_bias_gradient);

}  // namespace consilium::attacks
