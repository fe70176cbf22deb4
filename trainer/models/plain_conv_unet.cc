#include "trainer/models/plain_conv_unet.h"

#include "trainer/models/initialization.h"

namespace consilium::trainer {
namespace {

using torch::Tensor;

constexpr std::int64_t kConvolutions = 2;  // a stage

}  // namespace

class PlainConvUNetImpl::Encoder final : public torch::nn::Module {
 public:
  explicit Encoder(const UNetOptions& options) {
    register_module("stages", list_);
    const Sizes features = FeaturesOf(options);
    for (std::size_t s = 0; s < features.size(); ++s) {
      stages_.push_back(std::make_shared<ConvBlocks>(kConvolutions, s == 0 ? options.channels_in : features[s - 1],
                                                     features[s], options.kernels[s], options.strides[s]));
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

PlainConvUNetImpl::PlainConvUNetImpl(UNetOptions options, std::uint64_t seed) : options_(std::move(options)) {
  const Status valid = CheckOptions(options_);
  CONSILIUM_CHECK(valid.ok(), valid.message());
  encoder_ = register_module("encoder", std::make_shared<Encoder>(options_));
  decoder_ = register_module("decoder", std::make_shared<UNetDecoder>(options_, kConvolutions));
  InitializeHeNormal(*this, seed);
}

std::vector<Tensor> PlainConvUNetImpl::forward(Tensor x) {
  const bool all = options_.deep_supervision && is_training();
  return decoder_->forward(encoder_->forward(std::move(x)),
                           all ? UNetDecoder::Outputs::kAll : UNetDecoder::Outputs::kFinest);
}

std::int64_t PlainConvUNetImpl::heads() const {
  return options_.deep_supervision ? static_cast<std::int64_t>(options_.strides.size()) - 1 : 1;
}

}  // namespace consilium::trainer
