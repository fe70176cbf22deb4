#include "trainer/models/plain_conv_unet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trainer/models/parameters.h"
#include "trainer/models/registry.h"
#include "trainer/models/torch_guard.h"

namespace consilium::trainer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Sizes = std::vector<std::int64_t>;

// As upstream's module names them (MIC-DKFZ/dynamic-network-architectures, PlainConvUNet of 4 stages), without the
// aliases all_modules.* and decoder.encoder.*; sorted.
const char* const kUpstreamNames[] = {
    "decoder.seg_layers.0.bias",
    "decoder.seg_layers.0.weight",
    "decoder.seg_layers.1.bias",
    "decoder.seg_layers.1.weight",
    "decoder.seg_layers.2.bias",
    "decoder.seg_layers.2.weight",
    "decoder.stages.0.convs.0.conv.bias",
    "decoder.stages.0.convs.0.conv.weight",
    "decoder.stages.0.convs.0.norm.bias",
    "decoder.stages.0.convs.0.norm.weight",
    "decoder.stages.0.convs.1.conv.bias",
    "decoder.stages.0.convs.1.conv.weight",
    "decoder.stages.0.convs.1.norm.bias",
    "decoder.stages.0.convs.1.norm.weight",
    "decoder.stages.1.convs.0.conv.bias",
    "decoder.stages.1.convs.0.conv.weight",
    "decoder.stages.1.convs.0.norm.bias",
    "decoder.stages.1.convs.0.norm.weight",
    "decoder.stages.1.convs.1.conv.bias",
    "decoder.stages.1.convs.1.conv.weight",
    "decoder.stages.1.convs.1.norm.bias",
    "decoder.stages.1.convs.1.norm.weight",
    "decoder.stages.2.convs.0.conv.bias",
    "decoder.stages.2.convs.0.conv.weight",
    "decoder.stages.2.convs.0.norm.bias",
    "decoder.stages.2.convs.0.norm.weight",
    "decoder.stages.2.convs.1.conv.bias",
    "decoder.stages.2.convs.1.conv.weight",
    "decoder.stages.2.convs.1.norm.bias",
    "decoder.stages.2.convs.1.norm.weight",
    "decoder.transpconvs.0.bias",
    "decoder.transpconvs.0.weight",
    "decoder.transpconvs.1.bias",
    "decoder.transpconvs.1.weight",
    "decoder.transpconvs.2.bias",
    "decoder.transpconvs.2.weight",
    "encoder.stages.0.0.convs.0.conv.bias",
    "encoder.stages.0.0.convs.0.conv.weight",
    "encoder.stages.0.0.convs.0.norm.bias",
    "encoder.stages.0.0.convs.0.norm.weight",
    "encoder.stages.0.0.convs.1.conv.bias",
    "encoder.stages.0.0.convs.1.conv.weight",
    "encoder.stages.0.0.convs.1.norm.bias",
    "encoder.stages.0.0.convs.1.norm.weight",
    "encoder.stages.1.0.convs.0.conv.bias",
    "encoder.stages.1.0.convs.0.conv.weight",
    "encoder.stages.1.0.convs.0.norm.bias",
    "encoder.stages.1.0.convs.0.norm.weight",
    "encoder.stages.1.0.convs.1.conv.bias",
    "encoder.stages.1.0.convs.1.conv.weight",
    "encoder.stages.1.0.convs.1.norm.bias",
    "encoder.stages.1.0.convs.1.norm.weight",
    "encoder.stages.2.0.convs.0.conv.bias",
    "encoder.stages.2.0.convs.0.conv.weight",
    "encoder.stages.2.0.convs.0.norm.bias",
    "encoder.stages.2.0.convs.0.norm.weight",
    "encoder.stages.2.0.convs.1.conv.bias",
    "encoder.stages.2.0.convs.1.conv.weight",
    "encoder.stages.2.0.convs.1.norm.bias",
    "encoder.stages.2.0.convs.1.norm.weight",
    "encoder.stages.3.0.convs.0.conv.bias",
    "encoder.stages.3.0.convs.0.conv.weight",
    "encoder.stages.3.0.convs.0.norm.bias",
    "encoder.stages.3.0.convs.0.norm.weight",
    "encoder.stages.3.0.convs.1.conv.bias",
    "encoder.stages.3.0.convs.1.conv.weight",
    "encoder.stages.3.0.convs.1.norm.bias",
    "encoder.stages.3.0.convs.1.norm.weight",
};

UNetOptions Options3d(std::int64_t base_features) {
  return {.channels_in = 1,
          .classes = 3,
          .strides = {{1, 1, 1}, {2, 2, 2}, {2, 2, 2}, {2, 2, 2}},
          .kernels = {{3, 3, 3}, {3, 3, 3}, {3, 3, 3}, {3, 3, 3}},
          .base_features = base_features};
}

std::vector<Sizes> ShapesOf(const std::vector<torch::Tensor>& tensors) {
  std::vector<Sizes> shapes;
  for (const torch::Tensor& tensor : tensors) shapes.push_back(tensor.sizes().vec());
  return shapes;
}

