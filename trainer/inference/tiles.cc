#include "trainer/inference/tiles.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "comm/base/status.h"

namespace consilium::trainer {
namespace {

constexpr double kSigmaOfPatch = 1.0 / 8;
constexpr double kCutOffSigmas = 4;
constexpr double kWeightMax = 10;

// exp(-d^2 / (2 sigma^2)) around the middle of one axis; 0 beyond the cut-off, whose radius is rounded as SciPy's is.
std::vector<double> AxisWeights(std::int64_t edge) {
  const double sigma = static_cast<double>(edge) * kSigmaOfPatch;
  const auto radius = static_cast<std::int64_t>(kCutOffSigmas * sigma + 0.5);
  std::vector<double> weights(static_cast<std::size_t>(edge));
  for (std::int64_t i = 0; i < edge; ++i) {
    const std::int64_t distance = std::abs(i - edge / 2);
    const double scaled = static_cast<double>(distance) / sigma;
    weights[static_cast<std::size_t>(i)] = distance > radius ? 0.0 : std::exp(-0.5 * scaled * scaled);
  }
  return weights;
}

}  // namespace

std::vector<std::int64_t> TileStarts(std::int64_t size, std::int64_t patch, double step_fraction) {
  CONSILIUM_CHECK(patch >= 1 && size >= patch && step_fraction > 0 && step_fraction <= 1, "size ", size, ", patch ",
                  patch, ", step ", step_fraction);
  const std::int64_t slack = size - patch;
  const auto gaps =
      static_cast<std::int64_t>(std::ceil(static_cast<double>(slack) / (static_cast<double>(patch) * step_fraction)));
  std::vector<std::int64_t> starts = {0};
  for (std::int64_t i = 1; i <= gaps; ++i) {
    const double step = static_cast<double>(slack) / static_cast<double>(gaps);
    starts.push_back(static_cast<std::int64_t>(std::nearbyint(step * static_cast<double>(i))));  // half to even
  }
  return starts;
}

std::vector<float> GaussianWeights(std::span<const std::int64_t> patch) {
  // The Gaussian of a unit impulse is the product of one-dimensional ones.
  std::vector<double> product = {kWeightMax};
  for (const std::int64_t edge : patch) {
    const std::vector<double> axis = AxisWeights(edge);
    std::vector<double> next;
    next.reserve(product.size() * axis.size());
    for (const double outer : product)
      for (const double inner : axis) next.push_back(outer * inner);
    product = std::move(next);
  }
  std::vector<float> weights(product.begin(), product.end());
  float smallest = std::numeric_limits<float>::max();
  for (const float weight : weights)
    if (weight > 0) smallest = std::min(smallest, weight);
  for (float& weight : weights) weight = std::max(weight, smallest);
  return weights;
}

}  // namespace consilium::trainer
