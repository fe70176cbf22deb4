#include "trainer/evaluation/distance_transform.h"

#include <algorithm>
#include <limits>

#include "comm/base/status.h"

namespace consilium::trainer {
namespace {

constexpr double kFar = std::numeric_limits<double>::infinity();

// Strand-bound: keeps its scratch memory from line to line.
class LineTransform {
 public:
  LineTransform(std::size_t length, double spacing)
      : weight_(spacing * spacing), line_(length), places_(length), bounds_(length + 1) {}

  // The line that starts at `first`, its voxels `stride` apart, in place.
  void Apply(double* first, std::size_t stride) {
    const std::size_t length = line_.size();
    for (std::size_t i = 0; i < length; ++i) line_[i] = first[i * stride];
    const std::size_t parabolas = Envelope();
    if (parabolas == 0) return;  // infinity stays infinity
    std::size_t k = 0;
    for (std::size_t i = 0; i < length; ++i) {
      while (k + 1 < parabolas && bounds_[k + 1] < static_cast<double>(i)) ++k;
      const double steps = static_cast<double>(i) - static_cast<double>(places_[k]);
      first[i * stride] = weight_ * steps * steps + line_[places_[k]];
    }
  }

 private:
  // Where the parabolas rooted at p < q cross.
  double Crossing(std::size_t p, std::size_t q) const {
    const auto x = static_cast<double>(p), y = static_cast<double>(q);
    return ((line_[q] - line_[p]) / weight_ + y * y - x * x) / (2 * (y - x));
  }
  std::size_t Envelope() {
    std::size_t count = 0;
    for (std::size_t q = 0; q < line_.size(); ++q) {
      if (line_[q] == kFar) continue;
      while (count > 0 && Crossing(places_[count - 1], q) <= bounds_[count - 1]) --count;
      bounds_[count] = count == 0 ? -kFar : Crossing(places_[count - 1], q);
      places_[count++] = q;
    }
    return count;
  }

  double weight_;
  std::vector<double> line_;
  std::vector<std::size_t> places_;  // roots of the parabolas of the lower envelope
  std::vector<double> bounds_;       // from where on each is the lowest
};

}  // namespace

std::vector<double> SquaredDistances(std::span<const std::uint8_t> set, const datasets::Shape3& shape,
                                     const datasets::Spacing3& spacing) {
  CONSILIUM_CHECK(static_cast<std::int64_t>(set.size()) == datasets::VoxelCount(shape), set.size(), " voxels");
  std::vector<double> distances(set.size());
  std::transform(set.begin(), set.end(), distances.begin(), [](std::uint8_t in) { return in != 0 ? 0 : kFar; });
  std::size_t stride = set.size();
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const auto length = static_cast<std::size_t>(shape[axis]);
    const std::size_t block = stride;
    stride /= length;
    if (length == 1) continue;
    LineTransform line(length, spacing[axis]);
    for (std::size_t begin = 0; begin < distances.size(); begin += block)
      for (std::size_t i = 0; i < stride; ++i) line.Apply(distances.data() + begin + i, stride);
  }
  return distances;
}

}  // namespace consilium::trainer