TEST(PlainConvUNetTest, TensorNamesEqualUpstreamsWithoutAliases) {
  const PlainConvUNet network(Options3d(2), /*seed=*/1);
  std::vector<std::string> names;
  const tensor::Schema schema = SchemaOf(*network);
  for (const tensor::TensorSpec& spec : schema.tensors()) names.push_back(spec.name);
  EXPECT_THAT(names, ::testing::ElementsAreArray(kUpstreamNames));
}

TEST(PlainConvUNetTest, HippocampusNetworkHasAsManyParametersAsUpstreams) {
  // Features 32, 64, 128, 256; a block has out x in x 27 + out + 2 out.
  //   encoder        896+64 27648+32+64 | 55296+.. ...              3 515 040
  //   transposed     in x out x 8 + out                               344 288
  //   decoder blocks 2 out -> out, out -> out                       1 743 168
  //   heads          3 x features + 3                                     681
  const PlainConvUNet network(Options3d(32), /*seed=*/1);
  EXPECT_EQ(SchemaOf(*network).elements(), 5603177);
}

TEST(PlainConvUNetTest, ThreeDimensionalOutputsRunFromFullResolutionDownwards) {
  PlainConvUNet network(Options3d(2), /*seed=*/1);
  EXPECT_EQ(network->heads(), 3);
  EXPECT_EQ(network->divisor(), (Sizes{8, 8, 8}));
  EXPECT_THAT(ShapesOf(network->forward(torch::zeros({2, 1, 8, 16, 24}))),
              ElementsAre(Sizes{2, 3, 8, 16, 24}, Sizes{2, 3, 4, 8, 12}, Sizes{2, 3, 2, 4, 6}));
}

TEST(PlainConvUNetTest, TwoDimensionalAnisotropicNetworkKeepsTheInputsEdges) {
  PlainConvUNet network(UNetOptions{.channels_in = 3,
                                    .classes = 2,
                                    .strides = {{1, 1}, {1, 2}, {2, 2}},
                                    .kernels = {{1, 3}, {1, 3}, {3, 3}},
                                    .base_features = 4,
                                    .features_max = 8},
                        /*seed=*/1);
  EXPECT_EQ(network->divisor(), (Sizes{2, 4}));
  EXPECT_THAT(ShapesOf(network->forward(torch::zeros({1, 3, 6, 8}))),
              ElementsAre(Sizes{1, 2, 6, 8}, Sizes{1, 2, 6, 4}));
  // Features 4, 8, 8 (capped), so the bottleneck's first convolution is 8 x 8 x 3 x 3.
  EXPECT_EQ(network->named_parameters()["encoder.stages.2.0.convs.0.conv.weight"].sizes().vec(), (Sizes{8, 8, 3, 3}));
}

TEST(PlainConvUNetTest, OnlyTheFinestOutputIsComputedInEvalModeOrWithoutDeepSupervision) {
  PlainConvUNet network(Options3d(2), /*seed=*/1);
  const torch::Tensor x = torch::rand({1, 1, 8, 8, 8});
  const torch::Tensor finest = network->forward(x)[0];
  network->eval();
  const std::vector<torch::Tensor> outputs = network->forward(x);
  ASSERT_EQ(outputs.size(), 1U);
  EXPECT_TRUE(torch::equal(outputs[0], finest));

  UNetOptions options = Options3d(2);
  options.deep_supervision = false;
  PlainConvUNet without(options, /*seed=*/1);
  EXPECT_EQ(without->heads(), 1);
  EXPECT_EQ(without->forward(x).size(), 1U);
  // The heads are there all the same, so that weights fit both ways.
  EXPECT_EQ(SchemaOf(*without), SchemaOf(*network));
}

TEST(PlainConvUNetTest, BlockNormalisesEachChannelOfEachSample) {
  // A constant input has no variance, so every norm yields its bias, 0, and the heads theirs: logits are exactly 0.
  PlainConvUNet network(
      UNetOptions{
          .channels_in = 1, .classes = 2, .strides = {{1, 1}, {2, 2}}, .kernels = {{1, 1}, {1, 1}}, .base_features = 2},
      /*seed=*/1);
  EXPECT_LT(network->forward(torch::full({1, 1, 4, 4}, 7.0))[0].abs().max().item<float>(), 1e-5F);
  // A sample's result does not depend on its neighbours in the batch.
  const torch::Tensor pair = torch::rand({2, 1, 4, 4});
  EXPECT_TRUE(torch::allclose(network->forward(pair)[0][1], network->forward(pair.slice(0, 1, 2))[0][0], 1e-5, 1e-6));
}

