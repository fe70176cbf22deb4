// Resampling of one line of voxels; an image is resampled by doing so along each axis in turn.
#pragma once

#include <span>
#include <vector>

#include "datasets/resample/resample.h"

namespace consilium::datasets {

// Strand-bound: keeps its scratch memory from line to line.
class LineFilter {
 public:
  LineFilter(std::int64_t from, std::int64_t to, Interpolation interpolation);
  // `in` has `from` numbers, `out` gets `to`.
  void Apply(std::span<const double> in, std::span<double> out);

 private:
  struct Tap {
    std::int64_t first;  // index of the first coefficient
    double weights[4];
  };
  void Coefficients(std::span<const double> in);

  std::int64_t from_;
  Interpolation interpolation_;
  std::vector<Tap> taps_;             // one an output
  std::vector<double> coefficients_;  // of the padded line
};

// The input nearest to each output; ties go up.
std::vector<std::int64_t> NearestIndices(std::int64_t from, std::int64_t to);

}  // namespace consilium::datasets
