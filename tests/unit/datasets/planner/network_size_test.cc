#include "datasets/planner/network_size.h"

#include <gtest/gtest.h>

namespace consilium::datasets {
namespace {

using Numbers = std::vector<std::int64_t>;
using Stages = std::vector<Numbers>;

Stages Halving(std::size_t stages, std::size_t dimensions) {
  Stages strides(stages, Numbers(dimensions, 2));
  strides[0] = Numbers(dimensions, 1);
  return strides;
}

// Counted by nnU-Net's own networks for these patches.
TEST(NetworkSizeTest, EqualsTheCountsOfNnunetsNetworks) {
  EXPECT_EQ(FeatureMapValues(Encoder::kPlain, Numbers{128, 128, 128}, Halving(6, 3), 3), 452796416);
  EXPECT_EQ(FeatureMapValues(Encoder::kPlain, Numbers{512, 512}, Halving(8, 2), 2), 82624512);
  EXPECT_EQ(FeatureMapValues(Encoder::kResidual, Numbers{128, 128, 128}, Halving(6, 3), 3), 557420544);
  EXPECT_EQ(FeatureMapValues(Encoder::kResidual, Numbers{512, 512}, Halving(7, 2), 3), 129531904);
}

TEST(NetworkSizeTest, ChannelsDoubleUpToACapThatDependsOnTheDimensions) {
  EXPECT_EQ(FeaturesPerStage(7, 3), (Numbers{32, 64, 128, 256, 320, 320, 320}));
  EXPECT_EQ(FeaturesPerStage(6, 2), (Numbers{32, 64, 128, 256, 512, 512}));
}

TEST(NetworkSizeTest, ResidualStagesHaveTheirOwnDepths) {
  EXPECT_EQ(EncoderBlocks(Encoder::kResidual, 5), (Numbers{1, 3, 4, 6, 6}));
  EXPECT_EQ(EncoderBlocks(Encoder::kResidual, 2), (Numbers{1, 3}));
  EXPECT_EQ(DecoderConvolutions(Encoder::kResidual, 3), (Numbers{1, 1}));
  EXPECT_EQ(DecoderConvolutions(Encoder::kPlain, 3), (Numbers{2, 2}));
}

}  // namespace
}  // namespace consilium::datasets
