#include "datasets/planner/intensity_properties.h"

#include <algorithm>
#include <cmath>

namespace consilium::datasets {

IntensityProperties PropertiesOf(const IntensityStatistics& channel) {
  const double cases = static_cast<double>(channel.cases);
  const double mean = channel.mean.Value() / cases;
  // Over all cases: the mean of the variances plus the variance of the means.
  const double variance = channel.variance.Value() / cases + channel.mean_squared.Value() / cases - mean * mean;
  const std::vector<double> at = channel.values.Percentiles(std::vector<double>{0, 0.5, 50, 99.5, 100}, channel.kind);
  return {.mean = mean,
          .median = at[2],
          .std = std::sqrt(std::max(variance, 0.0)),
          .min = at[0],
          .max = at[4],
          .percentile_00_5 = at[1],
          .percentile_99_5 = at[3]};
}

}  // namespace consilium::datasets
