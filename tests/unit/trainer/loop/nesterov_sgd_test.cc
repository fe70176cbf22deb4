#include "trainer/loop/nesterov_sgd.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>

#include "trainer/loop/pseudo_dice.h"

namespace consilium::trainer {
namespace {

using torch::Tensor;

std::vector<Tensor> Leaves() {
  torch::manual_seed(7);
  return {torch::randn({5, 3, 3, 3}).requires_grad_(), torch::randn({70000}).requires_grad_(),
          torch::randn({1}).requires_grad_()};
}

std::vector<std::pair<std::string, Tensor>> Named(const std::vector<Tensor>& tensors) {
  std::vector<std::pair<std::string, Tensor>> named;
  for (std::size_t i = 0; i < tensors.size(); ++i) named.emplace_back(Concat("t", i), tensors[i]);
  return named;
}

void SetGradients(std::vector<Tensor>& tensors, int step) {
  torch::manual_seed(100 + step);
  for (Tensor& tensor : tensors) tensor.mutable_grad() = torch::randn_like(tensor);
}

tensor::ParameterVector MomentumOf(const NesterovSgd& sgd, const std::vector<Tensor>& tensors) {
  std::vector<tensor::TensorSpec> specs;
  for (std::size_t i = 0; i < tensors.size(); ++i)
    specs.push_back({Concat("t", i), tensor::DType::kF32, tensors[i].sizes().vec()});
  auto momentum = *tensor::ParameterVector::Zeros(
      std::make_shared<const tensor::Schema>(*tensor::Schema::Create(std::move(specs))));
  sgd.ExportMomentum(momentum);
  return momentum;
}

TEST(NesterovSgdTest, TwoStepsOfOneNumberFollowTheFormula) {
  Tensor p = torch::tensor({2.0F}).requires_grad_();
  NesterovSgd sgd({{"p", p}}, {.momentum = 0.5, .weight_decay = 0.25});
  p.mutable_grad() = torch::tensor({3.0F});
  sgd.Step(/*learning_rate=*/0.125, /*scale=*/2);
  // d = 2*3 + 0.25*2 = 6.5; v = 6.5; p = 2 - 0.125 * (6.5 + 0.5*6.5)
  EXPECT_FLOAT_EQ(p.item<float>(), 0.78125F);
  p.mutable_grad() = torch::tensor({-1.0F});
  sgd.Step(0.125, 1);
  // d = -1 + 0.25*0.78125 = -0.8046875; v = 3.25 + d = 2.4453125; p = 0.78125 - 0.125 * (d + 0.5*v)
  EXPECT_FLOAT_EQ(p.item<float>(), 0.72900390625F);
}

TEST(NesterovSgdTest, TwentyStepsEqualTorchsOwnOptimizerWithClipping) {
  std::vector<Tensor> ours = Leaves(), theirs = Leaves();
  NesterovSgd sgd(Named(ours), {.momentum = 0.99, .weight_decay = 3e-5});
  torch::optim::SGD reference(theirs, torch::optim::SGDOptions(0.01).momentum(0.99).weight_decay(3e-5).nesterov(true));
  for (int step = 0; step < 20; ++step) {
    SetGradients(ours, step);
    SetGradients(theirs, step);
    const double norm = sgd.GradientNorm();
    EXPECT_NEAR(norm, torch::nn::utils::clip_grad_norm_(theirs, 12.0), 1e-2);
    EXPECT_GT(norm, 12.0) << "clipping must have something to do";
    sgd.Step(0.01, ClipScale(norm, 12.0));
    reference.step();
  }
  for (std::size_t i = 0; i < ours.size(); ++i)
    EXPECT_LT((ours[i] - theirs[i]).abs().max().item<double>(), 1e-6) << "tensor " << i;
}

TEST(NesterovSgdTest, ClipScaleShrinksLongGradientsOnly) {
  EXPECT_EQ(ClipScale(3.0, 12.0), 1.0);
  EXPECT_NEAR(ClipScale(24.0, 12.0), 0.5, 1e-6);
}

TEST(NesterovSgdTest, TheNumberOfThreadsDoesNotChangeABit) {
  std::vector<Tensor> results[2];
  double norms[2];
  for (const int threads : {1, 2}) {
    at::set_num_threads(threads);
    std::vector<Tensor> leaves = Leaves();
    NesterovSgd sgd(Named(leaves), {});
    for (int step = 0; step < 3; ++step) {
      SetGradients(leaves, step);
      norms[threads - 1] = sgd.GradientNorm();
      sgd.Step(0.01, 0.3);
    }
    results[threads - 1] = leaves;
  }
  at::set_num_threads(1);
  EXPECT_EQ(norms[0], norms[1]);
  for (std::size_t i = 0; i < results[0].size(); ++i) EXPECT_TRUE(torch::equal(results[0][i], results[1][i]));
}

TEST(NesterovSgdTest, MomentumSavedAndLoadedContinuesBitForBit) {
  std::vector<Tensor> straight = Leaves(), first = Leaves();
  NesterovSgd all(Named(straight), {}), before(Named(first), {});
  for (int step = 0; step < 4; ++step) {
    SetGradients(straight, step);
    all.Step(0.01, 1);
  }
  for (int step = 0; step < 2; ++step) {
    SetGradients(first, step);
    before.Step(0.01, 1);
  }
  std::vector<Tensor> second;
  for (const Tensor& tensor : first) second.push_back(tensor.detach().clone().requires_grad_());
  NesterovSgd after(Named(second), {});
  after.ImportMomentum(MomentumOf(before, first));
  for (int step = 2; step < 4; ++step) {
    SetGradients(second, step);
    after.Step(0.01, 1);
  }
  for (std::size_t i = 0; i < straight.size(); ++i) EXPECT_TRUE(torch::equal(straight[i], second[i]));
}

TEST(NesterovSgdTest, AParameterWithoutAGradientStays) {
  std::vector<Tensor> leaves = Leaves();
  const Tensor before = leaves[1].detach().clone();
  NesterovSgd sgd(Named(leaves), {});
  SetGradients(leaves, 0);
  leaves[1].mutable_grad().reset();
  EXPECT_TRUE(std::isfinite(sgd.GradientNorm()));
  sgd.Step(0.1, 1);
  EXPECT_TRUE(torch::equal(before, leaves[1]));
}

TEST(PseudoDiceTest, CountsFollowTheDefinitionAndAbsentClassesAreNotANumber) {
  const Tensor target = torch::tensor({{0, 1, 1, 2, 0, 0}}, torch::kInt64);
  const Tensor predicted = torch::tensor({{0, 1, 2, 2, 1, 0}}, torch::kInt64);
  const Tensor logits = torch::one_hot(predicted, 4).permute({0, 2, 1}).to(torch::kFloat32);  // class 3 is nowhere
  const std::vector<double> dice = PseudoDice(CountOverlap(logits, target));
  ASSERT_EQ(dice.size(), 3u);
  EXPECT_DOUBLE_EQ(dice[0], 0.5);        // TP 1, FP 1, FN 1
  EXPECT_DOUBLE_EQ(dice[1], 2.0 / 3.0);  // TP 1, FP 1, FN 0
  EXPECT_TRUE(std::isnan(dice[2]));
  EXPECT_DOUBLE_EQ(MeanOfDefined(dice), (0.5 + 2.0 / 3.0) / 2);
}

TEST(PseudoDiceTest, TheMovingAverageStartsWithTheFirstValueAndSkipsWhatIsNotANumber) {
  std::optional<double> ema;
  ema = UpdateEma(ema, std::nan(""));
  EXPECT_FALSE(ema.has_value());
  ema = UpdateEma(ema, 0.5);
  EXPECT_DOUBLE_EQ(*ema, 0.5);
  ema = UpdateEma(ema, 1.0);
  EXPECT_DOUBLE_EQ(*ema, 0.55);
  EXPECT_DOUBLE_EQ(*UpdateEma(ema, std::nan("")), 0.55);
}

}  // namespace
}  // namespace consilium::trainer
