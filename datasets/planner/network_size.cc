#include "datasets/planner/network_size.h"

#include <algorithm>

namespace consilium::datasets {
namespace {

constexpr std::int64_t kBaseFeatures = 32;

std::int64_t Product(std::span<const std::int64_t> numbers) {
  std::int64_t product = 1;
  for (const std::int64_t number : numbers) product *= number;
  return product;
}

}  // namespace

std::vector<std::int64_t> EncoderBlocks(Encoder encoder, std::size_t stages) {
  if (encoder == Encoder::kPlain) return std::vector<std::int64_t>(stages, 2);
  std::vector<std::int64_t> blocks(stages, 6);
  constexpr std::int64_t kFirst[] = {1, 3, 4};
  std::copy_n(kFirst, std::min(stages, std::size(kFirst)), blocks.begin());
  return blocks;
}

std::vector<std::int64_t> DecoderConvolutions(Encoder encoder, std::size_t stages) {
  return std::vector<std::int64_t>(stages - 1, encoder == Encoder::kPlain ? 2 : 1);
}

std::vector<std::int64_t> FeaturesPerStage(std::size_t stages, std::size_t dimensions) {
  const std::int64_t features_max = dimensions == 2 ? 512 : 320;
  std::vector<std::int64_t> features;
  for (std::size_t stage = 0; stage < stages; ++stage)
    features.push_back(stage < 5 ? std::min(features_max, kBaseFeatures << stage) : features_max);
  return features;
}

std::int64_t FeatureMapValues(Encoder encoder, std::span<const std::int64_t> patch,
                              std::span<const std::vector<std::int64_t>> strides, std::int64_t labels) {
  const std::vector<std::int64_t> features = FeaturesPerStage(strides.size(), patch.size());
  const std::vector<std::int64_t> blocks = EncoderBlocks(encoder, strides.size());
  const std::vector<std::int64_t> decoder = DecoderConvolutions(encoder, strides.size());
  std::vector<std::int64_t> size(patch.begin(), patch.end());
  std::int64_t values = encoder == Encoder::kResidual ? features[0] * Product(size) : 0;  // the stem
  std::int64_t channels = features[0];
  for (std::size_t stage = 0; stage < strides.size(); ++stage) {
    const std::int64_t voxels_before = Product(size);
    for (std::size_t axis = 0; axis < size.size(); ++axis) size[axis] /= strides[stage][axis];
    const std::int64_t map = features[stage] * Product(size);
    if (encoder == Encoder::kPlain) {
      values += blocks[stage] * map;
    } else {
      // A block whose channels or size change has a third map, its shortcut's.
      const bool has_shortcut = channels != features[stage] || voxels_before != Product(size);
      values += (2 * blocks[stage] + (has_shortcut ? 1 : 0)) * map;
    }
    channels = features[stage];
    // The decoder comes back to this size: its convolutions and the transposed one.
    if (stage + 1 < strides.size()) values += (decoder[stage] + 1) * map;
    if (stage == 0 && strides.size() > 1) values += labels * Product(size);
  }
  return values;
}

}  // namespace consilium::datasets
