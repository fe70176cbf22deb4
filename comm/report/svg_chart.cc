#include "comm/report/svg_chart.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "comm/base/status.h"

namespace consilium::report {
namespace {

// Okabe and Ito, "Color universal design", 2008.
constexpr const char* kColors[] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"};
constexpr const char* kDashes[] = {"", "6 3", "2 3", "8 3 2 3", "12 4", "4 2", "1 2"};
constexpr int kLeft = 62, kRight = 16, kTop = 34, kBottom = 44, kLegendLine = 18;

// 0.1 + 0.2 must not be written as 0.30000000000000004, nor -1e-17 for zero.
std::string TickText(double value, double step) {
  char text[32];
  const int digits = std::clamp(static_cast<int>(std::ceil(-std::log10(step) - 1e-9)), 0, 12);
  if (std::fabs(value) >= 1e6 || digits > 6) {
    std::snprintf(text, sizeof text, "%.3g", value);
  } else {
    std::snprintf(text, sizeof text, "%.*f", digits, std::fabs(value) < step * 1e-6 ? 0.0 : value);
  }
  return text;
}

std::string Pixel(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();
  void Add(double value) { low = std::min(low, value), high = std::max(high, value); }
};

struct Plane {
  AxisTicks x, y;
  double left, right, top, bottom;  // pixels
  std::string X(double value) const { return Pixel(left + (value - x.begin) / (x.end - x.begin) * (right - left)); }
  std::string Y(double value) const { return Pixel(bottom - (value - y.begin) / (y.end - y.begin) * (bottom - top)); }
};

std::string Text(const std::string& x, const std::string& y, const char* extra, const std::string& text) {
  return Concat("<text x=\"", x, "\" y=\"", y, "\" ", extra, ">", EscapeXml(text), "</text>\n");
}

std::string Axes(const Plane& plane, const ChartOptions& options) {
  std::string svg;
  const auto count = [](const AxisTicks& ticks) { return std::lround((ticks.end - ticks.begin) / ticks.step); };
  for (long i = 0; i <= count(plane.y); ++i) {
    const double value = plane.y.begin + static_cast<double>(i) * plane.y.step;
    svg += Concat("<line x1=\"", Pixel(plane.left), "\" x2=\"", Pixel(plane.right), "\" y1=\"", plane.Y(value),
                  "\" y2=\"", plane.Y(value), "\" stroke=\"#ddd\"/>\n");
    svg += Text(Pixel(plane.left - 6), plane.Y(value), "text-anchor=\"end\" dominant-baseline=\"middle\"",
                TickText(value, plane.y.step));
  }
  for (long i = 0; i <= count(plane.x); ++i) {
    const double value = plane.x.begin + static_cast<double>(i) * plane.x.step;
    svg += Text(plane.X(value), Pixel(plane.bottom + 16), "text-anchor=\"middle\"", TickText(value, plane.x.step));
  }
  svg += Concat("<line x1=\"", Pixel(plane.left), "\" x2=\"", Pixel(plane.right), "\" y1=\"", Pixel(plane.bottom),
                "\" y2=\"", Pixel(plane.bottom), "\" stroke=\"#333\"/>\n");
  svg +=
      Text(Pixel((plane.left + plane.right) / 2), Pixel(plane.bottom + 36), "text-anchor=\"middle\"", options.x_label);
  const std::string middle = Pixel((plane.top + plane.bottom) / 2);
  svg += Text("14", middle, Concat("text-anchor=\"middle\" transform=\"rotate(-90 14 ", middle, ")\"").c_str(),
              options.y_label);
  return svg;
}

std::string Line(const Plane& plane, const Series& series, std::size_t style) {
  std::string path;
  bool down = false;
  for (const auto& [x, y] : series.points) {
    const bool drawn = std::isfinite(x) && std::isfinite(y);
    if (drawn) path += Concat(down ? "L" : "M", plane.X(x), " ", plane.Y(y), " ");
    down = drawn;
  }
  if (path.empty()) return "";
  path.pop_back();
  return Concat("<path d=\"", path, "\" fill=\"none\" stroke-width=\"2\" stroke-linejoin=\"round\" stroke=\"",
                kColors[style % std::size(kColors)], "\" stroke-dasharray=\"", kDashes[style % std::size(kDashes)],
                "\"/>\n");
}

// Entries side by side under the title, as many a line as the width holds (7 pixels a letter is generous at 12 px).
std::string Legend(const std::vector<Series>& series, const ChartOptions& options, int* lines) {
  std::string svg;
  double x = kLeft;
  int line = 0;
  for (std::size_t i = 0; i < series.size(); ++i) {
    const double width = 34 + 7.0 * static_cast<double>(series[i].name.size());
    if (x + width > options.width - kRight && x > kLeft) x = kLeft, ++line;
    const std::string y = Pixel(kTop + line * kLegendLine);
    svg += Concat("<line x1=\"", Pixel(x), "\" x2=\"", Pixel(x + 20), "\" y1=\"", y, "\" y2=\"", y,
                  "\" stroke-width=\"2\" stroke=\"", kColors[i % std::size(kColors)], "\" stroke-dasharray=\"",
                  kDashes[i % std::size(kDashes)], "\"/>\n");
    svg += Text(Pixel(x + 25), y, "dominant-baseline=\"middle\"", series[i].name);
    x += width;
  }
  *lines = series.empty() ? 0 : line + 1;
  return svg;
}

}  // namespace

std::string EscapeXml(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += static_cast<unsigned char>(c) < 0x20 && c != '\n' ? ' ' : c;
    }
  }
  return escaped;
}

