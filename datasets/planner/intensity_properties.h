// A channel's intensities over all cases' foreground, as the plans file has them, from sums and a histogram.
#pragma once

#include "datasets/planner/fingerprint.h"
#include "datasets/planner/site_statistics.h"

namespace consilium::datasets {

// channel.cases >= 1.
IntensityProperties PropertiesOf(const IntensityStatistics& channel);

}  // namespace consilium::datasets
