#include "datasets/planner/quantile.h"

#include <algorithm>
#include <cmath>

#include "comm/base/status.h"

namespace consilium::datasets {

double Percentile(std::vector<double> values, double percent) {
  CONSILIUM_CHECK(!values.empty() && percent >= 0 && percent <= 100, values.size(), " values, ", percent, " %");
  std::sort(values.begin(), values.end());
  const double position = percent / 100 * static_cast<double>(values.size() - 1);
  const double below = std::floor(position);
  const double low = values[static_cast<std::size_t>(below)];
  const double high = values[std::min(static_cast<std::size_t>(below) + 1, values.size() - 1)];
  // NumPy interpolates from the nearer end, so that the result is exact at both.
  const double t = position - below;
  return t < 0.5 ? low + (high - low) * t : high - (high - low) * (1 - t);
}

double Median(std::vector<double> values) {
  CONSILIUM_CHECK(!values.empty(), "median of nothing");
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

}  // namespace consilium::datasets
