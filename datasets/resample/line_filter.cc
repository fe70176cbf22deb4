#include "datasets/resample/line_filter.h"

#include <algorithm>
#include <cmath>

namespace consilium::datasets {
namespace {

// How far edges are repeated before the prefilter: its response falls by 0.27 a voxel, and 0.27^12 is 10^-7.
constexpr std::int64_t kPad = 12;
const double kPole = std::sqrt(3.0) - 2.0;

double SourceOf(std::int64_t out, std::int64_t from, std::int64_t to) {
  return (static_cast<double>(out) + 0.5) * static_cast<double>(from) / static_cast<double>(to) - 0.5;
}

// B-spline coefficients in place: a causal and an anticausal pass, the line continued by reflection at its ends.
void Prefilter(std::vector<double>* line) {
  std::vector<double>& c = *line;
  const auto size = static_cast<std::int64_t>(c.size());
  const double gain = (1 - kPole) * (1 - 1 / kPole);
  for (double& value : c) value *= gain;
  // Reflected about the edge of the first voxel (d c b a | a b c d), summed until the pole's power is spent.
  double power = kPole, start = 0;
  for (std::int64_t i = 0; i < size && std::abs(power) > 1e-17; ++i, power *= kPole)
    start += power * c[static_cast<std::size_t>(i)];
  c[0] += start;
  for (std::size_t i = 1; i < c.size(); ++i) c[i] += kPole * c[i - 1];
  c.back() *= kPole / (kPole - 1);
  for (std::size_t i = c.size() - 1; i > 0; --i) c[i - 1] = kPole * (c[i] - c[i - 1]);
}

}  // namespace

LineFilter::LineFilter(std::int64_t from, std::int64_t to, Interpolation interpolation)
    : from_(from), interpolation_(interpolation) {
  for (std::int64_t out = 0; out < to; ++out) {
    Tap& tap = taps_.emplace_back();
    const double at = SourceOf(out, from, to);
    const double below = std::floor(at), t = at - below, u = 1 - t;
    if (interpolation == Interpolation::kLinear) {
      tap = {.first = static_cast<std::int64_t>(below), .weights = {u, t, 0, 0}};
      continue;
    }
    tap = {.first = static_cast<std::int64_t>(below) - 1 + kPad,
           .weights = {u * u * u / 6, 2.0 / 3 - t * t * (2 - t) / 2, 2.0 / 3 - u * u * (2 - u) / 2, t * t * t / 6}};
  }
}

void LineFilter::Coefficients(std::span<const double> in) {
  coefficients_.assign(static_cast<std::size_t>(kPad), in.front());
  coefficients_.insert(coefficients_.end(), in.begin(), in.end());
  coefficients_.insert(coefficients_.end(), static_cast<std::size_t>(kPad), in.back());
  Prefilter(&coefficients_);
}

void LineFilter::Apply(std::span<const double> in, std::span<double> out) {
  if (interpolation_ == Interpolation::kLinear) {
    for (std::size_t i = 0; i < taps_.size(); ++i) {
      const Tap& tap = taps_[i];
      const auto low = static_cast<std::size_t>(std::clamp<std::int64_t>(tap.first, 0, from_ - 1));
      const auto high = static_cast<std::size_t>(std::clamp<std::int64_t>(tap.first + 1, 0, from_ - 1));
      out[i] = tap.weights[0] * in[low] + tap.weights[1] * in[high];
    }
    return;
  }
  Coefficients(in);
  for (std::size_t i = 0; i < taps_.size(); ++i) {
    const Tap& tap = taps_[i];
    const double* c = coefficients_.data() + tap.first;
    out[i] = tap.weights[0] * c[0] + tap.weights[1] * c[1] + tap.weights[2] * c[2] + tap.weights[3] * c[3];
  }
}

std::vector<std::int64_t> NearestIndices(std::int64_t from, std::int64_t to) {
  std::vector<std::int64_t> indices;
  for (std::int64_t out = 0; out < to; ++out)
    indices.push_back(
        std::clamp<std::int64_t>(static_cast<std::int64_t>(std::floor(SourceOf(out, from, to) + 0.5)), 0, from - 1));
  return indices;
}

}  // namespace consilium::datasets
