#include "datasets/demo/montage_panel.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <tuple>
#include <utility>

#include "datasets/demo/scanner_look.h"

namespace consilium::datasets {
namespace {

constexpr double kFillOpacity = 0.34, kOutlineOpacity = 0.95;

// The position in a row of `length` voxels that pixel `at` of `pixels` shows, half-pixel centres, as two neighbours and
// the weight of the second.
struct Between {
  std::int64_t first, second;
  double weight;
};
Between Locate(std::int64_t at, std::int64_t pixels, std::int64_t length) {
  const double where =
      (static_cast<double>(at) + 0.5) * static_cast<double>(length) / static_cast<double>(pixels) - 0.5;
  const double clamped = std::clamp(where, 0.0, static_cast<double>(length - 1));
  const auto first = static_cast<std::int64_t>(clamped);
  return {first, std::min(first + 1, length - 1), clamped - static_cast<double>(first)};
}

template <typename ValueOf>
double Bilinear(const Between& y, const Between& x, std::int64_t width, const ValueOf& value_of) {
  const auto along_x = [&](std::int64_t row) {
    return (1 - x.weight) * value_of(row * width + x.first) + x.weight * value_of(row * width + x.second);
  };
  return (1 - y.weight) * along_x(y.first) + y.weight * along_x(y.second);
}

// Labels on the finer grid with smooth borders: the class that weighs most among the four neighbours.
std::vector<std::int16_t> UpscaleLabels(const std::vector<std::int16_t>& labels, const PanelSlice& slice,
                                        std::int64_t height, std::int64_t width) {
  std::vector<std::int16_t> fine;
  for (std::int64_t row = 0; row < height; ++row)
    for (std::int64_t column = 0; column < width; ++column) {
      const Between y = Locate(row, height, slice.height), x = Locate(column, width, slice.width);
      std::int16_t best = 0;
      double best_weight = -1;
      for (const std::int64_t yy : {y.first, y.second})
        for (const std::int64_t xx : {x.first, x.second}) {
          const std::int16_t label = labels[yy * slice.width + xx];
          const double weight =
              Bilinear(y, x, slice.width, [&](std::int64_t at) { return labels[at] == label ? 1.0 : 0.0; });
          if (weight > best_weight) std::tie(best, best_weight) = std::pair(label, weight);
        }
      fine.push_back(best);
    }
  return fine;
}

}  // namespace

PanelSlice CutPanelSlice(const Image& image, const LabelMap& truth, const LabelMap& prediction) {
  const Shape3& shape = image.shape;
  const bool has_truth = std::ranges::any_of(truth.labels, [](std::int16_t label) { return label > 0; });
  const std::int64_t z = SliceWithMostForeground(has_truth ? truth : prediction);
  // World y runs from back to front.  A flat picture keeps its own way up.
  const bool flip = image.geometry.dimensions == 3 && AffineOf(image.geometry)[1][1] > 0;
  PanelSlice slice = {.height = shape[1],
                      .width = shape[2],
                      .pixel_height = image.geometry.spacing[1],
                      .pixel_width = image.geometry.spacing[2]};
  for (std::int64_t y = 0; y < slice.height; ++y) {
    const std::int64_t from = (z * shape[1] + (flip ? slice.height - 1 - y : y)) * shape[2];
    const auto append = [&](auto& to, const auto& source) {
      to.insert(to.end(), source.begin() + from, source.begin() + from + slice.width);
    };
    append(slice.gray, image.voxels);
    append(slice.truth, truth.labels);
    append(slice.prediction, prediction.labels);
  }
  return slice;
}

void DrawGray(const PanelSlice& slice, const PanelPlace& place, Canvas& canvas) {
  const IntensityRange range = RobustRange(slice.gray);
  const double low = static_cast<double>(range.low), width = static_cast<double>(range.high) - low;
  for (std::int64_t row = 0; row < place.height; ++row)
    for (std::int64_t column = 0; column < place.width; ++column) {
      const double value = Bilinear(Locate(row, place.height, slice.height), Locate(column, place.width, slice.width),
                                    slice.width, [&](std::int64_t at) { return static_cast<double>(slice.gray[at]); });
      const double share = (value - low) / width;
      // The comparison fails for NaN, which stays black.
      const auto gray = static_cast<std::uint8_t>(share > 0 ? std::lround(255 * std::min(share, 1.0)) : 0);
      canvas.Blend(place.left + column, place.top + row, {gray, gray, gray}, 1);
    }
}

void DrawOverlay(const PanelSlice& slice, const std::vector<std::int16_t>& labels, const PanelPlace& place,
                 Canvas& canvas) {
  const std::vector<std::int16_t> fine = UpscaleLabels(labels, slice, place.height, place.width);
  const auto at = [&](std::int64_t row, std::int64_t column) -> std::int16_t {
    return row < 0 || column < 0 || row >= place.height || column >= place.width ? 0 : fine[row * place.width + column];
  };
  for (std::int64_t row = 0; row < place.height; ++row)
    for (std::int64_t column = 0; column < place.width; ++column) {
      const std::int16_t label = at(row, column);
      if (label <= 0) continue;
      bool edge = false;  // two pixels wide
      for (const std::int64_t step : {-2, -1, 1, 2})
        edge = edge || at(row + step, column) != label || at(row, column + step) != label;
      canvas.Blend(place.left + column, place.top + row, ClassColor(label), edge ? kOutlineOpacity : kFillOpacity);
    }
}

Color ClassColor(std::int64_t class_index) {
  constexpr std::array<Color, 7> kColors = {
      {{230, 159, 0}, {86, 180, 233}, {0, 158, 115}, {240, 228, 66}, {204, 121, 167}, {213, 94, 0}, {0, 114, 178}}};
  return kColors[static_cast<std::size_t>(std::max<std::int64_t>(class_index - 1, 0)) % kColors.size()];
}

std::int64_t SliceWithMostForeground(const LabelMap& labels) {
  const std::int64_t area = labels.shape[1] * labels.shape[2];
  std::int64_t best = labels.shape[0] / 2, most = 0;
  for (std::int64_t z = 0; z < labels.shape[0]; ++z) {
    const auto begin = labels.labels.begin() + z * area;
    const std::int64_t count = std::count_if(begin, begin + area, [](std::int16_t label) { return label > 0; });
    if (count > most) std::tie(best, most) = std::pair(z, count);
  }
  return best;
}

}  // namespace consilium::datasets
