#include "datasets/image/volume.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace consilium::datasets {
namespace {

void ExpectAffine(const Geometry& geometry, const Affine& expected) {
  const Affine affine = AffineOf(geometry);
  for (int row = 0; row < 3; ++row)
    for (int column = 0; column < 4; ++column)
      EXPECT_NEAR(affine[row][column], expected[row][column], 1e-6) << row << column;
}

TEST(VolumeTest, WithoutOrientationTheAffineIsTheSpacing) {
  ExpectAffine({.spacing = {3, 2, 1}}, {{{1, 0, 0, 0}, {0, 2, 0, 0}, {0, 0, 3, 0}}});
}

TEST(VolumeTest, AHalfTurnAboutZIsTheUsualMrOrientation) {
  ExpectAffine({.spacing = {3, 2, 1}, .qform_code = 1, .quaternion = {0, 0, 1}, .offset = {10, 20, -30}},
               {{{-1, 0, 0, 10}, {0, -2, 0, 20}, {0, 0, 3, -30}}});
}

TEST(VolumeTest, AQuarterTurnAboutXTurnsYToZ) {
  const auto half = static_cast<float>(std::sqrt(0.5));
  ExpectAffine({.spacing = {3, 2, 1}, .qform_code = 2, .quaternion = {half, 0, 0}},
               {{{1, 0, 0, 0}, {0, 0, -3, 0}, {0, 2, 0, 0}}});
}

TEST(VolumeTest, ANegativeQfacFlipsTheLastFileAxis) {
  ExpectAffine({.spacing = {3, 2, 1}, .qform_code = 1, .qfac = -1, .quaternion = {0, 0, 1}},
               {{{-1, 0, 0, 0}, {0, -2, 0, 0}, {0, 0, -3, 0}}});
}

TEST(VolumeTest, TheSFormWinsAndUnitsAreAppliedToIt) {
  Geometry geometry{.qform_code = 1, .sform_code = 1, .xyzt_units = 1};  // metres
  geometry.srow = {{{0.001F, 0, 0, 0.01F}, {0, 0.001F, 0, 0}, {0, 0, 0.001F, 0}}};
  ExpectAffine(geometry, {{{1, 0, 0, 10}, {0, 1, 0, 0}, {0, 0, 1, 0}}});
}

TEST(VolumeTest, GridsAreTheSameToAThousandthOfAVoxel) {
  const Geometry a{.spacing = {2, 1, 1}, .qform_code = 1, .offset = {5, 5, 5}};
  Geometry b = a;
  EXPECT_TRUE(SameGrid(a, b));
  b.offset[0] += 0.0005F;
  EXPECT_TRUE(SameGrid(a, b));
  b.offset[0] += 0.01F;
  EXPECT_FALSE(SameGrid(a, b)) << "another origin";
  EXPECT_TRUE(SameSpacing(a.spacing, b.spacing));
  b = a;
  b.quaternion = {0, 0, 1};
  EXPECT_FALSE(SameGrid(a, b)) << "another direction";
  b = a;
  b.spacing[0] *= 1.01;
  EXPECT_FALSE(SameGrid(a, b)) << "another spacing";
  b.spacing[0] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(SameSpacing(b.spacing, b.spacing));
}

TEST(VolumeTest, AnSFormAndAQFormThatSayTheSameAreTheSameGrid) {
  const Geometry a{.spacing = {3, 2, 1}, .qform_code = 1, .quaternion = {0, 0, 1}, .offset = {10, 20, -30}};
  Geometry b{.spacing = {3, 2, 1}, .sform_code = 4};
  b.srow = {{{-1, 0, 0, 10}, {0, -2, 0, 20}, {0, 0, 3, -30}}};
  EXPECT_TRUE(SameGrid(a, b));
}

}  // namespace
}  // namespace consilium::datasets
