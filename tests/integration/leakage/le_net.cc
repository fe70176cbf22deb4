#include "tests/integration/leakage/le_net.h"

#include "comm/base/rng.h"

namespace consilium::attacks {

LeNetImpl::LeNetImpl(std::int64_t edge, std::int64_t classes, std::uint64_t seed) : head_(nullptr) {
  constexpr std::int64_t kFeatures = 12;
  std::int64_t channels = 1;
  for (const std::int64_t stride : {2, 2, 1}) {
    body_->push_back(torch::nn::Conv2d(torch::nn::Conv2dOptions(channels, kFeatures, 5).stride(stride).padding(2)));
    body_->push_back(torch::nn::Sigmoid());
    channels = kFeatures;
  }
  head_ = torch::nn::Linear(kFeatures * (edge / 4) * (edge / 4), classes);
  register_module("body", body_);
  register_module("head", head_);
  const torch::NoGradGuard no_grad;
  Rng rng(seed);
  for (const torch::Tensor& parameter : parameters())
    for (std::int64_t i = 0; i < parameter.numel(); ++i)
      parameter.data_ptr<float>()[i] = static_cast<float>(rng.Uniform(-0.5, 0.5));
}

}  // namespace consilium::attacks
