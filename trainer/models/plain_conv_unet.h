// nnU-Net's PlainConvUNet (Isensee et al., "nnU-Net", Nature Methods 18, 2021), in 2D and 3D.
//
// Encoder stage s: 2 x [convolution with bias - InstanceNorm (eps 1e-5, affine) - LeakyReLU 0.01], the
// first convolution strided; min(base * 2^s, max) features.  Decoder, from the bottleneck upwards: transposed
// convolution (kernel = stride = the encoder's stride), concatenation [upsampled, skip], 2 blocks, and a 1x1 head at
// every stage.
//
// Tensor names are those of the upstream module (MIC-DKFZ/dynamic-network-architectures) without its aliases:
//   encoder.stages.S.0.convs.K.{conv,norm}.{weight,bias}    S = 0 is full resolution
//   decoder.stages.D.convs.K.{conv,norm}.{weight,bias}      D = 0 is the lowest resolution, likewise:
//   decoder.transpconvs.D.{weight,bias}, decoder.seg_layers.D.{weight,bias}
#pragma once

#include <memory>

#include "trainer/models/unet_blocks.h"

namespace consilium::trainer {

class PlainConvUNetImpl final : public EncoderDecoder {
 public:
  // `options` must pass CheckOptions().  Weights are He-normal from `seed` (initialization.h), in f32 on the CPU.
  PlainConvUNetImpl(UNetOptions options, std::uint64_t seed);
  std::vector<torch::Tensor> forward(torch::Tensor x) override;

 private:
  class Encoder;
  std::shared_ptr<Encoder> encoder_;
};
TORCH_MODULE(PlainConvUNet);

}  // namespace consilium::trainer