AxisTicks TicksFor(double low, double high) {
  if (!(high > low)) {  // one value: an axis around it
    const double half = low == 0 ? 0.5 : std::fabs(low) * 0.1;
    low -= half, high += half;
  }
  const double rough = (high - low) / 5;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double factor : {5.0, 2.0, 1.0})
    if (factor * power >= rough) step = factor * power;
  // Ends that are on a step to 9 digits stay there.
  return {std::floor(low / step + 1e-9) * step, std::ceil(high / step - 1e-9) * step, step};
}

std::string LineChart(const ChartOptions& options, const std::vector<Series>& series) {
  Range x, y;
  for (const Series& one : series) {
    for (const auto& [px, py] : one.points)
      if (std::isfinite(px) && std::isfinite(py)) x.Add(px), y.Add(py);
  }
  std::string svg =
      Concat("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 ", options.width, " ", options.height,
             "\" width=\"", options.width, "\" height=\"", options.height, "\" role=\"img\" aria-label=\"",
             EscapeXml(options.title), "\" font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"#333\">\n");
  svg += Text(Pixel(kLeft), "16", "font-size=\"14\" font-weight=\"600\"", options.title);
  if (x.low > x.high)
    return svg + Text(Pixel(options.width / 2.0), Pixel(options.height / 2.0), "text-anchor=\"middle\"", "no data") +
           "</svg>\n";
  int legend_lines = 0;
  svg += Legend(series, options, &legend_lines);
  const Plane plane = {.x = TicksFor(x.low, x.high),
                       .y = TicksFor(y.low, y.high),
                       .left = kLeft,
                       .right = static_cast<double>(options.width - kRight),
                       .top = static_cast<double>(kTop + legend_lines * kLegendLine),
                       .bottom = static_cast<double>(options.height - kBottom)};
  svg += Axes(plane, options);
  for (const Mark& mark : options.marks) {
    if (!(mark.x >= plane.x.begin && mark.x <= plane.x.end)) continue;
    svg += Concat("<line x1=\"", plane.X(mark.x), "\" x2=\"", plane.X(mark.x), "\" y1=\"", Pixel(plane.top), "\" y2=\"",
                  Pixel(plane.bottom), "\" stroke=\"#888\" stroke-dasharray=\"3 3\"/>\n");
    svg += Concat("<text x=\"", plane.X(mark.x), "\" y=\"", Pixel(plane.bottom - 4),
                  "\" font-size=\"11\" fill=\"#555\" ", "transform=\"rotate(-90 ", plane.X(mark.x), " ",
                  Pixel(plane.bottom - 4), ") translate(2 -3)\">", EscapeXml(mark.text), "</text>\n");
  }
  for (std::size_t i = 0; i < series.size(); ++i) svg += Line(plane, series[i], i);
  return svg + "</svg>\n";
}

}  // namespace consilium::report
