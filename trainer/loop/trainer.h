// Trains one segmentation model: the same class behind `consilium train` and behind a site's worker, so that a
// federation of one site with one local epoch a round is plain training, bit for bit.
//
// The state is exactly (parameters, momentum, cursor): patches are a pure function of the global step, the learning
// rate of the global epoch.  Whoever saves these three and loads them elsewhere continues bit for bit, for the same
// ranks, threads and machine.
//
// Recipe (nnU-Net; Isensee et al., Nature Methods 18, 2021): SGD with Nesterov momentum, weight decay on everything,
// the L2 norm of the averaged gradient clipped, a polynomial learning rate set at the start of each epoch, soft Dice +
// cross entropy with deep supervision.  Dice is averaged over samples in 3D and summed over the batch first in 2D.
//
// Ranks: a micro-batch of batch_size / gradient_accumulation patches is split over the ranks, the first ones take the
// remainder, and each rank's loss is weighted by its share: k ranks compute the gradient of one process, even or not.
//
// A job with privacy.records trains by DP-SGD instead (Abadi et al., CCS 2016): each case is in a step with probability
// batch_size / cases, independently; one patch of each; its gradient clipped; noise added to the sum, which is divided
// by batch_size.  What follows (local methods, gradient_clip, momentum) works on the noisy gradient.  No loss is told
// and nothing is validated: both would tell of cases without noise.
//
// Thread rule: strand-bound.  Every rank calls the same collective operations (marked below) in the same order.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "comm/collective/communicator.h"
#include "comm/collective/overlap_trace.h"
#include "comm/tensor/parameter_vector.h"
#include "comm/wire/job.h"
#include "datasets/preprocess/prepared_case.h"
#include "privacy/dp/noise.h"
#include "privacy/dp/record_account.h"
#include "trainer/local/gradient_correction.h"

namespace consilium::trainer {

class SegmentationModel;

struct TrainerOptions {
  wire::JobSpec job;
  std::int64_t classes = 2;                                  // background included
  std::span<const datasets::PreparedCase> train_cases;       // with labels; not empty; must outlive the trainer
  std::span<const datasets::PreparedCase> validation_cases;  // with labels; may be empty; must outlive the trainer
  collective::Communicator* communicator = nullptr;          // must outlive the trainer; null: one process
  std::string device = "auto";                               // auto | cpu | cuda | cuda:N; auto: cuda:local_rank if any
  // Asked before every step, from the thread that trains; true on any rank stops all of them after that step.
  std::function<bool()> should_stop;
  collective::OverlapTrace* overlap_trace = nullptr;  // not owned; may be null
};

// One optimizer step that is done.  The same on every rank, except for times.
struct StepReport {
  std::int64_t epoch = 0;       // global
  std::int64_t iteration = 0;   // 0-based, within the epoch
  std::int64_t iterations = 0;  // in an epoch
  double learning_rate = 0;
  double loss = 0;                // over the global batch; NaN with privacy.records
  double gradient_norm = 0;       // of the averaged gradient, before clipping; with privacy.records of the noisy one
  double seconds = 0;             // this step took
  double patches_per_second = 0;  // of this step, all ranks together
};

class EpochSink {
 public:
  virtual ~EpochSink() = default;
  // After each step, when parameters, momentum and cursor stand right after it; the place to save a checkpoint.  A
  // failure stops all ranks (on the others: kCancelled, with its message).
  virtual Status OnStep(const StepReport& step) = 0;
};

struct EpochReport {
  std::int64_t epoch = 0;
  double learning_rate = 0;
  double loss = 0;     // mean over the epoch's steps; NaN with privacy.records
  double seconds = 0;  // of training; over all runs that took part in this epoch
  double patches_per_second = 0;
};

struct ValidationReport {
  double loss = 0;                  // mean over the batches, as in training; NaN without validation
  std::vector<double> pseudo_dice;  // a foreground class: 2 TP / (2 TP + FP + FN) over all batches; NaN if absent
  double mean_dice = 0;             // of those that are not NaN; NaN without any
};

// How far training has come.
struct Cursor {
  std::int64_t epoch = 0;
  std::int64_t iteration = 0;  // steps of this epoch that are done; all of them: its validation comes next
  double loss_sum = 0;         // of those steps
  double seconds = 0;          // of those steps
};

class Trainer {
 public:
  // Collective.  Starts from the job's seeded weights.  Sets torch's number of threads for the whole process.
  // Errors: InvalidArgument (no cases, channels that differ, fewer patches in a micro-batch than ranks, a device that
  // is not there; with privacy.records: several ranks, a layer that mixes samples, by its name, fewer cases than
  // batch_size), and those of the communicator.
  static StatusOr<std::unique_ptr<Trainer>> Create(TrainerOptions options);
  virtual ~Trainer() = default;

