#include "trainer/privacy/private_gradient.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace consilium::trainer {
namespace {

constexpr std::int64_t kRecords = 6;

dp::NoiseSource Noise(const char* purpose) { return {SecretBytes(Bytes(32, 9)), purpose}; }

// A small network with a normalisation, records of very different size, and every record's own gradient.
struct Subject {
  Subject() {
    torch::manual_seed(4);
    model = torch::nn::Sequential(torch::nn::Conv2d(1, 3, 3),
                                  torch::nn::InstanceNorm2d(torch::nn::InstanceNorm2dOptions(3).affine(true)),
                                  torch::nn::LeakyReLU(), torch::nn::Flatten(), torch::nn::Linear(3 * 6 * 6, 2));
    records = torch::randn({kRecords, 1, 8, 8});
    targets = torch::tensor({0, 1, 1, 0, 1, 0}, torch::kLong);
  }
  torch::Tensor Loss(std::int64_t record) {
    return torch::nn::functional::cross_entropy(model->forward(records.slice(0, record, record + 1)),
                                                targets.slice(0, record, record + 1)) *
           std::pow(3.0, record - 2);
  }
  // All gradients in one vector.
  torch::Tensor Gradient() {
    std::vector<torch::Tensor> flat;
    for (const torch::Tensor& parameter : model->parameters()) flat.push_back(parameter.grad().flatten());
    return torch::cat(flat).clone();
  }
  torch::Tensor GradientOf(std::int64_t record) {
    model->zero_grad();
    Loss(record).backward();
    return Gradient();
  }

  torch::nn::Sequential model;
  torch::Tensor records, targets;
};

TEST(PrivateGradient, WithoutNoiseItIsTheMeanOfTheClippedGradientsOfTheRecords) {
  Subject subject;
  constexpr double kClip = 0.8, kExpected = 4;
  torch::Tensor expected = torch::zeros_like(subject.GradientOf(0));
  int above = 0;
  for (std::int64_t i = 0; i < kRecords; ++i) {
    const torch::Tensor gradient = subject.GradientOf(i);
    const double norm = gradient.norm().item<double>();
    above += norm > kClip;
    expected += gradient * std::min(1.0, kClip / norm) / kExpected;
  }
  ASSERT_GT(above, 0);
  ASSERT_LT(above, kRecords);
  PrivateGradient gradient(subject.model->parameters(),
                           {.clip = kClip, .noise_multiplier = 0, .expected_records = kExpected});
  for (std::int64_t i = 0; i < kRecords; ++i) ASSERT_TRUE(gradient.Add(subject.Loss(i)).ok());
  EXPECT_EQ(gradient.records(), kRecords);
  EXPECT_EQ(gradient.clipped(), above);
  dp::NoiseSource noise = Noise("none");
  ASSERT_TRUE(gradient.Finish(&noise).ok());
  EXPECT_TRUE(torch::allclose(subject.Gradient(), expected, 1e-5, 1e-7));
  EXPECT_EQ(gradient.records(), 0);
}

TEST(PrivateGradient, NoRecordMovesTheSumByMoreThanTheClip) {
  for (std::int64_t left_out = 0; left_out < kRecords; ++left_out) {
    torch::Tensor sums[2];
    for (const bool with : {false, true}) {
      Subject subject;
      PrivateGradient gradient(subject.model->parameters(),
                               {.clip = 0.25, .noise_multiplier = 1, .expected_records = 1});
      for (std::int64_t i = 0; i < kRecords; ++i) {
        if (i == left_out && !with) continue;
        ASSERT_TRUE(gradient.Add(subject.Loss(i)).ok());
      }
      dp::NoiseSource noise = Noise("the same noise in both");
      ASSERT_TRUE(gradient.Finish(&noise).ok());
      sums[with] = subject.Gradient();
    }
    const double moved = (sums[1] - sums[0]).norm().item<double>();
    EXPECT_LE(moved, 0.25 * (1 + 1e-4)) << left_out;
    EXPECT_GT(moved, 0);
  }
}

TEST(PrivateGradient, AnEmptySampleIsNoisedAndTheNoiseHasTheStatedDeviation) {
  torch::Tensor parameter = torch::zeros({300, 300}, torch::requires_grad());
  PrivateGradient gradient({parameter}, {.clip = 0.5, .noise_multiplier = 3, .expected_records = 6});
  dp::NoiseSource noise = Noise("empty");
  ASSERT_TRUE(gradient.Finish(&noise).ok());
  const double deviation = parameter.grad().std().item<double>();
  EXPECT_NEAR(deviation, 3 * 0.5 / 6, 0.25 * 5 / std::sqrt(2 * 9e4));
}

TEST(PrivateGradient, ARecordWhoseGradientIsNotFiniteAddsNothingAndIsNoError) {
  torch::Tensor parameter = torch::ones({2}, torch::requires_grad());
  PrivateGradient gradient({parameter}, {.clip = 1, .noise_multiplier = 0, .expected_records = 1});
  for (const double broken : {std::nan(""), std::numeric_limits<double>::infinity()})
    ASSERT_TRUE(gradient.Add((parameter * broken).sum()).ok());
  ASSERT_TRUE(gradient.Add((parameter * 0.5).sum()).ok());
  EXPECT_EQ(gradient.not_finite(), 2);
  dp::NoiseSource noise = Noise("finite");
  ASSERT_TRUE(gradient.Finish(&noise).ok());
  EXPECT_TRUE(torch::allclose(parameter.grad(), torch::full({2}, 0.5)));
}

}  // namespace
}  // namespace consilium::trainer
