#include "trainer/privacy/layer_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "comm/wire/job.h"
#include "trainer/models/registry.h"

namespace consilium::trainer {
namespace {

using ::testing::HasSubstr;
using torch::nn::Sequential;

TEST(LayerCheck, OurUNetsKeepSamplesApart) {
  for (const std::vector<std::int64_t>& patch : {std::vector<std::int64_t>{16, 16}, {16, 16, 16}}) {
    wire::ModelSpec spec;
    spec.patch_size = patch;
    spec.base_features = 4;
    const auto resolved = ResolveModel(spec);
    ASSERT_TRUE(resolved.ok()) << resolved.status();
    const auto model = MakeModel(*resolved, {.channels = 1, .classes = 2}, /*seed=*/1);
    ASSERT_TRUE(model.ok()) << model.status();
    const Status checked = CheckSamplesStayApart(**model);
    EXPECT_TRUE(checked.ok()) << checked;
    // And it is true: another neighbour in the batch changes nothing.
    std::vector<std::int64_t> shape = {1, 1};
    shape.insert(shape.end(), patch.begin(), patch.end());
    const torch::Tensor one = torch::randn(shape);
    const torch::Tensor beside = (*model)->forward(torch::cat({one, torch::randn(shape)}))[0][0];
    EXPECT_TRUE(
        torch::allclose(beside, (*model)->forward(torch::cat({one, 9 * torch::randn(shape)}))[0][0], 1e-5, 1e-6));
  }
}

TEST(LayerCheck, LayersThatMixSamplesAreRefusedByName) {
  for (const Sequential& model :
       {Sequential(torch::nn::Conv3d(1, 4, 3), torch::nn::BatchNorm3d(4)),
        Sequential(torch::nn::Conv3d(1, 4, 3),
                   torch::nn::InstanceNorm3d(torch::nn::InstanceNorm3dOptions(4).track_running_stats(true)))}) {
    const Status refused = CheckSamplesStayApart(*model);
    EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(refused.message(), HasSubstr("layer 1 ("));
    EXPECT_THAT(refused.message(), HasSubstr("mixes the samples"));
  }
}

class Unknown : public torch::nn::Module {
 public:
  Unknown() { register_parameter("mystery", torch::zeros({3})); }
};

TEST(LayerCheck, ALayerThatNobodyKnowsIsRefused) {
  const Status refused = CheckSamplesStayApart(*std::make_shared<Unknown>());
  EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(refused.message(), HasSubstr("the network itself"));
}

}  // namespace
}  // namespace consilium::trainer
