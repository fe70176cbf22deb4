#include "datasets/sampling/spatial.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "comm/base/status.h"
#include "datasets/sampling/vector_math.h"

namespace consilium::datasets {
namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr double kRotationProbability = 0.2, kScaleProbability = 0.2, kScaleLow = 0.7, kScaleHigh = 1.4;
constexpr double kAngle3d = kPi / 6, kAngleFlat = kPi, kAngleLongFlat = kPi / 12;  // 30, 180 and 15 degrees
constexpr double kAnisotropy = 3, kLong = 1.5;
constexpr double kLargestMagnification = 0.85;

struct SinCos {
  double sin, cos;
};

// The same on every machine, unlike libm's; |angle| <= pi, to about 10^-7.
SinCos SinCosOf(double angle) {
  const double quarter = std::nearbyint(angle / (kPi / 2));
  const auto rest = static_cast<float>(angle - quarter * (kPi / 2));
  const double s = FastSin(rest), c = FastCos(rest);
  switch ((static_cast<int>(quarter) + 4) % 4) {
    case 0:
      return {s, c};
    case 1:
      return {c, -s};
    case 2:
      return {-s, -c};
    default:
      return {-c, s};
  }
}

Matrix3 Product(const Matrix3& a, const Matrix3& b) {
  Matrix3 product{};
  for (std::size_t row = 0; row < 3; ++row)
    for (std::size_t column = 0; column < 3; ++column)
      for (std::size_t k = 0; k < 3; ++k) product[row][column] += a[row][k] * b[k][column];
  return product;
}

// About one axis; the other two in order.
Matrix3 Rotation(std::size_t axis, double angle) {
  const SinCos of = SinCosOf(angle);
  const std::size_t a = axis == 0 ? 1 : 0, b = axis == 2 ? 1 : 2;
  // Upstream's rotation about its y has the other sign, as is usual for right-handed axes.
  const double sine = axis == 1 ? -of.sin : of.sin;
  Matrix3 matrix{};
  matrix[axis][axis] = 1;
  matrix[a][a] = matrix[b][b] = of.cos;
  matrix[a][b] = -sine;
  matrix[b][a] = sine;
  return matrix;
}

// Edges of the box around a patch turned by `angle` about one axis.
std::array<double, 3> Turned(const std::array<double, 3>& edges, std::size_t axis, double angle) {
  const Matrix3 rotation = Rotation(axis, std::min(angle, kPi / 2));
  std::array<double, 3> turned{};
  for (std::size_t row = 0; row < 3; ++row) {
    for (std::size_t k = 0; k < 3; ++k) turned[row] += rotation[k][row] * edges[k];
    turned[row] = std::abs(turned[row]);
  }
  return turned;
}

// Positions are fixed-point numbers, in 2^-32 voxels: a floor is a shift, and rows are followed without rounding.
using Fixed = std::int64_t;
constexpr int kFraction = 32;
constexpr Fixed kOne = Fixed{1} << kFraction;

Fixed ToFixed(double voxels) { return static_cast<Fixed>(std::nearbyint(voxels * static_cast<double>(kOne))); }
float FractionOf(Fixed position) { return static_cast<float>(position & (kOne - 1)) * 0x1p-32F; }

// A row of the patch in the source: voxel x lies at start + x * step.
struct Row {
  std::array<Fixed, 3> start{};
  std::array<Fixed, 3> step{};
  // All of it lies in one slice of the source, so that nothing of the next one counts (there may be none).
  bool is_in_slice() const { return step[0] == 0 && (start[0] & (kOne - 1)) == 0; }
};

struct Interval {
  std::int64_t first = 0, last = 0;  // without last
  Interval Common(const Interval& other) const {
    const Interval common{std::max(first, other.first), std::min(last, other.last)};
    return common.first < common.last ? common : Interval{};
  }
};

std::int64_t FloorOfRatio(Fixed a, Fixed b) { return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0); }

// The x of [0, length) with low <= start + x * step < high.
Interval Where(Fixed start, Fixed step, Fixed low, Fixed high, std::int64_t length) {
  const Interval all{0, length};
  if (step == 0) return low <= start && start < high ? all : Interval{};
  if (step > 0) return all.Common({-FloorOfRatio(start - low, step), -FloorOfRatio(start - high, step)});
  return all.Common({FloorOfRatio(start - high, -step) + 1, FloorOfRatio(start - low, -step) + 1});
}

// The lower one of the eight voxels around a position, and how far beyond it that lies.
struct Corner {
  std::array<std::int64_t, 3> at{};
  std::array<float, 3> t{};
};

Corner CornerAt(const Row& row, std::int64_t x) {
  Corner corner;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const Fixed position = row.start[axis] + x * row.step[axis];
    corner.at[axis] = position >> kFraction;
    corner.t[axis] = FractionOf(position);
  }
  return corner;
}

