// The layers that nnU-Net's U-Nets are made of, in 2D and 3D.  Tensor names are those of the upstream modules
// (MIC-DKFZ/dynamic-network-architectures) without their aliases.
#pragma once

#include <torch/torch.h>

#include <memory>
#include <vector>

#include "trainer/models/layer_traits.h"
#include "trainer/models/segmentation_model.h"
#include "trainer/models/unet_options.h"

namespace consilium::trainer {

using Sizes = std::vector<std::int64_t>;

inline constexpr double kLeakySlope = 0.01;

enum class Direction { kForward, kTransposed };
enum class Bias { kYes, kNo };

// A convolution in any dimension: torch's own modules fix it in their type.  Padded by (kernel - 1) / 2, but for
// transposed ones.
class Convolution final : public torch::nn::Module, public KeepsSamplesApart {
 public:
  Convolution(Direction direction, std::int64_t in, std::int64_t out, const Sizes& kernel, Sizes stride,
              Bias bias = Bias::kYes);
  torch::Tensor forward(const torch::Tensor& x);

 private:
  Direction direction_;
  Sizes stride_, ones_, zeros_, padding_;
  torch::Tensor weight_, bias_;
};

// Affine, without running statistics, eps 1e-5.
class InstanceNorm final : public torch::nn::Module, public KeepsSamplesApart {
 public:
  explicit InstanceNorm(std::int64_t features);
  torch::Tensor Normalize(const torch::Tensor& x);
  // Then LeakyReLU.
  torch::Tensor NormalizeAndActivate(const torch::Tensor& x);
  // Then `residual` is added, of the shape of x, and LeakyReLU applied to the sum.
  torch::Tensor NormalizeAddAndActivate(const torch::Tensor& x, const torch::Tensor& residual);

 private:
  // In the shape [1, B C, ...].
  torch::Tensor Joined(const torch::Tensor& x);
  torch::Tensor weight_, bias_;
};

// conv, norm, LeakyReLU.
class ConvBlock final : public torch::nn::Module {
 public:
  ConvBlock(std::int64_t in, std::int64_t out, const Sizes& kernel, const Sizes& stride);
  torch::Tensor forward(const torch::Tensor& x) { return norm_->NormalizeAndActivate(conv_->forward(x)); }

 private:
  std::shared_ptr<Convolution> conv_;
  std::shared_ptr<InstanceNorm> norm_;
};

// `count` blocks, the first of them strided: convs.K.
class ConvBlocks final : public torch::nn::Module {
 public:
  ConvBlocks(std::int64_t count, std::int64_t in, std::int64_t out, const Sizes& kernel, const Sizes& stride);
  torch::Tensor forward(torch::Tensor x);

 private:
  torch::nn::ModuleList convs_;
  std::vector<std::shared_ptr<ConvBlock>> blocks_;
};

// From the bottleneck upwards: transposed convolution (kernel = stride = the encoder's stride), concatenation
// [upsampled, skip], `convolutions` blocks, and a 1x1 head at every stage: transpconvs.D, stages.D, seg_layers.D; D = 0
// is the lowest resolution.
class UNetDecoder final : public torch::nn::Module {
 public:
  UNetDecoder(const UNetOptions& options, std::int64_t convolutions);

  enum class Outputs { kAll, kFinest };
  // `skips`: every encoder stage's output, full resolution first.  Logits likewise.
  std::vector<torch::Tensor> forward(const std::vector<torch::Tensor>& skips, Outputs outputs);

 private:
  torch::nn::ModuleList stage_list_, upsampler_list_, head_list_;
  std::vector<std::shared_ptr<ConvBlocks>> stages_;
  std::vector<std::shared_ptr<Convolution>> upsamplers_, heads_;
};

// What nnU-Net's U-Nets have in common but their encoders: the options, and a decoder with its heads.
class EncoderDecoder : public SegmentationModel {
 public:
  std::int64_t channels() const override { return options_.channels_in; }
  std::int64_t classes() const override { return options_.classes; }
  std::int64_t heads() const override;
  std::vector<std::int64_t> divisor() const override { return DivisorOf(options_); }
  const UNetOptions& options() const { return options_; }

 protected:
  // `options` must pass CheckOptions().
  explicit EncoderDecoder(UNetOptions options);
  void MakeDecoder(std::int64_t convolutions);
  // `skips`: every encoder stage's output, full resolution first.
  std::vector<torch::Tensor> Decode(const std::vector<torch::Tensor>& skips);

 private:
  UNetOptions options_;
  std::shared_ptr<UNetDecoder> decoder_;
};

}  // namespace consilium::trainer
