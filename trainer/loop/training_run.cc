#include "trainer/loop/training_run.h"

#include <limits>

#include "trainer/loop/metrics_log.h"
#include "trainer/loop/pseudo_dice.h"

namespace consilium::trainer {
namespace {

constexpr char kMetricsFile[] = "metrics.jsonl";

Json MetricsOf(const EpochReport& epoch, const ValidationReport& validation, std::optional<double> ema,
               const std::optional<dp::RecordReport>& privacy) {
  Json metrics = {{"epoch", epoch.epoch},
                  {"learning_rate", epoch.learning_rate},
                  {"train_loss", epoch.loss},
                  {"validation_loss", validation.loss},
                  {"pseudo_dice", validation.pseudo_dice},
                  {"mean_dice", validation.mean_dice},
                  {"ema_dice", ema ? Json(*ema) : Json(nullptr)},
                  {"seconds", epoch.seconds},
                  {"patches_per_second", epoch.patches_per_second}};
  if (privacy) metrics["privacy"] = dp::ToJson(*privacy);
  return metrics;
}

}  // namespace

// Saves the latest checkpoint when it is time.
class TrainingRun::Sink final : public EpochSink {
 public:
  explicit Sink(TrainingRun& run) : run_(run) {}
  Status OnStep(const StepReport& step) override {
    run_.options_.progress->OnStep(step);
    const TrainingRunOptions& options = run_.options_;
    const std::int64_t steps = run_.schedule_.epochs * run_.schedule_.iterations;
    if (options.privacy != nullptr && run_.StepsDone() == options.privacy->last_step() && run_.StepsDone() < steps)
      return options.privacy->Spent(steps);
    if (!run_.writes() || options.clock->Now() - run_.last_saved_ < options.job.train.checkpoint_every) return Status();
    return run_.SaveLatest();
  }