Row RowAt(const Resampling& resampling, const Shape3& patch, std::int64_t z, std::int64_t y) {
  Row row;
  const auto from_middle = [&](std::int64_t i, std::size_t axis) {
    return static_cast<double>(i) - (static_cast<double>(patch[axis]) - 1) / 2;
  };
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const auto& m = resampling.matrix[axis];
    row.start[axis] = ToFixed(resampling.centre[axis] + m[0] * from_middle(z, 0) + m[1] * from_middle(y, 1) +
                              m[2] * from_middle(0, 2));
    row.step[axis] = ToFixed(m[2]);
  }
  return row;
}

// Fills `target` row by row: `outside` where none of the eight voxels around is in the source; take(v, w, t) where all
// are, v and w pointing to the lower corner and the one in the next slice; take_edge(corner) in between.
template <typename T, typename Take, typename TakeEdge>
void ForEachVoxel(std::span<const T> source, const Shape3& shape, const Resampling& resampling, const Shape3& patch,
                  T outside, T* target, const Take& take, const TakeEdge& take_edge) {
  for (std::int64_t z = 0; z < patch[0]; ++z)
    for (std::int64_t y = 0; y < patch[1]; ++y, target += patch[2]) {
      const Row row = RowAt(resampling, patch, z, y);
      const bool in_slice = row.is_in_slice();
      Interval near{0, patch[2]}, inside{0, patch[2]};
      for (std::size_t axis = 0; axis < 3; ++axis) {
        const Fixed start = row.start[axis], step = row.step[axis], edge = shape[axis] << kFraction;
        near = near.Common(Where(start, step, -kOne, edge, patch[2]));
        inside = inside.Common(Where(start, step, 0, axis == 0 && in_slice ? edge : edge - kOne, patch[2]));
      }
      if (inside.first == inside.last) inside = {near.last, near.last};
      std::fill(target, target + near.first, outside);
      for (std::int64_t x = near.first; x < inside.first; ++x) target[x] = take_edge(CornerAt(row, x));
      const std::ptrdiff_t above = in_slice ? 0 : shape[1] * shape[2];
      std::array<Fixed, 3> at;
      for (std::size_t axis = 0; axis < 3; ++axis) at[axis] = row.start[axis] + inside.first * row.step[axis];
      for (std::int64_t x = inside.first; x < inside.last; ++x) {
        const T* v =
            source.data() + ((at[0] >> kFraction) * shape[1] + (at[1] >> kFraction)) * shape[2] + (at[2] >> kFraction);
        target[x] = take(v, v + above, at);
        for (std::size_t axis = 0; axis < 3; ++axis) at[axis] += row.step[axis];
      }
      for (std::int64_t x = inside.last; x < near.last; ++x) target[x] = take_edge(CornerAt(row, x));
      std::fill(target + near.last, target + patch[2], outside);
    }
}

// The eight voxels around, those outside as `outside`, x fastest.
template <typename T>
std::array<T, 8> Around(std::span<const T> source, const Shape3& shape, const Corner& corner, T outside) {
  std::array<T, 8> values;
  for (std::size_t i = 0; i < 8; ++i) {
    const std::int64_t z = corner.at[0] + static_cast<std::int64_t>(i >> 2),
                       y = corner.at[1] + static_cast<std::int64_t>(i >> 1 & 1),
                       x = corner.at[2] + static_cast<std::int64_t>(i & 1);
    const bool in = z >= 0 && z < shape[0] && y >= 0 && y < shape[1] && x >= 0 && x < shape[2];
    values[i] = in ? source[static_cast<std::size_t>((z * shape[1] + y) * shape[2] + x)] : outside;
  }
  return values;
}

float Mixed(const std::array<float, 8>& v, const std::array<float, 3>& t) {
  const float a = v[0] + t[2] * (v[1] - v[0]), b = v[2] + t[2] * (v[3] - v[2]);
  const float c = v[4] + t[2] * (v[5] - v[4]), d = v[6] + t[2] * (v[7] - v[6]);
  const float low = a + t[1] * (b - a), high = c + t[1] * (d - c);
  return low + t[0] * (high - low);
}

std::int16_t Heaviest(const std::array<std::int16_t, 8>& labels, const std::array<float, 3>& t) {
  std::array<float, 8> weights;
  for (std::size_t i = 0; i < 8; ++i)
    weights[i] = ((i & 4) != 0 ? t[0] : 1 - t[0]) * ((i & 2) != 0 ? t[1] : 1 - t[1]) * ((i & 1) != 0 ? t[2] : 1 - t[2]);
  std::int16_t best = 0;
  float best_weight = -1;
  unsigned left = 0xFF;  // voxels whose label was not weighed yet
  while (left != 0) {
    const std::int16_t label = labels[static_cast<std::size_t>(std::countr_zero(left))];
    float weight = 0;
    for (std::size_t i = 0; i < 8; ++i)
      if (labels[i] == label) weight += weights[i], left &= ~(1U << i);
    if (weight > best_weight || (weight == best_weight && label < best)) best = label, best_weight = weight;
  }
  return best;
}

}  // namespace

