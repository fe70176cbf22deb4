// nnU-Net's PlainConvUNet (Isensee et al., "nnU-Net", Nature Methods 18, 2021), in 2D and 3D.
//
// Encoder stage s: convs_per_stage x [convolution with bias - InstanceNorm (eps 1e-5, affine) - LeakyReLU 0.01], the
// first convolution strided; min(base * 2^s, max) features.  Decoder, from the bottleneck upwards: transposed
// convolution (kernel = stride = the encoder's stride), concatenation [upsampled, skip], convs_per_stage blocks, and a
// 1x1 head at every stage.
//
// Tensor names are those of the upstream module (MIC-DKFZ/dynamic-network-architectures) without its aliases:
//   encoder.stages.S.0.convs.K.{conv,norm}.{weight,bias}    S = 0 is full resolution
//   decoder.stages.D.convs.K.{conv,norm}.{weight,bias}      D = 0 is the lowest resolution, likewise:
//   decoder.transpconvs.D.{weight,bias}, decoder.seg_layers.D.{weight,bias}
#pragma once

#include <memory>

#include "comm/base/status.h"
#include "trainer/models/segmentation_model.h"

namespace consilium::trainer {

// `strides` and `kernels` have one entry a stage (at least 2 stages), each with 2 or 3 numbers, axis order (z,) y, x.
struct UNetOptions {
  std::int64_t channels_in = 1;
  std::int64_t classes = 2;
  std::vector<std::vector<std::int64_t>> strides;
  std::vector<std::vector<std::int64_t>> kernels;  // odd
  std::int64_t base_features = 32;
  std::int64_t features_max = 320;
  std::int64_t convs_per_stage = 2;
  bool deep_supervision = true;
};

// OK when a network can be built; else kInvalidArgument with the option and what was expected.
Status CheckOptions(const UNetOptions& options);

class PlainConvUNetImpl final : public SegmentationModel {
 public:
  // `options` must pass CheckOptions().  Weights are He-normal from `seed` (initialization.h), in f32 on the CPU.
  PlainConvUNetImpl(UNetOptions options, std::uint64_t seed);

  std::vector<torch::Tensor> forward(torch::Tensor x) override;
  std::int64_t channels() const override { return options_.channels_in; }
  std::int64_t classes() const override { return options_.classes; }
  std::int64_t heads() const override;
  std::vector<std::int64_t> divisor() const override;
  const UNetOptions& options() const { return options_; }

 private:
  class ConvBlock;
  class Encoder;
  class Decoder;
  UNetOptions options_;
  std::shared_ptr<Encoder> encoder_;
  std::shared_ptr<Decoder> decoder_;
};
TORCH_MODULE(PlainConvUNet);

}  // namespace consilium::trainer
