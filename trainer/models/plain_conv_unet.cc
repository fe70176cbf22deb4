#include "trainer/models/plain_conv_unet.h"

#include <algorithm>

#include "trainer/models/initialization.h"
#include "trainer/models/layer_traits.h"

namespace consilium::trainer {
namespace {

using torch::Tensor;
using Sizes = std::vector<std::int64_t>;

constexpr double kLeakySlope = 0.01;
constexpr double kNormEpsilon = 1e-5;
constexpr double kUnusedMomentum = 0.1;  // batch_norm wants one; there are no running statistics to use it
constexpr std::int64_t kFeaturesLimit = 1 << 16;

enum class Direction { kForward, kTransposed };

// A convolution in any dimension: torch's own modules fix it in their type.
class Convolution final : public torch::nn::Module, public KeepsSamplesApart {
 public:
  Convolution(Direction direction, std::int64_t in, std::int64_t out, const Sizes& kernel, Sizes stride)
      : direction_(direction), stride_(std::move(stride)), ones_(kernel.size(), 1), zeros_(kernel.size(), 0) {
    Sizes shape = direction == Direction::kForward ? Sizes{out, in} : Sizes{in, out};
    shape.insert(shape.end(), kernel.begin(), kernel.end());
    weight_ = register_parameter("weight", torch::zeros(shape));
    bias_ = register_parameter("bias", torch::zeros({out}));
    padding_ = zeros_;
    if (direction == Direction::kForward)
      std::transform(kernel.begin(), kernel.end(), padding_.begin(), [](std::int64_t k) { return (k - 1) / 2; });
  }

  Tensor forward(const Tensor& x) {
    return torch::convolution(x, weight_, bias_, stride_, padding_, ones_, direction_ == Direction::kTransposed, zeros_,
                              /*groups=*/1);
  }

 private:
  Direction direction_;
  Sizes stride_, ones_, zeros_, padding_;
  Tensor weight_, bias_;
};

class InstanceNorm final : public torch::nn::Module, public KeepsSamplesApart {
 public:
  explicit InstanceNorm(std::int64_t features)
      : weight_(register_parameter("weight", torch::ones({features}))),
        bias_(register_parameter("bias", torch::zeros({features}))) {}

  // Normalised, then LeakyReLU.  An instance norm is a batch norm over [1, B C, ...]; the activation goes in place
  // while the tensor has that shape, because in place on the view that torch::instance_norm returns costs autograd two
  // copies.
  Tensor NormalizeAndActivate(const Tensor& x) {
    const std::int64_t batch = x.size(0);
    Sizes joined = x.sizes().vec();
    joined[1] *= batch, joined[0] = 1;
    Tensor y = torch::batch_norm(x.reshape(joined), weight_.repeat({batch}), bias_.repeat({batch}),
                                 /*running_mean=*/{}, /*running_var=*/{}, /*training=*/true, kUnusedMomentum,
                                 kNormEpsilon, /*cudnn_enabled=*/true);
    return torch::leaky_relu_(y, kLeakySlope).view(x.sizes());
  }

 private:
  Tensor weight_, bias_;
};

class ConvBlock final : public torch::nn::Module {
 public:
  ConvBlock(std::int64_t in, std::int64_t out, const Sizes& kernel, const Sizes& stride)
      : conv_(register_module("conv", std::make_shared<Convolution>(Direction::kForward, in, out, kernel, stride))),
        norm_(register_module("norm", std::make_shared<InstanceNorm>(out))) {}

  Tensor forward(const Tensor& x) { return norm_->NormalizeAndActivate(conv_->forward(x)); }

 private:
  std::shared_ptr<Convolution> conv_;
  std::shared_ptr<InstanceNorm> norm_;
};

// `count` blocks, the first of them strided.
class ConvBlocks final : public torch::nn::Module {
 public:
  ConvBlocks(std::int64_t count, std::int64_t in, std::int64_t out, const Sizes& kernel, const Sizes& stride) {
    register_module("convs", convs_);
    for (std::int64_t i = 0; i < count; ++i) {
      blocks_.push_back(
          std::make_shared<ConvBlock>(i == 0 ? in : out, out, kernel, i == 0 ? stride : Sizes(stride.size(), 1)));
      convs_->push_back(blocks_.back());
    }
  }

  Tensor forward(Tensor x) {
    for (const auto& block : blocks_) x = block->forward(x);
    return x;
  }

 private:
  torch::nn::ModuleList convs_;
  std::vector<std::shared_ptr<ConvBlock>> blocks_;
};

// Of each stage.
Sizes Features(const UNetOptions& options) {
  Sizes features = {std::min(options.base_features, options.features_max)};
  while (features.size() < options.strides.size())
    features.push_back(std::min(2 * features.back(), options.features_max));
  return features;
}

}  // namespace

class PlainConvUNetImpl::Encoder final : public torch::nn::Module {
 public:
  explicit Encoder(const UNetOptions& options) {
    register_module("stages", list_);
    const Sizes features = Features(options);
    for (std::size_t s = 0; s < features.size(); ++s) {
      stages_.push_back(std::make_shared<ConvBlocks>(options.convs_per_stage,
                                                     s == 0 ? options.channels_in : features[s - 1], features[s],
                                                     options.kernels[s], options.strides[s]));
      // Upstream wraps each stage in a Sequential (there may be a pooling before it), hence "stages.S.0".
      torch::nn::ModuleList stage;
      stage->push_back(stages_.back());
      list_->push_back(stage.ptr());
    }
  }

