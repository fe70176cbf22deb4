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

PlainConvUNetImpl::PlainConvUNetImpl(UNetOptions options, std::uint64_t seed) : EncoderDecoder(std::move(options)) {
  encoder_ = register_module("encoder", std::make_shared<Encoder>(this->options()));
  MakeDecoder(kConvolutions);
  InitializeHeNormal(*this, seed);
}

std::vector<Tensor> PlainConvUNetImpl::forward(Tensor x) { return Decode(encoder_->forward(std::move(x))); }

}  // namespace consilium::trainer
