#include "datasets/demo/montage.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <sstream>
#include <tuple>
#include <utility>

#include "datasets/demo/scanner_look.h"
#include "datasets/image/image_io.h"

namespace consilium::datasets {
namespace {

constexpr Color kBackground = {18, 22, 27}, kText = {230, 234, 238}, kQuietText = {150, 158, 166};
constexpr std::int64_t kMargin = 16, kGap = 6;
constexpr double kFillOpacity = 0.34;
constexpr std::array<const char*, 3> kColumns = {"image", "truth", "prediction"};

// One slice, its first row at the top of the picture.
struct Slice {
  std::int64_t height, width;        // voxels
  double pixel_height, pixel_width;  // mm
  std::vector<float> gray;           // [height, width]
  std::vector<std::int16_t> truth, prediction;
};

Slice CutSlice(const MontageRow& row) {
  const Shape3& shape = row.image.shape;
  const bool has_truth = std::ranges::any_of(row.truth.labels, [](std::int16_t label) { return label > 0; });
  const std::int64_t z = SliceWithMostForeground(has_truth ? row.truth : row.prediction);
  // World y runs from back to front.  A flat picture keeps its own way up.
  const bool flip = row.image.geometry.dimensions == 3 && AffineOf(row.image.geometry)[1][1] > 0;
  Slice slice = {.height = shape[1],
                 .width = shape[2],
                 .pixel_height = row.image.geometry.spacing[1],
                 .pixel_width = row.image.geometry.spacing[2]};
  for (std::int64_t y = 0; y < slice.height; ++y) {
    const std::int64_t from = (z * shape[1] + (flip ? slice.height - 1 - y : y)) * shape[2];
    const auto append = [&](auto& to, const auto& source) {
      to.insert(to.end(), source.begin() + from, source.begin() + from + slice.width);
    };
    append(slice.gray, row.image.voxels);
    append(slice.truth, row.truth.labels);
    append(slice.prediction, row.prediction.labels);
  }
  return slice;
}

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
std::vector<std::int16_t> UpscaleLabels(const std::vector<std::int16_t>& labels, const Slice& slice,
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

void DrawOverlay(const std::vector<std::int16_t>& labels, std::int64_t left, std::int64_t top, std::int64_t height,
                 std::int64_t width, Canvas& canvas) {
  const auto at = [&](std::int64_t row, std::int64_t column) -> std::int16_t {
    return row < 0 || column < 0 || row >= height || column >= width ? 0 : labels[row * width + column];
  };
  for (std::int64_t row = 0; row < height; ++row)
    for (std::int64_t column = 0; column < width; ++column) {
      const std::int16_t label = at(row, column);
      if (label <= 0) continue;
      bool edge = false;  // two pixels wide
      for (const std::int64_t step : {-2, -1, 1, 2})
        edge = edge || at(row + step, column) != label || at(row, column + step) != label;
      canvas.Blend(left + column, top + row, ClassColor(label), edge ? 0.95 : kFillOpacity);
    }
}

void DrawGray(const Slice& slice, std::int64_t left, std::int64_t top, std::int64_t height, std::int64_t width,
              Canvas& canvas) {
  const IntensityRange range = RobustRange(slice.gray);
  for (std::int64_t row = 0; row < height; ++row)
    for (std::int64_t column = 0; column < width; ++column) {
      const double value = Bilinear(Locate(row, height, slice.height), Locate(column, width, slice.width), slice.width,
                                    [&](std::int64_t at) { return static_cast<double>(slice.gray[at]); });
      const double low = static_cast<double>(range.low), high = static_cast<double>(range.high);
      const auto gray =
          static_cast<std::uint8_t>(std::lround(255 * std::clamp((value - low) / (high - low), 0.0, 1.0)));
      canvas.Blend(left + column, top + row, {gray, gray, gray}, 1);
    }
}

std::string ClassName(const MontageOptions& options, std::int64_t class_index) {
  const auto at = static_cast<std::size_t>(class_index - 1);
  return at < options.class_names.size() ? options.class_names[at] : Concat("class ", class_index);
}

std::int16_t LastClass(std::span<const MontageRow> rows) {
  std::int16_t last = 1;
  for (const MontageRow& row : rows)
    for (const LabelMap* labels : {&row.truth, &row.prediction})
      for (const std::int16_t label : labels->labels) last = std::max(last, label);
  return last;
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

Status CheckRow(const MontageRow& row) {
  const auto voxels = static_cast<std::size_t>(VoxelCount(row.image.shape));
  if (voxels == 0 || row.image.channels < 1 || row.truth.shape != row.image.shape ||
      row.prediction.shape != row.image.shape)
    return InvalidArgument("montage row \"", row.title, "\": image, truth and prediction differ in shape");
  CONSILIUM_CHECK(row.truth.labels.size() == voxels && row.prediction.labels.size() == voxels &&
                  row.image.voxels.size() == voxels * static_cast<std::size_t>(row.image.channels));
  return {};
}

// The margin beside a row: its title, and each class's Dice behind a patch of its colour.
void DrawMargin(const MontageRow& row, std::int16_t last_class, std::int64_t top, Canvas& canvas) {
  const std::vector<std::string> title = Lines(row.title);
  std::int64_t y = top + 4;
  for (std::size_t i = 0; i < title.size(); ++i, y += Canvas::LineHeight())
    canvas.Text(kMargin, y, title[i], i == 0 ? kText : kQuietText);
  y += Canvas::LineHeight() / 2;
  canvas.Text(kMargin, y, "Dice", kQuietText);
  y += Canvas::LineHeight();
  for (std::int16_t label = 1; label <= last_class; ++label, y += Canvas::LineHeight()) {
    const bool anywhere = std::ranges::find(row.truth.labels, label) != row.truth.labels.end() ||
                          std::ranges::find(row.prediction.labels, label) != row.prediction.labels.end();
    char text[16] = "-";  // of a class that is in neither, nothing can be said
    if (anywhere) std::snprintf(text, sizeof text, "%.3f", DiceOfClass(row.truth, row.prediction, label));
    canvas.FillRectangle(kMargin, y, 14, 14, ClassColor(label));
    canvas.Text(kMargin + 22, y, text, kText);
  }
}

}  // namespace

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

double DiceOfClass(const LabelMap& truth, const LabelMap& prediction, std::int16_t class_index) {
  std::int64_t both = 0, sum = 0;
  for (std::size_t i = 0; i < truth.labels.size(); ++i) {
    const bool in_truth = truth.labels[i] == class_index, in_prediction = prediction.labels[i] == class_index;
    both += in_truth && in_prediction ? 1 : 0;
    sum += (in_truth ? 1 : 0) + (in_prediction ? 1 : 0);
  }
  return sum == 0 ? 1.0 : 2.0 * static_cast<double>(both) / static_cast<double>(sum);
}

StatusOr<Canvas> RenderMontage(std::span<const MontageRow> rows, const MontageOptions& options) {
  if (rows.empty()) return InvalidArgument("a montage needs at least one case");
  for (const MontageRow& row : rows) RETURN_IF_ERROR(CheckRow(row));
  const std::int16_t last_class = LastClass(rows);

  // One scale, pixels a mm, for all rows, so that sizes compare.
  std::vector<Slice> slices;
  double longest_mm = 0;
  for (const MontageRow& row : rows) {
    const Slice& slice = slices.emplace_back(CutSlice(row));
    longest_mm = std::max({longest_mm, static_cast<double>(slice.height) * slice.pixel_height,
                           static_cast<double>(slice.width) * slice.pixel_width});
  }
  const double scale = static_cast<double>(options.panel_pixels) / longest_mm;
  const auto height_of = [&](const Slice& slice) {
    return std::max<std::int64_t>(1, std::lround(static_cast<double>(slice.height) * slice.pixel_height * scale));
  };
  const auto width_of = [&](const Slice& slice) {
    return std::max<std::int64_t>(1, std::lround(static_cast<double>(slice.width) * slice.pixel_width * scale));
  };

  std::int64_t panel_width = Canvas::TextWidth(kColumns[2]);
  std::int64_t margin_width = 22 + Canvas::TextWidth("0.000");
  std::vector<std::int64_t> row_heights;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    panel_width = std::max(panel_width, width_of(slices[i]));
    const std::vector<std::string> title = Lines(rows[i].title);
    for (const std::string& line : title) margin_width = std::max(margin_width, Canvas::TextWidth(line));
    const auto lines = static_cast<std::int64_t>(title.size()) + 1 + last_class;
    row_heights.push_back(std::max(height_of(slices[i]), lines * Canvas::LineHeight() + Canvas::LineHeight()));
  }
  const std::int64_t panels_left = kMargin + margin_width + kMargin;
  std::int64_t legend_width = 0;
  for (std::int16_t label = 1; label <= last_class; ++label)
    legend_width += 22 + Canvas::TextWidth(ClassName(options, label)) + 2 * kMargin;
  const std::int64_t width = std::max({panels_left + 3 * panel_width + 2 * kGap + kMargin,
                                       kMargin + Canvas::TextWidth(options.heading) + kMargin, kMargin + legend_width});
  std::int64_t top = kMargin + (options.heading.empty() ? 0 : Canvas::LineHeight() + kGap);
  std::int64_t height = top + Canvas::LineHeight() + Canvas::LineHeight() + kMargin;
  for (const std::int64_t row_height : row_heights) height += row_height + kGap;

  Canvas canvas(width, height, kBackground);
  canvas.Text(kMargin, kMargin, options.heading, kText);
  const auto panel_left = [&](std::size_t column) {
    return panels_left + static_cast<std::int64_t>(column) * (panel_width + kGap);
  };
  for (std::size_t column = 0; column < kColumns.size(); ++column)
    canvas.Text(panel_left(column) + (panel_width - Canvas::TextWidth(kColumns[column])) / 2, top, kColumns[column],
                kQuietText);
  top += Canvas::LineHeight();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Slice& slice = slices[i];
    const std::int64_t pixels_high = height_of(slice), pixels_wide = width_of(slice);
    DrawMargin(rows[i], last_class, top, canvas);
    for (std::size_t column = 0; column < kColumns.size(); ++column) {
      canvas.FillRectangle(panel_left(column), top, panel_width, row_heights[i], {0, 0, 0});
      const std::int64_t left = panel_left(column) + (panel_width - pixels_wide) / 2;
      const std::int64_t above = top + (row_heights[i] - pixels_high) / 2;
      DrawGray(slice, left, above, pixels_high, pixels_wide, canvas);
      if (column > 0)
        DrawOverlay(UpscaleLabels(column == 1 ? slice.truth : slice.prediction, slice, pixels_high, pixels_wide), left,
                    above, pixels_high, pixels_wide, canvas);
    }
    top += row_heights[i] + kGap;
  }
  std::int64_t left = panels_left;
  if (left + legend_width > width) left = kMargin;
  for (std::int16_t label = 1; label <= last_class; ++label) {
    canvas.FillRectangle(left, top + kGap, 14, 14, ClassColor(label));
    canvas.Text(left + 22, top + kGap, ClassName(options, label), kText);
    left += 22 + Canvas::TextWidth(ClassName(options, label)) + 2 * kMargin;
  }
  return canvas;
}

Status WriteMontage(const std::filesystem::path& path, std::span<const MontageRow> rows,
                    const MontageOptions& options) {
  ASSIGN_OR_RETURN(const Canvas canvas, RenderMontage(rows, options));
  return WritePngRgb(path, canvas.width(), canvas.height(), canvas.rgb());
}

}  // namespace consilium::datasets
