// A line chart as SVG text, to stand inside an HTML page or in a file of its own.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace consilium::report {

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;  // (x, y), in the order of x; a NaN or infinite y leaves a gap
};

struct Mark {
  double x = 0;
  std::string text;  // "coordinator killed"
};

struct ChartOptions {
  std::string title;
  std::string x_label, y_label;
  int width = 640, height = 320;  // pixels
  std::vector<Mark> marks;        // vertical lines
};

// A chart without any finite point is a frame that says "no data".  Deterministic: equal input, equal text.
std::string LineChart(const ChartOptions& options, const std::vector<Series>& series);

// Ends of an axis and its step: 3 to 8 steps of 1, 2 or 5 times a power of ten that cover [low, high] (finite, low <=
// high).
struct AxisTicks {
  double begin = 0, end = 1, step = 0.2;
};
AxisTicks TicksFor(double low, double high);

// "&", "<", ">", quotes as entities; control characters as spaces.
std::string EscapeXml(const std::string& text);

}  // namespace consilium::report
