#include "datasets/demo/montage.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <sstream>
#include <utility>

#include "datasets/demo/montage_panel.h"
#include "datasets/image/image_io.h"

namespace consilium::datasets {
namespace {

constexpr Color kBackground = {18, 22, 27}, kText = {230, 234, 238}, kQuietText = {150, 158, 166};
constexpr std::int64_t kMargin = 16, kGap = 6;
constexpr std::int16_t kClassesMax = 64;
constexpr std::array<const char*, 3> kColumns = {"image", "truth", "prediction"};

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
  if (last_class > kClassesMax)
    return InvalidArgument("a label of ", last_class, " is too many classes for a montage, at most ", kClassesMax);

  // One scale, pixels a mm, for all rows, so that sizes compare.
  std::vector<PanelSlice> slices;
  double longest_mm = 0;
  for (const MontageRow& row : rows) {
    const PanelSlice& slice = slices.emplace_back(CutPanelSlice(row.image, row.truth, row.prediction));
    longest_mm = std::max({longest_mm, static_cast<double>(slice.height) * slice.pixel_height,
                           static_cast<double>(slice.width) * slice.pixel_width});
  }
  const double scale = static_cast<double>(options.panel_pixels) / longest_mm;
  const auto height_of = [&](const PanelSlice& slice) {
    return std::max<std::int64_t>(1, std::lround(static_cast<double>(slice.height) * slice.pixel_height * scale));
  };
  const auto width_of = [&](const PanelSlice& slice) {
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
    const PanelSlice& slice = slices[i];
    const std::int64_t pixels_high = height_of(slice), pixels_wide = width_of(slice);
    DrawMargin(rows[i], last_class, top, canvas);
    for (std::size_t column = 0; column < kColumns.size(); ++column) {
      canvas.FillRectangle(panel_left(column), top, panel_width, row_heights[i], {0, 0, 0});
      const PanelPlace place = {.left = panel_left(column) + (panel_width - pixels_wide) / 2,
                                .top = top + (row_heights[i] - pixels_high) / 2,
                                .width = pixels_wide,
                                .height = pixels_high};
      DrawGray(slice, place, canvas);
      if (column > 0) DrawOverlay(slice, column == 1 ? slice.truth : slice.prediction, place, canvas);
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
