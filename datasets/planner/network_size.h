// nnU-Net's proxy for the memory that a U-Net takes in training: the number of values that its convolutions put out for
// a batch of one.  It ignores input channels, kernel sizes and bytes; plans are calibrated against it, not against
// bytes.
//
// Source: compute_conv_feature_map_size of dynamic-network-architectures, without deep supervision.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace consilium::datasets {

enum class Encoder {
  kPlain,     // PlainConvUNet: two convolutions a stage
  kResidual,  // ResidualEncoderUNet: a stem, then 1, 3, 4, 6, 6, ... blocks of two convolutions; one in the decoder
};

// What the two encoders differ in: blocks or convolutions a stage.
std::vector<std::int64_t> EncoderBlocks(Encoder encoder, std::size_t stages);
std::vector<std::int64_t> DecoderConvolutions(Encoder encoder, std::size_t stages);  // stages - 1 entries

// Channels of each stage: 32 doubled a stage, at most 512 in 2D and 320 in 3D.
std::vector<std::int64_t> FeaturesPerStage(std::size_t stages, std::size_t dimensions);

// `strides`: one entry a stage, as in Topology.  `labels`: entries of dataset.json's labels, background included.
std::int64_t FeatureMapValues(Encoder encoder, std::span<const std::int64_t> patch,
                              std::span<const std::vector<std::int64_t>> strides, std::int64_t labels);

}  // namespace consilium::datasets
