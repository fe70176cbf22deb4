#include "comm/report/svg_chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace consilium::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Ticks, CoverTheRangeInFewRoundSteps) {
  for (const auto& [low, high] : {std::pair{0.0, 1.0}, {0.513, 0.832}, {-3.0, 1200.0}, {1e-9, 2e-9}, {5e7, 9e8}}) {
    const AxisTicks ticks = TicksFor(low, high);
    EXPECT_LE(ticks.begin, low + 1e-6 * ticks.step) << low << " " << high;
    EXPECT_GE(ticks.end, high - 1e-6 * ticks.step) << low << " " << high;
    const double steps = (ticks.end - ticks.begin) / ticks.step;
    EXPECT_NEAR(steps, std::round(steps), 1e-6);
    EXPECT_GE(steps, 2.9);
    EXPECT_LE(steps, 8.1);
  }
}

TEST(Ticks, OneValueGetsAnAxisAroundIt) {
  for (const double value : {0.0, 0.8, -40.0}) {
    const AxisTicks ticks = TicksFor(value, value);
    EXPECT_LT(ticks.begin, value);
    EXPECT_GT(ticks.end, value);
  }
}

TEST(LineChart, DrawsEachSeriesAndLeavesGapsWhereValuesAreMissing) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::string svg =
      LineChart({.title = "Dice", .x_label = "round", .y_label = "Dice"},
                {{"a", {{0, 0.1}, {1, 0.2}, {2, nan}, {3, 0.4}, {4, 0.5}}}, {"b", {{0, 0.3}, {4, 0.6}}}});
  EXPECT_THAT(svg, HasSubstr(">a</text>"));
  EXPECT_THAT(svg, HasSubstr(">b</text>"));
  EXPECT_THAT(svg, Not(HasSubstr(" nan")));
  std::size_t moves = 0;
  for (std::size_t at = svg.find("<path d=\"M"); at != std::string::npos; at = svg.find("<path d=\"M", at + 1)) ++moves;
  EXPECT_EQ(moves, 2u) << svg;
  const std::size_t begin = svg.find("<path d=\"");
  const std::string first = svg.substr(begin, svg.find("\" fill", begin) - begin);
  EXPECT_EQ(std::count(first.begin(), first.end(), 'M'), 2) << "a gap starts a new line: " << first;
}

TEST(LineChart, WithoutDataSaysSo) {
  EXPECT_THAT(LineChart({.title = "Loss"}, {}), HasSubstr("no data"));
  EXPECT_THAT(LineChart({.title = "Loss"}, {{"a", {{0, std::nan("")}}}}), HasSubstr("no data"));
}

TEST(LineChart, NamesCannotBreakOutOfTheText) {
  const std::string svg = LineChart({.title = "<script>alert(1)</script>", .x_label = "a&b"}, {{"\"x'", {{0, 1}}}});
  EXPECT_THAT(svg, Not(HasSubstr("<script>")));
  EXPECT_THAT(svg, HasSubstr("a&amp;b"));
  EXPECT_THAT(svg, HasSubstr("&quot;x&#39;"));
}

TEST(LineChart, AMarkOutsideTheAxisIsLeftOut) {
  const std::string svg = LineChart({.marks = {{2, "inside"}, {99, "outside"}}}, {{"a", {{0, 1}, {4, 2}}}});
  EXPECT_THAT(svg, HasSubstr("inside"));
  EXPECT_THAT(svg, Not(HasSubstr("outside")));
}

}  // namespace
}  // namespace consilium::report
