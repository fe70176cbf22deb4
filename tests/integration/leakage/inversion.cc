#include "tests/integration/leakage/inversion.h"

#include <cmath>
#include <limits>

#include "comm/base/rng.h"
#include "tests/integration/leakage/pictures.h"

namespace consilium::attacks {
namespace {

using torch::Tensor;

Tensor StartAt(std::int64_t count, std::int64_t edge, std::uint64_t seed, int start) {
  Tensor inputs = torch::empty({count, 1, edge, edge});
  Rng rng(seed, static_cast<std::uint64_t>(start));
  for (std::int64_t i = 0; i < inputs.numel(); ++i) inputs.data_ptr<float>()[i] = static_cast<float>(rng.Normal());
  return inputs.requires_grad_();
}

Tensor TotalVariation(const Tensor& x) {
  return (x.slice(2, 1) - x.slice(2, 0, -1)).abs().mean() + (x.slice(3, 1) - x.slice(3, 0, -1)).abs().mean();
}

Tensor Resized(const Tensor& x, std::int64_t edge) {
  if (x.size(2) == edge) return x;
  const std::vector<std::int64_t> size = {edge, edge};
  return torch::nn::functional::interpolate(
      x, torch::nn::functional::InterpolateFuncOptions().size(size).mode(torch::kBilinear).align_corners(false));
}

Tensor Dot(const Gradient& a, const Gradient& b) {
  Tensor sum = torch::zeros({});
  for (std::size_t i = 0; i < a.size(); ++i) sum = sum + (a[i] * b[i]).sum();
  return sum;
}

Gradient DifferentiableGradient(const Network& network, const Tensor& inputs, const Tensor& targets) {
  return torch::autograd::grad({network.loss(inputs, targets)}, network.parameters, {}, /*retain_graph=*/true,
                               /*create_graph=*/true);
}

// Of `starts` runs the one whose gradient comes nearest.
template <typename Run>
Inversion BestOf(const MatchOptions& options, const Run& run) {
  Inversion best{.pictures = {}, .distance = std::numeric_limits<double>::infinity()};
  for (int start = 0; start < options.starts && best.distance > options.enough; ++start) {
    Inversion one = run(start);
    if (!best.pictures.defined() || one.distance < best.distance) best = std::move(one);
  }
  return best;
}

}  // namespace

Gradient GradientOf(const Network& network, const Tensor& inputs, const Tensor& targets) {
  return torch::autograd::grad({network.loss(inputs, targets)}, network.parameters);
}

Inversion MatchGradient(const Network& network, const Gradient& observed, const Tensor& targets, std::int64_t edge,
                        const MatchOptions& options) {
  const Tensor energy = Dot(observed, observed);
  return BestOf(options, [&](int start) {
    Tensor inputs = StartAt(targets.size(0), edge, options.seed, start);
    torch::optim::LBFGS lbfgs({inputs}, torch::optim::LBFGSOptions(1)
                                            .max_iter(options.iterations)
                                            .history_size(50)
                                            .tolerance_grad(1e-9)
                                            .tolerance_change(1e-12)
                                            .line_search_fn("strong_wolfe"));
    double distance = 0;
    lbfgs.step([&] {
      Gradient difference = DifferentiableGradient(network, inputs, targets);
      for (std::size_t i = 0; i < difference.size(); ++i) difference[i] = difference[i] - observed[i];
      const Tensor relative = Dot(difference, difference) / energy;
      const Tensor objective = relative + options.total_variation * TotalVariation(inputs);
      inputs.mutable_grad() = torch::autograd::grad({objective}, {inputs})[0];
      distance = relative.item<double>();
      return objective.detach();
    });
    return Inversion{.pictures = Denormalized(inputs.detach()), .distance = distance};
  });
}

Inversion MatchDirection(const Network& network, const Gradient& observed, const Tensor& targets, std::int64_t edge,
                         const MatchOptions& options) {
  const Tensor low = Normalized(torch::zeros({})), high = Normalized(torch::ones({})), length = Dot(observed, observed);
  return BestOf(options, [&](int start) {
    Tensor coarse = StartAt(targets.size(0), edge >> options.halvings, options.seed, start);
    Inversion found;
    for (int halving = options.halvings; halving >= 0; --halving) {
      coarse = Resized(coarse.detach(), edge >> halving).clone().requires_grad_();
      torch::optim::Adam adam({coarse}, torch::optim::AdamOptions(0.1));
      auto& rate = static_cast<torch::optim::AdamOptions&>(adam.param_groups()[0].options());
      for (int step = 0; step < options.iterations; ++step) {
        for (const int eighths : {3, 5, 7})
          if (step == options.iterations * eighths / 8) rate.lr(rate.lr() / 10);
        const Tensor inputs = Resized(coarse, edge);
        const Gradient gradient = DifferentiableGradient(network, inputs, targets);
        const Tensor distance = 1 - Dot(gradient, observed) / (Dot(gradient, gradient) * length).sqrt();
        const Tensor objective = distance + options.total_variation * TotalVariation(inputs);
        coarse.mutable_grad() = torch::autograd::grad({objective}, {coarse})[0].sign();
        adam.step();
        const torch::NoGradGuard no_grad;
        coarse.clamp_(low, high);
        found.distance = distance.item<double>();
      }
    }
    found.pictures = Denormalized(coarse.detach());
    return found;
  });
}

std::int64_t LabelIn(const Tensor& head_bias_gradient) { return head_bias_gradient.argmin().item<std::int64_t>(); }

}  // namespace consilium::attacks
