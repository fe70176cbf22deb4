// A whole training: epochs, metrics, checkpoints, and the way back after a stop.
#pragma once

#include <functional>
#include <optional>

#include "comm/base/time.h"
#include "trainer/loop/progress.h"
#include "trainer/loop/run_directory.h"
#include "trainer/loop/run_privacy.h"
#include "trainer/loop/trainer.h"

namespace consilium::trainer {

struct TrainingRunOptions {
  wire::JobSpec job;  // resolved
  Trainer* trainer = nullptr;
  collective::Communicator* communicator = nullptr;
  RunDirectory* run = nullptr;  // of rank 0; null on the others
  Progress* progress = nullptr;
  RunPrivacy* privacy = nullptr;  // of a job with privacy.records, else null
  const Clock* clock = &SystemClock();
};

struct TrainingOutcome {
  std::int64_t epochs = 0;
  double train_loss = 0;                          // of the last epoch; NaN when it was trained by an earlier run
  std::optional<double> ema_dice, best_ema_dice;  // pseudo Dice
  std::optional<dp::RecordReport> privacy;
};

// Strand-bound.
class TrainingRun {
 public:
  explicit TrainingRun(const TrainingRunOptions& options);
  ~TrainingRun();

  // Collective.  Takes up the newest checkpoint of the RUN directory, on all ranks: the final one when training is
  // done, else the latest; from the beginning when there is none.
  Status Restore();

  // Collective.  Trains what is left, and leaves checkpoint_final.  Errors: Preempted when the trainer was asked to
  // stop (after a checkpoint), PrivacyBudget when the budget bears no further step (after a checkpoint), Storage, and
  // whatever the trainer says; all ranks get the same.
  StatusOr<TrainingOutcome> Finish();

 private:
  class Sink;
  Checkpoint Capture() const;
  std::int64_t StepsDone() const;
  Status PayForRelease();
  Status SaveLatest();
  Status RestoreHere();
  Status AfterEpoch(const EpochReport& epoch, const ValidationReport& validation);
  Status Stopped(const Status& why);
  bool writes() const { return options_.run != nullptr; }

  const TrainingRunOptions options_;
  const wire::Schedule schedule_;
  CheckpointMeta meta_;  // what a checkpoint says besides the cursor
  double train_loss_;
  Instant last_saved_;
};

}  // namespace consilium::trainer
