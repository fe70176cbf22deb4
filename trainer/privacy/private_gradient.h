// The gradient of DP-SGD: each record's own gradient clipped, the clipped ones summed, Gaussian noise added, divided by
// the number of records that a sample has on average.
//
// M. Abadi et al., "Deep learning with differential privacy", CCS 2016, algorithm 1; the divisor is the expected and
// not the real size of the sample, which is private itself.  One backward pass a record: for networks of any shape, and
// no dearer than batches where a batch holds few records, as in 3D.
#pragma once

#include <torch/torch.h>

#include <vector>

#include "comm/base/status.h"
#include "privacy/dp/noise.h"

namespace consilium::trainer {

struct PrivateGradientOptions {
  double clip = 1;              // L2 norm over all parameters of what one record may add
  double noise_multiplier = 1;  // the noise's standard deviation in units of clip, on the sum
  double expected_records = 1;  // sampling rate times records
};

// Strand-bound.
class PrivateGradient {
 public:
  // The trained parameters, shared with the model, which passed CheckSamplesStayApart().
  PrivateGradient(std::vector<torch::Tensor> parameters, const PrivateGradientOptions& options);

  // Back-propagates the loss of one record (the mean over its patches), and adds its clipped gradient.  Leaves the
  // parameters' gradients undefined.  A gradient that is not finite adds nothing (an error would tell of the record).
  // Errors: GuardTorch's.
  Status Add(const torch::Tensor& loss_of_one_record);

  // Writes the noisy mean into the parameters' gradients and begins anew; also right after no Add() at all: an empty
  // sample is noised as any other.
  Status Finish(dp::NoiseSource* noise);

  // Of the records added since Finish(); tells about the data: never to be released.
  std::int64_t records() const { return records_; }
  std::int64_t clipped() const { return clipped_; }
  std::int64_t not_finite() const { return not_finite_; }

 private:
  const std::vector<torch::Tensor> parameters_;
  const PrivateGradientOptions options_;
  std::vector<torch::Tensor> sums_;  // f32, on the parameters' device
  std::int64_t records_ = 0, clipped_ = 0, not_finite_ = 0;
};

}  // namespace consilium::trainer
