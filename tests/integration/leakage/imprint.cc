#include "tests/integration/leakage/imprint.h"

#include "comm/base/rng.h"
#include "tests/integration/leakage/pictures.h"

namespace consilium::attacks {

ImprintImpl::ImprintImpl(const torch::Tensor& known, std::int64_t bins, std::int64_t classes, std::uint64_t seed)
    : bins_(known[0].numel(), bins), head_(bins, classes) {
  register_module("bins", bins_);
  register_module("head", head_);
  const torch::NoGradGuard no_grad;
  const torch::Tensor brightness = std::get<0>(Normalized(known).flatten(1).mean(1).sort());
  bins_->weight.fill_(1.0 / static_cast<double>(known[0].numel()));
  for (std::int64_t i = 0; i < bins; ++i) bins_->bias[i] = -brightness[i * brightness.size(0) / bins];
  Rng rng(seed);
  for (std::int64_t i = 0; i < classes; ++i) head_->weight[i].fill_(rng.Normal());  // alike for all bins
  head_->bias.zero_();
}

torch::Tensor ReadImprint(const Gradient& gradient, std::int64_t edge) {
  const torch::NoGradGuard no_grad;
  const torch::Tensor none = torch::zeros({1});
  // A bin's unit passes everything brighter than its border: the difference is what the next one does not pass.
  const torch::Tensor pixels =
      gradient[0] - torch::cat({gradient[0].slice(0, 1), torch::zeros_like(gradient[0][0]).unsqueeze(0)});
  const torch::Tensor weight = gradient[1] - torch::cat({gradient[1].slice(0, 1), none});
  return Denormalized((pixels / weight.unsqueeze(1)).view({-1, 1, edge, edge}));
}

}  // namespace consilium::attacks
