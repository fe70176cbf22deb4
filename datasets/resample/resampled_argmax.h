// From a network's logits to labels on another grid, without all logits ever being there at once: neither those of the
// network's grid, which come a few slices at a time, nor those of the other one.
//
// nnU-Net resamples the logits of all classes and takes the largest afterwards: classes x voxels x 4 bytes, which is
// what fills the memory with many classes on a large scan.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "datasets/resample/resample.h"

namespace consilium::datasets {

// The class of the largest logit, the first of equals, at each voxel of grid.to.  Between voxels logits are
// interpolated linearly as ResampleImage() does; along the separate axis the nearest is taken.  The result does not
// depend on how many slices come at a time, nor on threads.  Memory beside the result: a slice of logits of all
// classes, and for each thread two slices of one class.  Strand-bound.
class ResampledArgmax {
 public:
  ResampledArgmax(const ResampleGrid& grid, std::int64_t classes, unsigned threads = 1);

  // [K, slices, y, x]: the next slices of grid.from, in order along z.
  void Push(std::span<const float> logits, std::int64_t slices);
  // [z, y, x] of grid.to, after the last slice.
  std::vector<std::int16_t> Finish() &&;

 private:
  // Where an output lies between two inputs: (1 - t) of `low`, t of `high`.
  struct Between {
    std::size_t low = 0, high = 0;
    float t = 0;
  };
  struct Scratch;
  static std::vector<Between> AlongAxis(const ResampleGrid& grid, std::size_t axis);
  void Make(std::size_t z, std::span<const float> logits, std::int64_t slices, Scratch* scratch);
  const float* SliceOf(std::size_t z, std::size_t k, std::span<const float> logits, std::int64_t slices) const;

  ResampleGrid grid_;
  std::size_t classes_;
  unsigned threads_;
  std::vector<Between> z_, y_, x_;
  std::vector<float> last_;  // [K, y, x]: the last slice that came before those being pushed
  std::size_t begin_ = 0;    // of the slices being pushed
  std::size_t next_ = 0;     // output slice that is still to be made
  std::vector<std::int16_t> labels_;
};

}  // namespace consilium::datasets