  // Every stage's output, full resolution first.
  std::vector<Tensor> forward(Tensor x) {
    std::vector<Tensor> outputs;
    for (const auto& stage : stages_) outputs.push_back(x = stage->forward(x));
    return outputs;
  }

 private:
  torch::nn::ModuleList list_;
  std::vector<std::shared_ptr<ConvBlocks>> stages_;
};

class PlainConvUNetImpl::Decoder final : public torch::nn::Module {
 public:
  explicit Decoder(const UNetOptions& options) {
    register_module("stages", stage_list_);
    register_module("transpconvs", upsampler_list_);
    register_module("seg_layers", head_list_);
    const Sizes features = Features(options);
    const Sizes ones(options.strides[0].size(), 1);
    for (std::size_t s = features.size() - 1; s > 0; --s) {  // s is the encoder stage that is left upwards
      const std::int64_t skip = features[s - 1];
      upsamplers_.push_back(std::make_shared<Convolution>(Direction::kTransposed, features[s], skip, options.strides[s],
                                                          options.strides[s]));
      stages_.push_back(
          std::make_shared<ConvBlocks>(options.convs_per_stage, 2 * skip, skip, options.kernels[s - 1], ones));
      heads_.push_back(std::make_shared<Convolution>(Direction::kForward, skip, options.classes, ones, ones));
      upsampler_list_->push_back(upsamplers_.back());
      stage_list_->push_back(stages_.back());
      head_list_->push_back(heads_.back());
    }
  }

  enum class Outputs { kAll, kFinest };

  std::vector<Tensor> forward(const std::vector<Tensor>& skips, Outputs outputs) {
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

 private:
  torch::nn::ModuleList stage_list_, upsampler_list_, head_list_;
  std::vector<std::shared_ptr<ConvBlocks>> stages_;
  std::vector<std::shared_ptr<Convolution>> upsamplers_, heads_;
};

Status CheckOptions(const UNetOptions& options) {
  if (options.channels_in < 1) return InvalidArgument("a U-Net needs at least 1 channel, not ", options.channels_in);
  if (options.classes < 2)
    return InvalidArgument("a U-Net needs at least 2 classes (background is one), not ", options.classes);
  if (options.convs_per_stage < 1)
    return InvalidArgument("a U-Net needs at least 1 convolution a stage, not ", options.convs_per_stage);
  for (const std::int64_t features : {options.base_features, options.features_max})
    if (features < 1 || features > kFeaturesLimit)
      return InvalidArgument("model.base_features and model.features_max must be between 1 and ", kFeaturesLimit,
                             ", not ", features);
  if (options.strides.size() < 2)
    return InvalidArgument("model.strides must name at least 2 stages, names ", options.strides.size());
  if (options.kernels.size() != options.strides.size())
    return InvalidArgument("model.kernels names ", options.kernels.size(), " stages, model.strides ",
                           options.strides.size(), ": they must be as many");
  const std::size_t dimension = options.strides[0].size();
  for (std::size_t s = 0; s < options.strides.size(); ++s) {
    const Sizes &stride = options.strides[s], &kernel = options.kernels[s];
    if ((dimension != 2 && dimension != 3) || stride.size() != dimension || kernel.size() != dimension)
      return InvalidArgument("model.strides and model.kernels must have 2 or 3 numbers a stage, the same everywhere");
    if (std::any_of(stride.begin(), stride.end(), [](std::int64_t n) { return n < 1 || n > 16; }))
      return InvalidArgument("model.strides[", s, "] must be between 1 and 16");
    if (std::any_of(kernel.begin(), kernel.end(), [](std::int64_t n) { return n < 1 || n > 31 || n % 2 == 0; }))
      return InvalidArgument("model.kernels[", s, "] must be odd, between 1 and 31");
  }
  if (options.strides[0] != Sizes(dimension, 1))
    return InvalidArgument("model.strides[0] must be 1 on every axis: the first stage works at full resolution");
  return Status();
}

PlainConvUNetImpl::PlainConvUNetImpl(UNetOptions options, std::uint64_t seed) : options_(std::move(options)) {
  const Status valid = CheckOptions(options_);
  CONSILIUM_CHECK(valid.ok(), valid.message());
  encoder_ = register_module("encoder", std::make_shared<Encoder>(options_));
  decoder_ = register_module("decoder", std::make_shared<Decoder>(options_));
  InitializeHeNormal(*this, seed);
}

std::vector<Tensor> PlainConvUNetImpl::forward(Tensor x) {
  const bool all = options_.deep_supervision && is_training();
  return decoder_->forward(encoder_->forward(std::move(x)), all ? Decoder::Outputs::kAll : Decoder::Outputs::kFinest);
}

std::int64_t PlainConvUNetImpl::heads() const {
  return options_.deep_supervision ? static_cast<std::int64_t>(options_.strides.size()) - 1 : 1;
}

Sizes PlainConvUNetImpl::divisor() const {
  Sizes divisor(options_.strides[0].size(), 1);
  for (const Sizes& stride : options_.strides)
    for (std::size_t axis = 0; axis < divisor.size(); ++axis) divisor[axis] *= stride[axis];
  return divisor;
}

}  // namespace consilium::trainer
