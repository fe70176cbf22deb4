// nnU-Net's ResidualEncoderUNet (Isensee et al., "nnU-Net Revisited", MICCAI 2024), in 2D and 3D.
//
// A stem (one convolution block), then in encoder stage s 1, 3, 4, 6, 6, ... residual blocks, the first of them
// strided; a decoder as PlainConvUNet's with one convolution a stage.  A block is
//
//   conv1 (strided) - norm - LeakyReLU - conv2 - norm - + skip - LeakyReLU
//
// with the skip average-pooled where the block is strided, and put through a 1x1 convolution without bias and a norm
// where the number of channels changes.  conv2's norm starts at 0, so that a block starts as its skip.
//
// Tensor names are those of the upstream module (MIC-DKFZ/dynamic-network-architectures) without its aliases:
//   encoder.stem.convs.0.{conv,norm}.*
//   encoder.stages.S.blocks.K.{conv1,conv2}.{conv,norm}.*   S = 0 is full resolution
//   encoder.stages.S.blocks.0.skip.{0,1}.{conv.weight,norm.*}   the number is 1 after a pooling
//   decoder.{stages,transpconvs,seg_layers}.*   as PlainConvUNet's
#pragma once

#include <memory>

#include "trainer/models/unet_blocks.h"

namespace consilium::trainer {

class ResidualEncoderUNetImpl final : public EncoderDecoder {
 public:
  // `options` must pass CheckOptions().  Weights are He-normal from `seed` (initialization.h), in f32 on the CPU.
  ResidualEncoderUNetImpl(UNetOptions options, std::uint64_t seed);
  std::vector<torch::Tensor> forward(torch::Tensor x) override;

 private:
  class Block;
  class Stage;
  class Encoder;
  std::shared_ptr<Encoder> encoder_;
};
TORCH_MODULE(ResidualEncoderUNet);

}  // namespace consilium::trainer
