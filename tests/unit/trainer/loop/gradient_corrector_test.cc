#include "trainer/loop/gradient_corrector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trainer/loop/nesterov_sgd.h"

namespace consilium::trainer {
namespace {

using ::testing::HasSubstr;

tensor::ParameterVector Vector(const std::string& name, const torch::Tensor& values) {
  auto schema = tensor::Schema::Create({{name, tensor::DType::kF32, values.sizes().vec()}});
  auto vector = tensor::ParameterVector::Zeros(std::make_shared<const tensor::Schema>(*schema));
  const torch::Tensor flat = values.detach().contiguous();
  std::copy_n(flat.data_ptr<float>(), flat.numel(), vector->values().begin());
  return *vector;
}

class GradientCorrectorTest : public ::testing::Test {
 protected:
  GradientCorrectorTest() {
    torch::manual_seed(7);
    for (torch::Tensor* parameter : {&w_, &b_}) {
      *parameter = torch::randn({2, 3}).requires_grad_(true);
      parameter->mutable_grad() = torch::randn({2, 3});
    }
  }
  torch::Tensor w_, b_;
};

TEST_F(GradientCorrectorTest, PullAndShiftAreAddedWhereTheyAreGivenAndNowhereElse) {
  const torch::Tensor anchor = torch::randn({2, 3}), shift = torch::randn({2, 3});
  const torch::Tensor of_w = w_.grad().clone(), of_b = b_.grad().clone();
  GradientCorrector corrector({{"w", w_}, {"b", b_}});
  GradientCorrection correction;
  correction.pull = 0.25;
  correction.anchor = Vector("w", anchor);
  correction.shift = Vector("b", shift);
  ASSERT_TRUE(corrector.Set(std::move(correction)).ok());
  corrector.Apply();
  EXPECT_TRUE(torch::allclose(w_.grad(), of_w + 0.25 * (w_.detach() - anchor), 1e-6, 1e-6));
  EXPECT_TRUE(torch::equal(b_.grad(), of_b + shift));
}

TEST_F(GradientCorrectorTest, WithoutACorrectionNoBitChangesNotEvenOfANegativeZero) {
  w_.mutable_grad() = torch::full({2, 3}, -0.0F);
  GradientCorrection nothing, no_pull;
  no_pull.anchor = Vector("w", torch::zeros({2, 3}));
  no_pull.record = nothing.record = GradientCorrection::Record::kMeanGradient;
  for (GradientCorrection* correction : {&nothing, &no_pull}) {
    GradientCorrector corrector({{"w", w_}});
    corrector.Apply();
    ASSERT_TRUE(corrector.Set(*correction).ok());
    corrector.Apply();
    EXPECT_TRUE(torch::signbit(w_.grad()).all().item<bool>());
  }
}

TEST_F(GradientCorrectorTest, TheMeanGradientIsOfWhatCameBeforeTheCorrectionAndStartsAnewWhenSet) {
  GradientCorrector corrector({{"w", w_}, {"b", b_}});
  GradientCorrection correction;
  correction.shift = Vector("w", torch::ones({2, 3}));
  correction.record = GradientCorrection::Record::kMeanGradient;
  for (int round = 0; round < 2; ++round) {
    ASSERT_TRUE(corrector.Set(correction).ok());
    EXPECT_THAT(corrector.MeanGradient().values(), ::testing::Each(0.0F)) << "no step yet";
    for (const float value : {1.0F, 2.0F, 6.0F}) {
      w_.mutable_grad() = torch::full({2, 3}, value);
      b_.mutable_grad() = torch::Tensor();
      corrector.Apply();
    }
    const tensor::ParameterVector mean = corrector.MeanGradient();  // schema order: b, w
    for (const float value : mean.tensor(0)) EXPECT_EQ(value, 0);
    for (const float value : mean.tensor(1)) EXPECT_EQ(value, 3);
  }
}

TEST_F(GradientCorrectorTest, ATensorThatIsNotTrainedIsNamedAndTheOldCorrectionStays) {
  GradientCorrector corrector({{"w", w_}});
  GradientCorrection good, unknown, misshapen;
  good.shift = Vector("w", torch::ones({2, 3}));
  unknown.shift = Vector("v", torch::ones({2, 3}));
  misshapen.pull = 1;
  misshapen.anchor = Vector("w", torch::ones({3, 2}));
  ASSERT_TRUE(corrector.Set(good).ok());
  EXPECT_THAT(corrector.Set(unknown).message(), HasSubstr("'v'"));
  EXPECT_THAT(corrector.Set(misshapen).message(), HasSubstr("'w'"));
  const torch::Tensor before = w_.grad().clone();
  corrector.Apply();
  EXPECT_TRUE(torch::equal(w_.grad(), before + 1));
}

// FedProx on a linear layer, against automatic differentiation of the loss with the proximal term in it.
TEST_F(GradientCorrectorTest, ThePullIsTheGradientOfHalfThePullTimesTheSquaredDistance) {
  constexpr double kMu = 0.3, kRate = 0.1;
  const torch::Tensor x = torch::randn({8, 3}), y = torch::randn({8, 2}), received = w_.detach().clone();
  torch::Tensor corrected = received.clone().requires_grad_(true), naive = received.clone().requires_grad_(true);
  GradientCorrector corrector({{"w", corrected}});
  GradientCorrection correction;
  correction.pull = kMu;
  correction.anchor = Vector("w", received);
  ASSERT_TRUE(corrector.Set(std::move(correction)).ok());
  NesterovSgd sgd({{"w", corrected}}, {.momentum = 0.9, .weight_decay = 1e-3});
  torch::optim::SGD reference({naive}, torch::optim::SGDOptions(kRate).momentum(0.9).weight_decay(1e-3).nesterov(true));
  for (int step = 0; step < 3; ++step) {
    corrected.mutable_grad() = torch::Tensor();
    torch::mse_loss(torch::matmul(x, corrected.t()), y).backward();
    corrector.Apply();
    sgd.Step(kRate, 1);
    naive.mutable_grad() = torch::Tensor();
    (torch::mse_loss(torch::matmul(x, naive.t()), y) + kMu / 2 * (naive - received).square().sum()).backward();
    reference.step();
  }
  EXPECT_TRUE(torch::allclose(corrected, naive, 1e-5, 1e-6));
  EXPECT_FALSE(torch::allclose(corrected, received));
}

}  // namespace
}  // namespace consilium::trainer
