// One optimizer step on this rank: forward, loss, backward with gradients averaged over the ranks, correct, clip,
// update.
#pragma once

#include <torch/torch.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "comm/collective/gradient_reducer.h"
#include "comm/wire/job.h"
#include "trainer/loop/batch_loader.h"
#include "trainer/loop/batch_split.h"
#include "trainer/loop/gradient_corrector.h"
#include "trainer/loop/nesterov_sgd.h"
#include "trainer/models/loss.h"
#include "trainer/models/segmentation_model.h"
#include "trainer/privacy/private_gradient.h"

namespace consilium::trainer {

// Strand-bound.  After an error gradients may be half summed: the engine is of no further use.
class StepEngine {
 public:
  // Collective.  `model` is on `device`, in training mode; all ranks get rank 0's weights.
  static StatusOr<std::unique_ptr<StepEngine>> Create(std::shared_ptr<SegmentationModel> model,
                                                      collective::Communicator& communicator, torch::Device device,
                                                      const wire::TrainSpec& train,
                                                      collective::OverlapTrace* overlap_trace);

  // Collective.  A throw-away step, so that a resumed run sums gradients in the order of one that never stopped.
  Status Warmup(const Batch& batch, const Share& share);

  struct StepResult {
    double loss = 0;           // this rank's part: the sum over ranks is the global batch's
    double gradient_norm = 0;  // corrected, before clipping; the same on all ranks
  };
  // Collective.  Takes one batch a share from the loader.  Failed when the gradient is not finite; weights are then
  // untouched.
  StatusOr<StepResult> Step(BatchLoader& loader, const std::vector<Share>& shares, double learning_rate);

  // One rank only.  A step on the noisy mean of the clipped gradients of `records`, each a batch of one patch (so that
  // Dice over the batch and deep supervision are a record's own); none is legal.  The gradient's norm, after the noise.
  StatusOr<double> PrivateStep(std::span<const Batch> records, PrivateGradient& gradient, dp::NoiseSource* noise,
                               double learning_rate);

  struct Evaluation {
    double loss = 0;       // this rank's part
    torch::Tensor counts;  // CountOverlap() of this rank's samples
  };
  // Collective.  No gradients.  The same loss as in training, deep supervision included.
  StatusOr<Evaluation> Evaluate(const Batch& batch, const Share& share);

  NesterovSgd& sgd() { return sgd_; }
  // Set it alike on every rank.
  GradientCorrector& corrector() { return corrector_; }

 private:
  StepEngine(std::shared_ptr<SegmentationModel> model, collective::Communicator& communicator, torch::Device device,
             const wire::TrainSpec& train, collective::NamedTensors parameters);

  struct Output {
    torch::Tensor logits;  // highest resolution
    torch::Tensor target;  // on the device
    torch::Tensor loss;    // mean over the share (2D: Dice over the whole micro-batch)
  };
  StatusOr<Output> Forward(const Batch& batch, const Share& share);
  LossOptions LossFor(const Share& share);
  double PartOf(const Share& share) const;
  // The parameters' gradients are there: correct, clip, update.  Their norm before the clipping.  `about`: for the
  // error.
  StatusOr<double> Update(double learning_rate, const std::string& about);

  std::shared_ptr<SegmentationModel> model_;
  collective::Communicator& communicator_;
  const torch::Device device_;
  const wire::TrainSpec train_;
  NesterovSgd sgd_;
  GradientCorrector corrector_;
  std::unique_ptr<collective::GradientReducer> reducer_;
  Status sum_failure_;  // of SumOverRanks, which can only throw
};

}  // namespace consilium::trainer
