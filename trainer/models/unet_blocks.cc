#include "trainer/models/unet_blocks.h"

#include <algorithm>

namespace consilium::trainer {
namespace {

using torch::Tensor;

constexpr double kNormEpsilon = 1e-5;
constexpr double kUnusedMomentum = 0.1;  // batch_norm wants one; there are no running statistics to use it

Sizes JoinedShape(const Tensor& x) {
  Sizes joined = x.sizes().vec();
  joined[1] *= joined[0], joined[0] = 1;
  return joined;
}

}  // namespace

Convolution::Convolution(Direction direction, std::int64_t in, std::int64_t out, const Sizes& kernel, Sizes stride,
                         Bias bias)
    : direction_(direction), stride_(std::move(stride)), ones_(kernel.size(), 1), zeros_(kernel.size(), 0) {
  Sizes shape = direction == Direction::kForward ? Sizes{out, in} : Sizes{in, out};
  shape.insert(shape.end(), kernel.begin(), kernel.end());
  weight_ = register_parameter("weight", torch::zeros(shape));
  if (bias == Bias::kYes) bias_ = register_parameter("bias", torch::zeros({out}));
  padding_ = zeros_;
  if (direction == Direction::kForward)
    std::transform(kernel.begin(), kernel.end(), padding_.begin(), [](std::int64_t k) { return (k - 1) / 2; });
}

Tensor Convolution::forward(const Tensor& x) {
  return torch::convolution(x, weight_, bias_, stride_, padding_, ones_, direction_ == Direction::kTransposed, zeros_,
                            /*groups=*/1);
}

InstanceNorm::InstanceNorm(std::int64_t features)
    : weight_(register_parameter("weight", torch::ones({features}))),
      bias_(register_parameter("bias", torch::zeros({features}))) {}

// An instance norm is a batch norm over [1, B C, ...].  What follows it goes in place while the tensor has that shape,
// because in place on the view that torch::instance_norm returns costs autograd two copies.
Tensor InstanceNorm::Joined(const Tensor& x) {
  const std::int64_t batch = x.size(0);
  return torch::batch_norm(x.reshape(JoinedShape(x)), weight_.repeat({batch}), bias_.repeat({batch}),
                           /*running_mean=*/{}, /*running_var=*/{}, /*training=*/true, kUnusedMomentum, kNormEpsilon,
                           /*cudnn_enabled=*/true);
}

Tensor InstanceNorm::Normalize(const Tensor& x) { return Joined(x).view(x.sizes()); }

Tensor InstanceNorm::NormalizeAndActivate(const Tensor& x) {
  Tensor y = Joined(x);
  return torch::leaky_relu_(y, kLeakySlope).view(x.sizes());
}

Tensor InstanceNorm::NormalizeAddAndActivate(const Tensor& x, const Tensor& residual) {
  Tensor y = Joined(x).add_(residual.reshape(JoinedShape(residual)));
  return torch::leaky_relu_(y, kLeakySlope).view(x.sizes());
}

ConvBlock::ConvBlock(std::int64_t in, std::int64_t out, const Sizes& kernel, const Sizes& stride)
    : conv_(register_module("conv", std::make_shared<Convolution>(Direction::kForward, in, out, kernel, stride))),
      norm_(register_module("norm", std::make_shared<InstanceNorm>(out))) {}

ConvBlocks::ConvBlocks(std::int64_t count, std::int64_t in, std::int64_t out, const Sizes& kernel,
                       const Sizes& stride) {
  register_module("convs", convs_);
  for (std::int64_t i = 0; i < count; ++i) {
    blocks_.push_back(
        std::make_shared<ConvBlock>(i == 0 ? in : out, out, kernel, i == 0 ? stride : Sizes(stride.size(), 1)));
    convs_->push_back(blocks_.back());
  }
}

Tensor ConvBlocks::forward(Tensor x) {
  for (const auto& block : blocks_) x = block->forward(x);
  return x;
}

UNetDecoder::UNetDecoder(const UNetOptions& options, std::int64_t convolutions) {
  register_module("stages", stage_list_);
  register_module("transpconvs", upsampler_list_);
  register_module("seg_layers", head_list_);
  const Sizes features = FeaturesOf(options);
  const Sizes ones(options.strides[0].size(), 1);
  for (std::size_t s = features.size() - 1; s > 0; --s) {  // s is the encoder stage that is left upwards
    const std::int64_t skip = features[s - 1];
    upsamplers_.push_back(std::make_shared<Convolution>(Direction::kTransposed, features[s], skip, options.strides[s],
                                                        options.strides[s]));
    stages_.push_back(std::make_shared<ConvBlocks>(convolutions, 2 * skip, skip, options.kernels[s - 1], ones));
    heads_.push_back(std::make_shared<Convolution>(Direction::kForward, skip, options.classes, ones, ones));
    upsampler_list_->push_back(upsamplers_.back());
    stage_list_->push_back(stages_.back());
    head_list_->push_back(heads_.back());
  }
}

std::vector<Tensor> UNetDecoder::forward(const std::vector<Tensor>& skips, Outputs outputs) {
  std::vector<Tensor> logits;
  Tensor x = skips.back();
  for (std::size_t d = 0; d < stages_.size(); ++d) {
    x = torch::cat({upsamplers_[d]->forward(x), skips[skips.size() - 2 - d]}, 1);
    x = stages_[d]->forward(x);
    if (outputs == Outputs::kAll || d + 1 == stages_.size()) logits.push_back(heads_[d]->forward(x));
  }
  std::reverse(logits.begin(), logits.end());
  return logits;
}

EncoderDecoder::EncoderDecoder(UNetOptions options) : options_(std::move(options)) {
  const Status valid = CheckOptions(options_);
  CONSILIUM_CHECK(valid.ok(), valid.message());
}

void EncoderDecoder::MakeDecoder(std::int64_t convolutions) {
  decoder_ = register_module("decoder", std::make_shared<UNetDecoder>(options_, convolutions));
}

std::vector<Tensor> EncoderDecoder::Decode(const std::vector<Tensor>& skips) {
  const bool all = options_.deep_supervision && is_training();
  return decoder_->forward(skips, all ? UNetDecoder::Outputs::kAll : UNetDecoder::Outputs::kFinest);
}

std::int64_t EncoderDecoder::heads() const {
  return options_.deep_supervision ? static_cast<std::int64_t>(options_.strides.size()) - 1 : 1;
}

}  // namespace consilium::trainer
