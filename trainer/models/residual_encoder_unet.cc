#include "trainer/models/residual_encoder_unet.h"

#include "datasets/planner/network_size.h"
#include "trainer/models/initialization.h"

namespace consilium::trainer {
namespace {

using torch::Tensor;

constexpr std::int64_t kDecoderConvolutions = 1;  // a stage

// conv and norm, and no activation of their own.
class NormedConvolution final : public torch::nn::Module {
 public:
  NormedConvolution(std::int64_t in, std::int64_t out, const Sizes& kernel, const Sizes& stride, Bias bias)
      : conv(
            register_module("conv", std::make_shared<Convolution>(Direction::kForward, in, out, kernel, stride, bias))),
        norm(register_module("norm", std::make_shared<InstanceNorm>(out))) {}

  std::shared_ptr<Convolution> conv;
  std::shared_ptr<InstanceNorm> norm;
};

bool IsStrided(const Sizes& stride) { return stride != Sizes(stride.size(), 1); }

}  // namespace

class ResidualEncoderUNetImpl::Block final : public torch::nn::Module {
 public:
  Block(std::int64_t in, std::int64_t out, const Sizes& kernel, const Sizes& stride) : stride_(stride) {
    const Sizes ones(stride.size(), 1);
    conv1_ = register_module("conv1", std::make_shared<ConvBlock>(in, out, kernel, stride));
    conv2_ = register_module("conv2", std::make_shared<NormedConvolution>(out, out, kernel, ones, Bias::kYes));
    if (in == out) return;
    projection_ = std::make_shared<NormedConvolution>(in, out, ones, ones, Bias::kNo);
    // Upstream's skip is a Sequential in which a pooling, where there is one, comes first.
    auto skip = register_module("skip", std::make_shared<torch::nn::Module>());
    skip->register_module(IsStrided(stride) ? "1" : "0", projection_);
  }

  Tensor forward(const Tensor& x) {
    return conv2_->norm->NormalizeAddAndActivate(conv2_->conv->forward(conv1_->forward(x)), Skip(x));
  }
  void StartAsSkip() {
    const torch::NoGradGuard no_grad;
    for (Tensor& parameter : conv2_->norm->parameters()) parameter.zero_();
  }

 private:
  Tensor Skip(Tensor x) {
    if (IsStrided(stride_))
      x = stride_.size() == 2 ? torch::avg_pool2d(x, stride_, stride_) : torch::avg_pool3d(x, stride_, stride_);
    return projection_ ? projection_->norm->Normalize(projection_->conv->forward(x)) : x;
  }

  Sizes stride_;
  std::shared_ptr<ConvBlock> conv1_;
  std::shared_ptr<NormedConvolution> conv2_, projection_;
};

class ResidualEncoderUNetImpl::Stage final : public torch::nn::Module {
 public:
  Stage(std::int64_t count, std::int64_t in, std::int64_t out, const Sizes& kernel, const Sizes& stride) {
    register_module("blocks", list_);
    for (std::int64_t i = 0; i < count; ++i) {
      blocks_.push_back(
          std::make_shared<Block>(i == 0 ? in : out, out, kernel, i == 0 ? stride : Sizes(stride.size(), 1)));
      list_->push_back(blocks_.back());
    }
  }

  Tensor forward(Tensor x) {
    for (const auto& block : blocks_) x = block->forward(x);
    return x;
  }
  void StartAsSkips() {
    for (const auto& block : blocks_) block->StartAsSkip();
  }

 private:
  torch::nn::ModuleList list_;
  std::vector<std::shared_ptr<Block>> blocks_;
};

class ResidualEncoderUNetImpl::Encoder final : public torch::nn::Module {
 public:
  explicit Encoder(const UNetOptions& options) {
    const Sizes features = FeaturesOf(options);
    const Sizes blocks = datasets::EncoderBlocks(datasets::Encoder::kResidual, features.size());
    stem_ =
        register_module("stem", std::make_shared<ConvBlocks>(1, options.channels_in, features[0], options.kernels[0],
                                                             Sizes(options.strides[0].size(), 1)));
    register_module("stages", list_);
    for (std::size_t s = 0; s < features.size(); ++s) {
      stages_.push_back(std::make_shared<Stage>(blocks[s], features[s == 0 ? 0 : s - 1], features[s],
                                                options.kernels[s], options.strides[s]));
      list_->push_back(stages_.back());
    }
  }

  // Every stage's output, full resolution first.
  std::vector<Tensor> forward(Tensor x) {
    x = stem_->forward(std::move(x));
    std::vector<Tensor> outputs;
    for (const auto& stage : stages_) outputs.push_back(x = stage->forward(x));
    return outputs;
  }
  void StartAsSkips() {
    for (const auto& stage : stages_) stage->StartAsSkips();
  }

 private:
  std::shared_ptr<ConvBlocks> stem_;
  torch::nn::ModuleList list_;
  std::vector<std::shared_ptr<Stage>> stages_;
};

ResidualEncoderUNetImpl::ResidualEncoderUNetImpl(UNetOptions options, std::uint64_t seed)
    : EncoderDecoder(std::move(options)) {
  encoder_ = register_module("encoder", std::make_shared<Encoder>(this->options()));
  MakeDecoder(kDecoderConvolutions);
  InitializeHeNormal(*this, seed);
  encoder_->StartAsSkips();
}

std::vector<Tensor> ResidualEncoderUNetImpl::forward(Tensor x) { return Decode(encoder_->forward(std::move(x))); }

}  // namespace consilium::trainer
