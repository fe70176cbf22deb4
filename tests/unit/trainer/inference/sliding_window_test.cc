#include "trainer/inference/sliding_window.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "comm/base/rng.h"

namespace consilium::trainer {
namespace {

using torch::Tensor;

datasets::PreparedCase CaseOf(std::int64_t channels, const datasets::Shape3& shape) {
  datasets::PreparedCase prepared;
  prepared.id = "case";
  prepared.channels = channels;
  prepared.shape = prepared.cropped_shape = prepared.original_shape = shape;
  Rng rng(/*seed=*/1);
  for (std::int64_t i = 0; i < channels * datasets::VoxelCount(shape); ++i)
    prepared.image.push_back(static_cast<float>(rng.Normal()));
  return prepared;
}

Tensor ImageOf(const datasets::PreparedCase& prepared) {
  return torch::tensor(prepared.image)
      .view({prepared.channels, prepared.shape[0], prepared.shape[1], prepared.shape[2]});
}

SlidingWindowOptions OptionsFor(std::vector<std::int64_t> patch) {
  SlidingWindowOptions options;
  options.patch_size = std::move(patch);
  return options;
}

struct Layout {
  datasets::Shape3 shape;
  std::vector<std::int64_t> patch;
};

// Larger, smaller and equal edges; slices.
const Layout kLayouts[] = {{{9, 12, 7}, {4, 6, 8}}, {{4, 6, 8}, {4, 6, 8}}, {{3, 5, 2}, {4, 6, 8}},
                           {{3, 9, 5}, {4, 8}},     {{1, 4, 8}, {4, 8}},    {{2, 3, 17}, {6, 4}}};

TEST(SlidingWindowTest, ConstantLogitsCoverEveryVoxel) {
  for (const Layout& layout : kLayouts) {
    const datasets::PreparedCase prepared = CaseOf(1, layout.shape);
    const TilePredictor constant = [&](const Tensor& tiles) {
      std::vector<std::int64_t> sizes = tiles.sizes().vec();
      EXPECT_EQ(std::vector(sizes.begin() + 2, sizes.end()), layout.patch);
      sizes[1] = 3;
      const Tensor classes = torch::tensor({0.5F, -1.0F, 2.0F}).view({3, 1, 1});
      return (sizes.size() == 5 ? classes.unsqueeze(-1) : classes).expand(sizes);
    };
    const StatusOr<Tensor> logits = SlidingWindowLogits(prepared, constant, OptionsFor(layout.patch));
    ASSERT_TRUE(logits.ok()) << logits.status();
    EXPECT_EQ(logits->sizes().vec(), (std::vector<std::int64_t>{3, layout.shape[0], layout.shape[1], layout.shape[2]}));
    const Tensor expected = torch::tensor({0.5F, -1.0F, 2.0F}).view({3, 1, 1, 1}).expand_as(*logits);
    EXPECT_TRUE(torch::allclose(*logits, expected, 1e-5, 1e-6));
    const StatusOr<std::vector<std::int16_t>> labels = LabelsFromLogits(*logits, datasets::GridToSource(prepared));
    ASSERT_TRUE(labels.ok());
    EXPECT_EQ(labels->size(), static_cast<std::size_t>(datasets::VoxelCount(layout.shape)));
    EXPECT_THAT(*labels, ::testing::Each(2));
  }
}

TEST(SlidingWindowTest, NetworkThatRepeatsItsInputGivesTheImageBack) {
  for (const Layout& layout : kLayouts) {
    const datasets::PreparedCase prepared = CaseOf(2, layout.shape);
    SlidingWindowOptions options = OptionsFor(layout.patch);
    for (const std::int64_t tiles_at_once : {1, 3}) {
      options.tiles_at_once = tiles_at_once;
      const StatusOr<Tensor> logits = SlidingWindowLogits(
          prepared, [](const Tensor& tiles) { return tiles; }, options);
      ASSERT_TRUE(logits.ok()) << logits.status();
      EXPECT_TRUE(torch::allclose(*logits, ImageOf(prepared), 1e-5, 1e-5));
    }
  }
}

TEST(SlidingWindowTest, MirroringAveragesOverAllFlipsOfTheChosenAxes) {
  const datasets::PreparedCase prepared = CaseOf(1, {4, 6, 8});
  SlidingWindowOptions options = OptionsFor({4, 6, 8});
  options.mirror_axes = {0, 2};
  int calls = 0;
  // Adds a ramp along each axis: its mirror images cancel along axes 0 and 2 alone.
  const Tensor z = torch::arange(4.0).view({4, 1, 1}), y = torch::arange(6.0).view({6, 1}), x = torch::arange(8.0);
  const StatusOr<Tensor> logits = SlidingWindowLogits(
      prepared, [&](const Tensor& tiles) { return ++calls, tiles + z + y + x; }, options);
  ASSERT_TRUE(logits.ok()) << logits.status();
  EXPECT_EQ(calls, 4);
  EXPECT_TRUE(torch::allclose(*logits, ImageOf(prepared) + 1.5 + y + 3.5, 1e-5, 1e-5));
}

TEST(SlidingWindowTest, OverlappingTilesAreWeightedTowardsTheirMiddles) {
  // Two tiles of 4 on an edge of 6; tile t predicts t.  Voxel 2 is the middle of tile 0 and the start of tile 1.
  const datasets::PreparedCase prepared = CaseOf(1, {1, 1, 6});
  SlidingWindowOptions options = OptionsFor({1, 4});
  options.tiles_at_once = 1;
  float tile = 0;
  const StatusOr<Tensor> logits = SlidingWindowLogits(
      prepared, [&](const Tensor& tiles) { return torch::full_like(tiles, tile++); }, options);
  ASSERT_TRUE(logits.ok());
  // exp(-d^2 / (2 / 4)) at distances 0 and 2, 1 and 1.
  const double far = std::exp(-8.0);
  EXPECT_NEAR((*logits)[0][0][0][2].item<double>(), far / (1 + far), 1e-6);
  EXPECT_NEAR((*logits)[0][0][0][3].item<double>(), 0.5, 1e-6);
  EXPECT_NEAR((*logits)[0][0][0][5].item<double>(), 1.0, 1e-6);
}

TEST(SlidingWindowTest, DivergedNetworkIsAnErrorWithTheCase) {
  const StatusOr<Tensor> logits = SlidingWindowLogits(
      CaseOf(1, {2, 2, 2}),
      [](const Tensor& tiles) { return torch::full_like(tiles, std::numeric_limits<float>::quiet_NaN()); },
      OptionsFor({2, 2, 2}));
  EXPECT_EQ(logits.code(), StatusCode::kFailed);
  EXPECT_THAT(logits.status().message(), ::testing::HasSubstr("predicting case case"));
}

TEST(SlidingWindowTest, FirstOfEqualLogitsIsChosen) {
  EXPECT_THAT(LabelsFromLogits(torch::zeros({3, 1, 1, 2}), {.from = {1, 1, 2}, .to = {1, 1, 2}}).value(),
              ::testing::ElementsAre(0, 0));
}

}  // namespace
}  // namespace consilium::trainer
