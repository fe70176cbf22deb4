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

// All slabs: [K, z, y, x].
StatusOr<Tensor> SlidingWindowLogits(const datasets::PreparedCase& prepared, const TilePredictor& predict,
                                     const SlidingWindowOptions& options) {
  std::vector<Tensor> slabs;
  RETURN_IF_ERROR(ForEachLogitSlab(prepared, predict, options, [&](const Tensor& slab) {
    slabs.push_back(slab);
    return Status();
  }));
  return torch::cat(slabs, 1);
}

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
    const StatusOr<std::vector<std::int16_t>> labels = PredictLabels(prepared, constant, OptionsFor(layout.patch));
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
  const TilePredictor zeros = [](const Tensor& tiles) { return torch::zeros({tiles.size(0), 3, 1, 2, 2}); };
  EXPECT_THAT(PredictLabels(CaseOf(1, {1, 2, 2}), zeros, OptionsFor({1, 2, 2})).value(), ::testing::Each(0));
}

// Of three classes, made of the image so that every tile has something else to say.
Tensor Opinion(const Tensor& tiles) { return torch::cat({tiles, tiles.flip({2}), 0.5 - tiles.square()}, 1); }

TEST(SlidingWindowTest, LittleMemoryChangesNothingButHowManySlicesComeAtATime) {
  for (const Layout& layout :
       {Layout{{23, 9, 11}, {4, 6, 8}}, Layout{{9, 5, 7}, {4, 6}}, Layout{{2, 9, 5}, {4, 6, 4}}}) {
    const datasets::PreparedCase prepared = CaseOf(1, layout.shape);
    SlidingWindowOptions options = OptionsFor(layout.patch);
    for (const std::int64_t tiles_at_once : {1, 3}) {
      options.tiles_at_once = tiles_at_once;
      options.buffer_bytes = std::int64_t{1} << 30;
      const Tensor whole = SlidingWindowLogits(prepared, Opinion, options).value();
      const std::vector<std::int16_t> labels = PredictLabels(prepared, Opinion, options).value();
      options.buffer_bytes = 0;
      EXPECT_TRUE(torch::equal(SlidingWindowLogits(prepared, Opinion, options).value(), whole));
      EXPECT_EQ(PredictLabels(prepared, Opinion, options).value(), labels);
      std::int64_t slabs = 0;
      ASSERT_TRUE(ForEachLogitSlab(prepared, Opinion, options, [&](const Tensor&) { return ++slabs, Status(); }).ok());
      if (layout.shape[0] > 20 && tiles_at_once == 1) {
        EXPECT_GE(slabs, 4);
      }
    }
  }
}

TEST(SlidingWindowTest, LogitsAndNotLabelsAreTakenToTheGridOfTheScan) {
  datasets::PreparedCase prepared = CaseOf(1, {12, 9, 10});
  prepared.cropped_shape = {18, 7, 15};
  prepared.geometry.spacing = {12.0 / 18, 9.0 / 7, 10.0 / 15};
  SlidingWindowOptions options = OptionsFor({4, 6, 8});
  options.tiles_at_once = 1;
  const Tensor logits = SlidingWindowLogits(prepared, Opinion, options).value();
  const Tensor expected =
      torch::upsample_trilinear3d(logits.unsqueeze(0), {18, 7, 15}, /*align_corners=*/false)[0].argmax(0).flatten();
  for (const std::int64_t buffer_bytes : {std::int64_t{0}, std::int64_t{1} << 30}) {
    options.buffer_bytes = buffer_bytes;
    const std::vector<std::int16_t> labels = PredictLabels(prepared, Opinion, options).value();
    const Tensor found = torch::tensor(std::vector<std::int64_t>(labels.begin(), labels.end()));
    EXPECT_LE(found.ne(expected).sum().item<std::int64_t>(), 2) << "but for near ties";
  }
}

TEST(SlidingWindowTest, WhatTheConsumerSaysEndsThePrediction) {
  const datasets::PreparedCase prepared = CaseOf(1, {4, 6, 8});
  const Status status =
      ForEachLogitSlab(prepared, Opinion, OptionsFor({4, 6, 8}), [](const Tensor&) { return Cancelled("no more"); });
  EXPECT_EQ(status.code(), StatusCode::kCancelled);
}

}  // namespace
}  // namespace consilium::trainer
