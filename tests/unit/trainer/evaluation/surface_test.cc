#include "trainer/evaluation/surface.h"

#include <gmock/gmock.h>

#include <cmath>

namespace consilium::trainer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A cube of 4 voxels an edge in a volume of 12, its first voxel at `begin` along z.
datasets::LabelMap CubeAt(std::int64_t begin, std::int16_t label, const datasets::Spacing3& spacing = {1, 1, 1}) {
  datasets::LabelMap map{.shape = {12, 12, 12}, .labels = {}, .geometry = {.spacing = spacing}};
  for (std::int64_t z = 0; z < 12; ++z)
    for (std::int64_t y = 0; y < 12; ++y)
      for (std::int64_t x = 0; x < 12; ++x)
        map.labels.push_back(z >= begin && z < begin + 4 && y >= 4 && y < 8 && x >= 4 && x < 8 ? label : 0);
  return map;
}

SurfaceDistances Measure(const datasets::LabelMap& prediction, const datasets::LabelMap& reference) {
  return MeasureSurfaces(prediction, reference, std::vector<std::int16_t>{1}).value()[0];
}

TEST(SurfaceTest, EqualSegmentationsAreNowhereApart) {
  const SurfaceDistances distances = Measure(CubeAt(2, 1), CubeAt(2, 1));
  EXPECT_EQ(distances.to_reference.size(), 64U - 8U) << "a cube of 4 has 8 voxels inside";
  EXPECT_EQ(distances.Hausdorff95(), 0);
  EXPECT_EQ(distances.SurfaceDice(0), 1);
}

// The last layer of 16 voxels lies `shift` beyond the other cube, 16 of 56 border voxels: more than 5 %.
TEST(SurfaceTest, AShiftedCubeIsAsFarAsItWasShiftedInMillimetres) {
  for (const double thickness : {1.0, 2.5}) {
    const SurfaceDistances distances = Measure(CubeAt(5, 1, {thickness, 1, 1}), CubeAt(2, 1, {thickness, 1, 1}));
    EXPECT_NEAR(distances.Hausdorff95(), 3 * thickness, 1e-12);
    EXPECT_EQ(distances.SurfaceDice(3 * thickness), 1);
    EXPECT_LT(distances.SurfaceDice(2.9 * thickness), 1);
    EXPECT_GT(distances.SurfaceDice(0), 0) << "the sides of the layer that both have";
  }
}

TEST(SurfaceTest, ThePercentileLiesBetweenTheTwoNearestDistances) {
  SurfaceDistances distances;
  for (int i = 0; i < 11; ++i) distances.to_reference.push_back(10 - i);
  for (int i = 0; i < 10; ++i) distances.to_prediction.push_back(11 + i);
  EXPECT_NEAR(distances.Hausdorff95(), 19, 1e-12) << "of 0..20";
  distances.to_prediction.pop_back();
  EXPECT_NEAR(distances.Hausdorff95(), 18.05, 1e-12) << "of 0..19";
}

TEST(SurfaceTest, ALabelThatOneSideLacksHasNoDistanceAndNoAgreement) {
  for (const SurfaceDistances& distances : {Measure(CubeAt(2, 0), CubeAt(2, 1)), Measure(CubeAt(2, 1), CubeAt(2, 0))}) {
    EXPECT_TRUE(std::isnan(distances.Hausdorff95()));
    EXPECT_EQ(distances.SurfaceDice(100), 0);
  }
  const SurfaceDistances neither = Measure(CubeAt(2, 0), CubeAt(2, 0));
  EXPECT_TRUE(std::isnan(neither.Hausdorff95()));
  EXPECT_TRUE(std::isnan(neither.SurfaceDice(1)));
}

TEST(SurfaceTest, AFlatImageHasBordersInItsPlaneOnlyAndAnImagesEdgeIsOne) {
  const datasets::LabelMap flat{.shape = {1, 5, 5},
                                .labels = {1, 1, 1, 0, 0,  //
                                           1, 1, 1, 0, 0,  //
                                           1, 1, 1, 0, 0,  //
                                           0, 0, 0, 0, 0,  //
                                           0, 0, 0, 0, 0},
                                .geometry = {.spacing = {999, 1, 1}, .dimensions = 2}};
  EXPECT_EQ(Measure(flat, flat).to_reference.size(), 8U) << "all but the middle";
}

TEST(SurfaceTest, LabelsAreMeasuredApartAndShapesMustAgree) {
  const auto both = MeasureSurfaces(CubeAt(2, 1), CubeAt(2, 2), std::vector<std::int16_t>{1, 2, 3}).value();
  EXPECT_EQ(both.size(), 3U);
  EXPECT_THAT(both[0].to_prediction, IsEmpty());
  EXPECT_THAT(both[1].to_reference, IsEmpty());
  EXPECT_THAT(both[2].to_reference, IsEmpty());
  datasets::LabelMap other = CubeAt(2, 1);
  other.shape = {12, 6, 24};
  EXPECT_THAT(MeasureSurfaces(other, CubeAt(2, 1), std::vector<std::int16_t>{1}).status().message(),
              HasSubstr("shape [12, 6, 24]"));
}

}  // namespace
}  // namespace consilium::trainer
