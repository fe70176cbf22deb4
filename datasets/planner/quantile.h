// Order statistics as NumPy computes them, so that plans equal nnU-Net's.
#pragma once

#include <vector>

namespace consilium::datasets {

// numpy.percentile(values, percent) with linear interpolation between neighbours; percent in [0, 100], values not
// empty.
double Percentile(std::vector<double> values, double percent);
// numpy.median: the mean of the two middle values when their number is even.
double Median(std::vector<double> values);

}  // namespace consilium::datasets