 private:
  TrainingRun& run_;
};

TrainingRun::TrainingRun(const TrainingRunOptions& options)
    : options_(options),
      schedule_(wire::ScheduleOf(options.job)),
      train_loss_(std::numeric_limits<double>::quiet_NaN()),
      last_saved_(options.clock->Now()) {
  meta_.world = options.communicator->world();
  meta_.threads = options.trainer->threads();
  meta_.job_digest = wire::JobDigest(options.job).ToHex();
}

TrainingRun::~TrainingRun() = default;

Checkpoint TrainingRun::Capture() const {
  const Cursor cursor = options_.trainer->cursor();
  Checkpoint checkpoint;
  checkpoint.meta = meta_;
  checkpoint.meta.epoch = cursor.epoch;
  checkpoint.meta.iteration = cursor.iteration;
  checkpoint.meta.step = cursor.epoch * schedule_.iterations + cursor.iteration;
  checkpoint.meta.loss_sum = cursor.loss_sum;
  checkpoint.meta.seconds = cursor.seconds;
  checkpoint.weights = options_.trainer->Parameters();
  return checkpoint;
}

std::int64_t TrainingRun::StepsDone() const {
  const Cursor cursor = options_.trainer->cursor();
  return cursor.epoch * schedule_.iterations + cursor.iteration;
}

Status TrainingRun::PayForRelease() {
  return options_.privacy == nullptr ? Status() : options_.privacy->Pay(StepsDone());
}

Status TrainingRun::SaveLatest() {
  RETURN_IF_ERROR(PayForRelease());
  Checkpoint checkpoint = Capture();
  checkpoint.momentum = options_.trainer->Momentum();
  RETURN_IF_ERROR(options_.run->checkpoints().Save(CheckpointKind::kLatest, checkpoint));
  last_saved_ = options_.clock->Now();
  return Status();
}

// On rank 0.
Status TrainingRun::RestoreHere() {
  std::vector<std::string> notices;
  std::optional<Checkpoint> checkpoint;
  for (const CheckpointKind kind : {CheckpointKind::kFinal, CheckpointKind::kLatest}) {
    StatusOr<std::optional<Checkpoint>> loaded = options_.run->checkpoints().Load(kind, &notices);
    for (const std::string& notice : notices) options_.progress->Say(notice);
    notices.clear();
    if (!loaded.ok()) return loaded.status();
    checkpoint = std::move(loaded).value();
    if (checkpoint) break;
  }
  if (!checkpoint) return Status();
  const CheckpointMeta& saved = checkpoint->meta;
  RETURN_IF_ERROR(options_.trainer->LoadParameters(checkpoint->weights));
  if (checkpoint->momentum) RETURN_IF_ERROR(options_.trainer->LoadMomentum(*checkpoint->momentum));
  RETURN_IF_ERROR(options_.trainer->SetCursor(
      {.epoch = saved.epoch, .iteration = saved.iteration, .loss_sum = saved.loss_sum, .seconds = saved.seconds}));
  if (saved.world != meta_.world || saved.threads != meta_.threads)
    options_.progress->Say(Concat("The checkpoint was made by ", saved.world, " ranks with ", saved.threads,
                                  " threads, this run has ", meta_.world, " with ", meta_.threads,
                                  ": the same patches, weights equal to rounding but not bit for bit"));
  meta_.ema_dice = saved.ema_dice;
  meta_.best_ema_dice = saved.best_ema_dice;
  meta_.metrics = saved.metrics;
  options_.progress->Say(
      Concat("Resuming at step ", saved.step, " (epoch ", saved.epoch + 1, ", iteration ", saved.iteration, ")"));
  return Status();
}

Status TrainingRun::Restore() {
  RETURN_IF_ERROR(options_.communicator->Agree(writes() ? RestoreHere() : Status()));
  return options_.trainer->Synchronize();
}

// On rank 0.
Status TrainingRun::AfterEpoch(const EpochReport& epoch, const ValidationReport& validation) {
  meta_.ema_dice = UpdateEma(meta_.ema_dice, validation.mean_dice);
  const bool is_best = meta_.ema_dice && (!meta_.best_ema_dice || *meta_.ema_dice > *meta_.best_ema_dice);
  if (is_best) meta_.best_ema_dice = meta_.ema_dice;
  std::optional<dp::RecordReport> privacy;
  if (options_.privacy != nullptr) {
    ASSIGN_OR_RETURN(privacy, options_.privacy->Report(StepsDone()));
  }
  meta_.metrics = MetricsOf(epoch, validation, meta_.ema_dice, privacy);
  options_.progress->OnEpoch(epoch, validation, is_best);
  ASSIGN_OR_RETURN(MetricsLog metrics, MetricsLog::Open(options_.run->path() / kMetricsFile, epoch.epoch));
  RETURN_IF_ERROR(metrics.Append(meta_.metrics));
  return is_best ? options_.run->checkpoints().Save(CheckpointKind::kBest, Capture()) : Status();
}

Status TrainingRun::Stopped(const Status& why) {
  if (why.code() == StatusCode::kPrivacyBudget) {
    RETURN_IF_ERROR(writes() ? SaveLatest() : Status());
    return why;
  }
  if (why.code() != StatusCode::kCancelled) return why;
  RETURN_IF_ERROR(options_.communicator->Agree(writes() ? SaveLatest() : Status()));
  const Cursor cursor = options_.trainer->cursor();
  return Preempted("stopped on request after step ", cursor.epoch * schedule_.iterations + cursor.iteration, " of ",
                   schedule_.epochs * schedule_.iterations, "; --resume goes on from there");
}

StatusOr<TrainingOutcome> TrainingRun::Finish() {
  Sink sink(*this);
  const Cursor start = options_.trainer->cursor();
  const bool done_before = start.epoch == schedule_.epochs;
  if (options_.privacy != nullptr)
    RETURN_IF_ERROR(options_.privacy->Begin(StepsDone(), schedule_.epochs * schedule_.iterations));
  options_.progress->Begin(start.epoch * schedule_.iterations + start.iteration);
  last_saved_ = options_.clock->Now();
  while (options_.trainer->cursor().epoch < schedule_.epochs) {
    const std::int64_t epoch = options_.trainer->cursor().epoch;
    const StatusOr<EpochReport> trained = options_.trainer->TrainEpoch(epoch, sink);
    if (!trained.ok()) return Stopped(trained.status());
    const StatusOr<ValidationReport> validated = options_.trainer->ValidateEpoch(epoch);
    if (!validated.ok()) return Stopped(validated.status());
    train_loss_ = trained->loss;
    RETURN_IF_ERROR(options_.communicator->Agree(writes() ? AfterEpoch(*trained, *validated) : Status()));
  }
  if (!done_before) {
    RETURN_IF_ERROR(PayForRelease());
    const Status saved = writes() ? options_.run->checkpoints().Save(CheckpointKind::kFinal, Capture()) : Status();
    RETURN_IF_ERROR(options_.communicator->Agree(saved));
  }
  // Only now: a final checkpoint that is durable makes the latest one worthless.
  const Status removed = writes() ? options_.run->checkpoints().Remove(CheckpointKind::kLatest) : Status();
  RETURN_IF_ERROR(options_.communicator->Agree(removed));
  TrainingOutcome outcome{schedule_.epochs, train_loss_, meta_.ema_dice, meta_.best_ema_dice, {}};
  if (options_.privacy != nullptr) {
    ASSIGN_OR_RETURN(outcome.privacy, options_.privacy->Report(StepsDone()));
  }
  return outcome;
}

}  // namespace consilium::trainer