  // Collective.  Trains epoch number `epoch` of the whole schedule (wire::ScheduleOf), from where the cursor stands in
  // it, else from its first step.  Afterwards the cursor stands at {epoch, iterations}.
  // Errors: kCancelled when should_stop() said so (on all ranks; the last step is whole, training can go on from the
  // cursor); the sink's; Failed for a gradient or loss that is not finite; FailedPrecondition without SetNoise() where
  // it is due; GuardTorch's; the communicator's.
  virtual StatusOr<EpochReport> TrainEpoch(std::int64_t epoch, EpochSink& sink) = 0;

  // Collective.  Pseudo Dice and loss on patches of the validation cases, the same ones for the same epoch.  Moves the
  // cursor to {epoch + 1, 0}.  Empty numbers (NaN) when there are no validation cases or iterations.
  virtual StatusOr<ValidationReport> ValidateEpoch(std::int64_t epoch) = 0;

  // With privacy.records: what a step costs; nothing without.
  virtual std::optional<dp::SampledGaussian> mechanism() const = 0;
  // With privacy.records, before the first epoch of each release: which cases the steps take and what noise they add
  // is a function of `secret` and `purpose`, and goes on from one epoch to the next.  `secret`: as for dp::NoiseSource;
  // the same two give the same draws, so they stand for the same work on the same data only.
  virtual void SetNoise(const SecretBytes& secret, const std::string& purpose) = 0;

  // Copies.  Both vectors have the model's schema; momentum is 0 before the first step.
  virtual tensor::ParameterVector Parameters() const = 0;
  virtual tensor::ParameterVector Momentum() const = 0;
  virtual Cursor cursor() const = 0;

  // Parameters as they come, e.g. a global model: momentum stays, an epoch half done is forgotten.  Nothing is changed
  // unless everything fits.  Not collective: call it on all ranks, or Synchronize() afterwards.
  virtual Status LoadParameters(const tensor::ParameterVector& parameters) = 0;
  virtual Status LoadMomentum(const tensor::ParameterVector& momentum) = 0;
  virtual Status SetCursor(const Cursor& cursor) = 0;
  // From the next step on, until set anew; none at the start.  The same on every rank, or Synchronize() afterwards.
  // Errors: InvalidArgument for a tensor that the model does not train.
  virtual Status SetCorrection(GradientCorrection correction) = 0;
  // Collective.  Every rank takes rank 0's parameters, momentum, cursor and correction.
  virtual Status Synchronize() = 0;

  // Of the steps since SetCorrection() asked to record it; 0 where nothing was recorded.  The model's schema.
  virtual tensor::ParameterVector MeanGradient() const = 0;
  // Collective.  Mean loss (Dice + cross entropy, from -1 up) of the weights as they are over `batches` batches of
  // training patches without augmentation: the same patches at every call.  Nothing is trained.
  virtual StatusOr<double> TrainingLoss(std::int64_t batches) = 0;

  // The momentum as a safetensors file, e.g. what a site keeps between two rounds.
  Status SaveOptimizer(const std::filesystem::path& path) const;
  Status LoadOptimizer(const std::filesystem::path& path);

  // The network itself, on device(), e.g. to predict whole cases between two epochs.  Do not train it elsewhere.
  virtual std::shared_ptr<SegmentationModel> network() = 0;
  virtual std::string device() const = 0;  // "cpu", "cuda:0"
  virtual int threads() const = 0;         // of this process
};

}  // namespace consilium::trainer
