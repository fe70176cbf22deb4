#include "trainer/models/image_classifier.h"

#include "trainer/models/initialization.h"

namespace consilium::trainer {
namespace {

constexpr double kNegativeSlope = 0.01;

}  // namespace

ImageClassifierImpl::ImageClassifierImpl(const ImageClassifierOptions& options, std::uint64_t seed) : head_(nullptr) {
  std::int64_t channels = options.channels;
  for (const std::int64_t features : options.features) {
    body_->push_back(torch::nn::Conv2d(torch::nn::Conv2dOptions(channels, features, 3).stride(2).padding(1)));
    body_->push_back(torch::nn::GroupNorm(torch::nn::GroupNormOptions(options.groups, features)));
    body_->push_back(torch::nn::LeakyReLU(torch::nn::LeakyReLUOptions().negative_slope(kNegativeSlope)));
    channels = features;
  }
  head_ = torch::nn::Linear(channels, options.classes);
  register_module("body", body_);
  register_module("head", head_);
  InitializeHeNormal(*this, seed);
  const torch::NoGradGuard no_grad;
  for (const auto& item : named_parameters())  // torch draws them from its own generator
    if (item.key().ends_with("bias")) item.value().zero_();
}

torch::Tensor ImageClassifierImpl::forward(torch::Tensor x) { return head_->forward(body_->forward(x).mean({2, 3})); }

}  // namespace consilium::trainer
