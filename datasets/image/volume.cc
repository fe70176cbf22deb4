#include "datasets/image/volume.h"

#include <algorithm>
#include <cmath>

namespace consilium::datasets {
namespace {

constexpr double kGridTolerance = 1e-3;

// nifti1.h, method 2: the unit quaternion (a, b, c, d) with a >= 0 left out of the file.
Affine FromQuaternion(const Geometry& geometry, double unit) {
  double b = geometry.quaternion[0], c = geometry.quaternion[1], d = geometry.quaternion[2];
  double a = 1.0 - (b * b + c * c + d * d);
  if (a < 1e-7) {  // a half turn; b, c, d alone must have length 1
    const double scale = 1.0 / std::sqrt(b * b + c * c + d * d);
    b *= scale, c *= scale, d *= scale, a = 0.0;
  } else {
    a = std::sqrt(a);
  }
  const std::array<std::array<double, 3>, 3> rotation{
      {{a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)},
       {2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)},
       {2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - c * c - b * b}}};
  const std::array<double, 3> step{geometry.spacing[2], geometry.spacing[1],
                                   geometry.spacing[0] * (geometry.qfac < 0 ? -1.0 : 1.0)};
  Affine affine{};
  for (int row = 0; row < 3; ++row) {
    for (int axis = 0; axis < 3; ++axis) affine[row][axis] = rotation[row][axis] * step[axis];
    affine[row][3] = geometry.offset[row] * unit;
  }
  return affine;
}

}  // namespace

double MillimetresPerUnit(int xyzt_units) {
  switch (xyzt_units & 7) {  // the upper bits are the unit of time
    case 1:
      return 1e3;
    case 3:
      return 1e-3;
    default:
      return 1.0;
  }
}

Affine AffineOf(const Geometry& geometry) {
  const double unit = MillimetresPerUnit(geometry.xyzt_units);
  if (geometry.sform_code > 0) {
    Affine affine{};
    for (int row = 0; row < 3; ++row)
      for (int column = 0; column < 4; ++column) affine[row][column] = geometry.srow[row][column] * unit;
    return affine;
  }
  if (geometry.qform_code > 0) return FromQuaternion(geometry, unit);
  Affine affine{};
  for (int axis = 0; axis < 3; ++axis) affine[axis][axis] = geometry.spacing[2 - axis];
  return affine;
}

bool SameSpacing(const Spacing3& a, const Spacing3& b) {
  for (int axis = 0; axis < 3; ++axis) {
    // Negated, so that NaN is never equal to anything.
    if (!(std::abs(a[axis] - b[axis]) <= kGridTolerance * std::min(a[axis], b[axis]))) return false;
  }
  return true;
}

bool SameGrid(const Geometry& a, const Geometry& b) {
  if (!SameSpacing(a.spacing, b.spacing)) return false;
  const Affine first = AffineOf(a), second = AffineOf(b);
  const double tolerance = kGridTolerance * *std::min_element(a.spacing.begin(), a.spacing.end());
  for (int row = 0; row < 3; ++row) {
    for (int column = 0; column < 4; ++column) {
      if (!(std::abs(first[row][column] - second[row][column]) <= tolerance)) return false;
    }
  }
  return true;
}

}  // namespace consilium::datasets
