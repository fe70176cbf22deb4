#include "trainer/models/loss.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "trainer/models/plain_conv_unet.h"

namespace consilium::trainer {
namespace {

using torch::Tensor;

const torch::TensorOptions kDouble = torch::kFloat64;

Tensor RandomLogits(torch::IntArrayRef shape, std::uint64_t seed) {
  torch::manual_seed(seed);
  return torch::randn(shape, kDouble);
}

Tensor RandomTarget(torch::IntArrayRef shape, std::int64_t classes, std::uint64_t seed) {
  torch::manual_seed(seed);
  return torch::randint(classes, shape, torch::kInt64);
}

TEST(LossTest, EqualsAHandComputedExample) {
  // Two classes, two voxels; p(foreground) = 0.8 where it is true, 0.4 where it is not.
  const Tensor p = torch::tensor({{0.2, 0.6}, {0.8, 0.4}}, kDouble);
  const Tensor loss = DiceCrossEntropyLoss(p.log().unsqueeze(0), torch::tensor({{1, 0}}, torch::kInt16), {});
  const double cross_entropy = -(std::log(0.8) + std::log(0.6)) / 2;
  const double dice = (2 * 0.8 + 1e-5) / (0.8 + 0.4 + 1 + 1e-5);
  EXPECT_NEAR(loss.item<double>(), cross_entropy - dice, 1e-12);
}

TEST(LossTest, BatchDiceSumsOverTheBatchBeforeItDivides) {
  // Sample 0 as above; sample 1 has no foreground, and 0.5 predicted in each voxel.
  const Tensor p = torch::tensor({{{0.2, 0.6}, {0.8, 0.4}}, {{0.5, 0.5}, {0.5, 0.5}}}, kDouble);
  const Tensor target = torch::tensor({{1, 0}, {0, 0}}, torch::kInt64);
  const double cross_entropy = -(std::log(0.8) + std::log(0.6) + 2 * std::log(0.5)) / 4;
  const double by_sample = ((1.6 + 1e-5) / (2.2 + 1e-5) + 1e-5 / (1 + 1e-5)) / 2;
  const double by_batch = (1.6 + 1e-5) / (3.2 + 1e-5);
  EXPECT_NEAR(DiceCrossEntropyLoss(p.log(), target, {}).item<double>(), cross_entropy - by_sample, 1e-12);
  EXPECT_NEAR(DiceCrossEntropyLoss(p.log(), target, {.dice_reduction = DiceReduction::kBatch}).item<double>(),
              cross_entropy - by_batch, 1e-12);
}

TEST(LossTest, PerfectPredictionApproachesMinusOne) {
  const Tensor target = RandomTarget({2, 4, 4}, 3, 1);
  const Tensor logits = 100 * torch::one_hot(target, 3).permute({0, 3, 1, 2}).to(torch::kFloat32);
  EXPECT_NEAR(DiceCrossEntropyLoss(logits, target, {}).item<double>(), -1.0, 1e-6);
}

TEST(LossTest, GradientsAgreeWithFiniteDifferences) {
  for (const DiceReduction reduction : {DiceReduction::kSample, DiceReduction::kBatch}) {
    const LossOptions options{.dice_reduction = reduction};
    const Tensor target = RandomTarget({2, 4, 2}, 3, 2);
    const std::vector<Tensor> outputs = {RandomLogits({2, 3, 4, 2}, 3).requires_grad_(),
                                         RandomLogits({2, 3, 2, 1}, 4).requires_grad_(),
                                         RandomLogits({2, 3, 1, 1}, 5).requires_grad_()};
    SegmentationLoss(outputs, target, options).backward();
    const torch::NoGradGuard no_grad;
    for (const Tensor& output : outputs) {
      Tensor flat = output.view({-1});
      for (std::int64_t i = 0; i < flat.numel(); ++i) {
        constexpr double kStep = 1e-5;
        const double value = flat[i].item<double>();
        flat[i] = value + kStep;
        const double above = SegmentationLoss(outputs, target, options).item<double>();
        flat[i] = value - kStep;
        const double below = SegmentationLoss(outputs, target, options).item<double>();
        flat[i] = value;
        EXPECT_NEAR(output.grad().view({-1})[i].item<double>(), (above - below) / (2 * kStep), 1e-8);
      }
    }
  }
}

TEST(LossTest, DeepSupervisionWeightsHalveAndLeaveTheLowestOut) {
  EXPECT_THAT(DeepSupervisionWeights(3), ::testing::ElementsAre(2.0 / 3, 1.0 / 3, 0.0));
  EXPECT_THAT(DeepSupervisionWeights(1), ::testing::ElementsAre(1.0));  // a network of two stages
  EXPECT_THAT(DeepSupervisionWeights(2), ::testing::ElementsAre(1.0, 0.0));
}

TEST(LossTest, DeepSupervisionIsTheWeightedSumOverResolutions) {
  const std::vector<Tensor> outputs = {RandomLogits({1, 3, 8, 4}, 1), RandomLogits({1, 3, 4, 2}, 2),
                                       RandomLogits({1, 3, 2, 1}, 3)};
  const Tensor target = RandomTarget({1, 8, 4}, 3, 4);
  const double expected =
      2.0 / 3 * DiceCrossEntropyLoss(outputs[0], target, {}).item<double>() +
      1.0 / 3 * DiceCrossEntropyLoss(outputs[1], target.slice(1, 1, 8, 2).slice(2, 1, 4, 2), {}).item<double>();
  EXPECT_NEAR(SegmentationLoss(outputs, target, {}).item<double>(), expected, 1e-12);
  EXPECT_NEAR(SegmentationLoss({outputs[0]}, target, {}).item<double>(),
              DiceCrossEntropyLoss(outputs[0], target, {}).item<double>(), 1e-15);
}

TEST(LossTest, TargetsAreDownsampledAsTorchsNearestExact) {
  const Tensor target = RandomTarget({2, 9, 7, 12}, 100, 1);
  for (const std::vector<std::int64_t>& edges :
       {std::vector<std::int64_t>{5, 4, 6}, {3, 7, 3}, {2, 2, 5}, {9, 7, 12}}) {
    const Tensor oracle = torch::nn::functional::interpolate(
                              target.unsqueeze(1).to(torch::kFloat32),
                              torch::nn::functional::InterpolateFuncOptions().size(edges).mode(torch::kNearestExact))
                              .squeeze(1)
                              .to(torch::kInt64);
    EXPECT_TRUE(torch::equal(DownsampleTarget(target, edges), oracle)) << edges;
  }
}

TEST(LossTest, EveryParameterGetsAGradientEvenOfTheHeadThatDoesNotCount) {
  PlainConvUNet network(
      UNetOptions{
          .classes = 3, .strides = {{1, 1}, {2, 2}, {2, 2}}, .kernels = {{3, 3}, {3, 3}, {3, 3}}, .base_features = 2},
      /*seed=*/1);
  SegmentationLoss(network->forward(torch::rand({1, 1, 8, 8})), RandomTarget({1, 8, 8}, 3, 1), {}).backward();
  for (const auto& item : network->named_parameters()) EXPECT_TRUE(item.value().grad().defined()) << item.key();
  EXPECT_EQ(network->named_parameters()["decoder.seg_layers.0.weight"].grad().abs().sum().item<float>(), 0.0F);
  EXPECT_GT(network->named_parameters()["decoder.seg_layers.1.weight"].grad().abs().sum().item<float>(), 0.0F);
}

TEST(LossTest, RanksThatSumTheirOverlapsGetTheGradientOfTheJoinedBatch) {
  const Tensor joined = RandomLogits({4, 3, 3, 3}, 1).requires_grad_();
  const Tensor target = RandomTarget({4, 3, 3}, 3, 2);
  LossOptions options{.dice_reduction = DiceReduction::kBatch};
  const Tensor whole = DiceCrossEntropyLoss(joined, target, options);
  const Tensor expected = torch::autograd::grad({whole}, {joined})[0];

  // Two ranks in one graph: a first pass learns each rank's sums, the second hands every rank the total.
  Tensor total = torch::zeros({3, 2}, kDouble);
  const auto rank_loss = [&](std::int64_t rank) {
    return DiceCrossEntropyLoss(joined.slice(0, 2 * rank, 2 * rank + 2), target.slice(0, 2 * rank, 2 * rank + 2),
                                options);
  };
  options.all_reduce_sum = [&](const Tensor& sums) { return total = total + sums; };
  rank_loss(0), rank_loss(1);
  options.all_reduce_sum = [&](const Tensor&) { return total; };
  const Tensor mean = (rank_loss(0) + rank_loss(1)) / 2;
  EXPECT_NEAR(mean.item<double>(), whole.item<double>(), 1e-12);
  EXPECT_TRUE(torch::allclose(torch::autograd::grad({mean}, {joined})[0], expected, 1e-10, 1e-12));
}

}  // namespace
}  // namespace consilium::trainer