TEST(InitializationTest, WeightsAreHeNormalAndBiasesZero) {
  const PlainConvUNet network(Options3d(16), /*seed=*/7);
  const auto parameters = network->named_parameters();
  const double gain = 2.0 / (1.0 + 0.01 * 0.01);
  // 64 x 64 x 27 values: the sample variance is within 1 % of N(0, gain / fan_in).
  const torch::Tensor convolution = parameters["encoder.stages.2.0.convs.1.conv.weight"];
  EXPECT_NEAR(convolution.var().item<double>() * (64 * 27) / gain, 1.0, 0.02);
  EXPECT_NEAR(convolution.mean().item<double>(), 0.0, 1e-3);
  // [128, 64, 2, 2, 2]: the fan of a transposed convolution is 64 x 8, its outputs, as upstream has it.
  const torch::Tensor transposed = parameters["decoder.transpconvs.0.weight"];
  EXPECT_EQ(transposed.sizes().vec(), (Sizes{128, 64, 2, 2, 2}));
  EXPECT_NEAR(transposed.var().item<double>() * (64 * 8) / gain, 1.0, 0.02);
  EXPECT_EQ(parameters["decoder.transpconvs.0.bias"].abs().sum().item<float>(), 0.0F);
  EXPECT_TRUE(torch::equal(parameters["encoder.stages.0.0.convs.0.norm.weight"], torch::ones({16})));
}

TEST(InitializationTest, EqualSeedsGiveEqualWeightsWhateverElseIsInTheNetwork) {
  const PlainConvUNet a(Options3d(2), /*seed=*/5), b(Options3d(2), /*seed=*/5), c(Options3d(2), /*seed=*/6);
  EXPECT_EQ(ExportParameters(*a).digest(), ExportParameters(*b).digest());
  EXPECT_NE(ExportParameters(*a).digest(), ExportParameters(*c).digest());
  UNetOptions more_classes = Options3d(2);
  more_classes.classes = 5;
  const PlainConvUNet d(more_classes, /*seed=*/5);
  const std::string name = "decoder.stages.2.convs.1.conv.weight";
  EXPECT_TRUE(torch::equal(a->named_parameters()[name], d->named_parameters()[name]));
}

wire::ModelSpec SpecOf(Sizes patch) {
  wire::ModelSpec spec;
  spec.patch_size = std::move(patch);
  spec.base_features = 2;
  return spec;
}

TEST(RegistryTest, StridesAndKernelsFollowFromThePatch) {
  const StatusOr<wire::ModelSpec> spec = ResolveModel(SpecOf({40, 56, 40}));
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_THAT(spec->strides, ElementsAre(Sizes{1, 1, 1}, Sizes{2, 2, 2}, Sizes{2, 2, 2}, Sizes{2, 2, 2}));
  EXPECT_THAT(spec->kernels, ::testing::Each(Sizes{3, 3, 3}));
  EXPECT_EQ(spec->kernels.size(), 4U);
  const auto model = MakeModel(SpecOf({16, 24}), {.channels = 2, .classes = 4}, /*seed=*/1);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->forward(torch::zeros({1, 2, 16, 24}))[0].sizes().vec(), (Sizes{1, 4, 16, 24}));
}

TEST(RegistryTest, WhatCannotBeBuiltIsRefusedWithTheKey) {
  wire::ModelSpec unknown = SpecOf({16, 16});
  unknown.architecture = "plain_unett";
  EXPECT_THAT(ResolveModel(unknown).status().message(), HasSubstr("did you mean 'plain_unet'"));
  EXPECT_THAT(ResolveModel(SpecOf({30, 32, 32})).status().message(), HasSubstr("model.patch_size[0] is 30"));
  EXPECT_THAT(ResolveModel(SpecOf({4, 4})).status().message(), HasSubstr("too small"));
  wire::ModelSpec uneven = SpecOf({16, 16});
  uneven.strides = {{1, 1}, {2}};
  EXPECT_THAT(ResolveModel(uneven).status().message(), HasSubstr("model.strides"));
  uneven.strides = {{2, 2}, {2, 2}};
  EXPECT_THAT(ResolveModel(uneven).status().message(), HasSubstr("model.strides[0] must be 1"));
  for (const auto& spec : {unknown, uneven}) EXPECT_EQ(ResolveModel(spec).code(), StatusCode::kInvalidArgument);
}

TEST(TorchGuardTest, TorchsExceptionsBecomeStatuses) {
  const Status shapes = GuardTorch("adding", [] { (void)(torch::zeros({2}) + torch::zeros({3})); });
  EXPECT_EQ(shapes.code(), StatusCode::kFailed);
  EXPECT_THAT(shapes.message(), HasSubstr("adding: The size of tensor a (2)"));
  EXPECT_THAT(shapes.message(), ::testing::Not(HasSubstr("\n")));

  const StatusOr<torch::Tensor> huge = GuardTorch("allocating", [] { return torch::empty({1L << 50}); });
  EXPECT_EQ(huge.code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(huge.status().message(), HasSubstr("smaller train.batch_size"));

  const StatusOr<int> own = GuardTorch("own", []() -> StatusOr<int> { return NotFound("x"); });
  EXPECT_EQ(own.code(), StatusCode::kNotFound);
  EXPECT_EQ(GuardTorch("value", [] { return 3; }).value(), 3);
}

}  // namespace
}  // namespace consilium::trainer
