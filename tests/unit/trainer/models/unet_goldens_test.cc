// Both U-Nets and the loss against an independent reference: unet_reference.py, whose weights are a function of names.
#include <gmock/gmock.h>

#include <cmath>
#include <numeric>

#include "comm/base/json.h"
#include "trainer/models/loss.h"
#include "trainer/models/plain_conv_unet.h"
#include "trainer/models/residual_encoder_unet.h"

namespace consilium::trainer {
namespace {

constexpr char kGoldens[] = CONSILIUM_SOURCE_DIR "/tests/unit/trainer/models/unet_goldens.json";
constexpr std::int64_t kEvery = 5;  // so many values apart are those that were kept

torch::Tensor Wave(const std::string& name, torch::IntArrayRef shape, double scale) {
  const double phase = static_cast<double>(std::accumulate(name.begin(), name.end(), 0) % 1000) / 100;
  std::int64_t count = 1;
  for (const std::int64_t size : shape) count *= size;
  return scale * torch::sin(phase + 0.7 * torch::arange(count, torch::kFloat64)).reshape(shape);
}

std::shared_ptr<SegmentationModel> NetworkOf(const Json& golden) {
  const std::vector<std::int64_t> features = golden["features"], shape = golden["shape"];
  const UNetOptions options{.channels_in = shape[1],
                            .classes = golden["classes"],
                            .strides = golden["strides"],
                            .kernels = golden["kernels"],
                            .base_features = features.front(),
                            .features_max = features.back()};
  EXPECT_EQ(FeaturesOf(options), features);
  if (golden["residual"].get<bool>()) return std::make_shared<ResidualEncoderUNetImpl>(options, /*seed=*/1);
  return std::make_shared<PlainConvUNetImpl>(options, /*seed=*/1);
}

void Fill(SegmentationModel& network) {
  const torch::NoGradGuard no_grad;
  network.to(torch::kFloat64);
  for (auto& parameter : network.named_parameters()) {
    const bool is_scale = parameter.key().ends_with("norm.weight");
    parameter.value().copy_((is_scale ? 1.0 : 0.0) + Wave(parameter.key(), parameter.value().sizes(), 0.3));
  }
}

torch::Tensor TargetOf(const Json& golden) {
  std::vector<std::int64_t> shape = golden["shape"];
  shape.erase(shape.begin() + 1);
  const std::int64_t count = std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
  const auto numbers = torch::floor_divide(torch::arange(count, torch::kInt64) * 7, 5);
  return torch::remainder(numbers, golden["classes"].get<std::int64_t>()).reshape(shape);
}

class UNetGoldens : public ::testing::Test {
 protected:
  UNetGoldens() : goldens_(ReadJson(kGoldens).value()) {}
  Json goldens_;
};

TEST_F(UNetGoldens, OutputsOfEveryResolutionEqualTheReferences) {
  ASSERT_EQ(goldens_.size(), 6U);
  for (const Json& golden : goldens_) {
    const std::shared_ptr<SegmentationModel> network = NetworkOf(golden);
    Fill(*network);
    std::int64_t parameters = 0;
    for (const torch::Tensor& parameter : network->parameters()) parameters += parameter.numel();
    EXPECT_EQ(parameters, golden["parameters"]) << golden["name"];
    const std::vector<std::int64_t> shape = golden["shape"];
    const auto outputs = network->forward(Wave(golden["name"], shape, 1.0));
    ASSERT_EQ(outputs.size(), golden["outputs"].size()) << golden["name"];
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const std::vector<double> kept = golden["outputs"][i];
      const torch::Tensor expected = torch::tensor(kept, torch::kFloat64);
      const torch::Tensor found = outputs[i].detach().flatten().slice(0, 0, c10::nullopt, kEvery);
      ASSERT_EQ(found.numel(), expected.numel()) << golden["name"];
      EXPECT_LT((found - expected).abs().max().item<double>(), 1e-6) << golden["name"] << ", output " << i;
    }
  }
}

TEST_F(UNetGoldens, TheLossEqualsTheReferences) {
  for (const Json& golden : goldens_) {
    const std::shared_ptr<SegmentationModel> network = NetworkOf(golden);
    Fill(*network);
    const std::vector<std::int64_t> shape = golden["shape"];
    const auto outputs = network->forward(Wave(golden["name"], shape, 1.0));
    for (const auto& [key, reduction] :
         {std::pair{"loss", DiceReduction::kSample}, {"loss_batch_dice", DiceReduction::kBatch}}) {
      const torch::Tensor loss = SegmentationLoss(outputs, TargetOf(golden), {.dice_reduction = reduction});
      EXPECT_NEAR(loss.item<double>(), golden[key].get<double>(), 1e-9) << golden["name"] << ", " << key;
    }
  }
}

// Upstream starts every block as its skip, so that deep encoders train from the first step.
TEST(ResidualEncoderUNetTest, ABlockStartsAsItsSkip) {
  ResidualEncoderUNet network(
      UNetOptions{
          .channels_in = 1, .classes = 2, .strides = {{1, 1}, {2, 2}}, .kernels = {{3, 3}, {3, 3}}, .base_features = 4},
      /*seed=*/3);
  const auto parameters = network->named_parameters();
  for (const char* name : {"encoder.stages.0.blocks.0.conv2.norm.weight", "encoder.stages.1.blocks.2.conv2.norm.bias"})
    EXPECT_EQ(parameters[name].abs().sum().item<float>(), 0) << name;
  EXPECT_TRUE(torch::equal(parameters["encoder.stages.1.blocks.0.skip.1.norm.weight"], torch::ones({8})));
  EXPECT_TRUE(parameters.contains("encoder.stem.convs.0.conv.bias"));
  EXPECT_FALSE(parameters.contains("encoder.stages.1.blocks.0.skip.1.conv.bias"));
  EXPECT_FALSE(parameters.contains("encoder.stages.0.blocks.0.skip.0.conv.weight")) << "as many channels as before";
}

}  // namespace
}  // namespace consilium::trainer