SpatialRange SpatialRangeOf(const Shape3& patch, int dimensions) {
  CONSILIUM_CHECK(std::ranges::min(patch) >= 1 && (dimensions == 2 || dimensions == 3), dimensions, " dimensions");
  SpatialRange range;
  std::array<double, 3> edges{}, box{};
  for (std::size_t axis = 0; axis < 3; ++axis) edges[axis] = static_cast<double>(patch[axis]);
  const double longest = *std::ranges::max_element(edges);
  if (dimensions == 2) {
    const double ratio = std::max(edges[1], edges[2]) / std::min(edges[1], edges[2]);
    range.in_plane = true;
    range.angle_max = {ratio > kLong ? kAngleLongFlat : kAngleFlat, 0, 0};
  } else if (longest / edges[0] > kAnisotropy) {
    range.in_plane = true;
    range.angle_max = {kAngleFlat, 0, 0};
  } else {
    range.angle_max = {kAngle3d, kAngle3d, kAngle3d};
  }
  box = edges;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    if (range.angle_max[axis] == 0) continue;
    const std::array<double, 3> turned = Turned(edges, axis, range.angle_max[axis]);
    for (std::size_t i = 0; i < 3; ++i) box[i] = std::max(box[i], turned[i]);
  }
  for (std::size_t axis = 0; axis < 3; ++axis)
    range.window[axis] =
        range.in_plane && axis == 0 ? patch[0] : static_cast<std::int64_t>(box[axis] / kLargestMagnification);
  return range;
}

Matrix3 SpatialMatrix(const std::array<double, 3>& angles, double scale, bool in_plane) {
  Matrix3 matrix = Rotation(0, angles[0]);
  for (std::size_t axis = 1; axis < 3 && !in_plane; ++axis) matrix = Product(Rotation(axis, angles[axis]), matrix);
  for (std::size_t row = in_plane ? 1 : 0; row < 3; ++row)
    for (double& entry : matrix[row]) entry *= scale;
  return matrix;
}

std::optional<Matrix3> DrawSpatial(const SpatialRange& range, Rng& rng) {
  const bool rotates = rng.Bernoulli(kRotationProbability), scales = rng.Bernoulli(kScaleProbability);
  if (!rotates && !scales) return std::nullopt;
  std::array<double, 3> angles{};
  if (rotates)
    for (std::size_t axis = 0; axis < 3; ++axis)
      if (range.angle_max[axis] > 0) angles[axis] = rng.Uniform(-range.angle_max[axis], range.angle_max[axis]);
  return SpatialMatrix(angles, scales ? rng.Uniform(kScaleLow, kScaleHigh) : 1, range.in_plane);
}

void ResamplePatch(std::span<const float> source, const Shape3& shape, const Resampling& resampling,
                   const Shape3& patch, std::span<float> target) {
  const std::int64_t row = shape[2];
  ForEachVoxel(
      source, shape, resampling, patch, 0.0F, target.data(),
      [row](const float* v, const float* w, const std::array<Fixed, 3>& at) {
        return Mixed({v[0], v[1], v[row], v[row + 1], w[0], w[1], w[row], w[row + 1]},
                     {FractionOf(at[0]), FractionOf(at[1]), FractionOf(at[2])});
      },
      [&](const Corner& corner) { return Mixed(Around(source, shape, corner, 0.0F), corner.t); });
}

void ResamplePatch(std::span<const std::int16_t> source, const Shape3& shape, const Resampling& resampling,
                   const Shape3& patch, std::span<std::int16_t> target) {
  const std::int64_t row = shape[2];
  ForEachVoxel(
      source, shape, resampling, patch, std::int16_t{-1}, target.data(),
      [row](const std::int16_t* v, const std::int16_t* w, const std::array<Fixed, 3>& at) {
        // Most voxels lie in the middle of something.
        const int differ = (v[0] ^ v[1]) | (v[0] ^ v[row]) | (v[0] ^ v[row + 1]) | (v[0] ^ w[0]) | (v[0] ^ w[1]) |
                           (v[0] ^ w[row]) | (v[0] ^ w[row + 1]);
        if (differ == 0) return v[0];
        return Heaviest({v[0], v[1], v[row], v[row + 1], w[0], w[1], w[row], w[row + 1]},
                        {FractionOf(at[0]), FractionOf(at[1]), FractionOf(at[2])});
      },
      [&](const Corner& corner) { return Heaviest(Around(source, shape, corner, std::int16_t{-1}), corner.t); });
}

}  // namespace consilium::datasets
