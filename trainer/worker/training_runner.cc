#include "trainer/worker/training_runner.h"

#include <sys/resource.h>
#include <torch/torch.h>

#include <cmath>
#include <optional>

#include "comm/base/file.h"
#include "comm/base/time.h"
#include "comm/tensor/safetensors.h"
#include "trainer/loop/train_data.h"
#include "trainer/loop/trainer.h"
#include "trainer/models/torch_guard.h"
#include "trainer/worker/evaluation_task.h"

namespace consilium::trainer {
namespace {

namespace fs = std::filesystem;

double PeakMemoryMb() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;  // Linux counts KiB
}

void PutIfDefined(const std::string& name, double value, wire::Metrics* metrics) {
  if (!std::isnan(value)) (*metrics)[name] = value;
}

StatusOr<wire::JobSpec> ReadJobText(const std::string& text) {
  ASSIGN_OR_RETURN(const ConfigNode root, ConfigNode::Parse(text, "the task's job"));
  ASSIGN_OR_RETURN(wire::JobSpec job, wire::ParseJob(root));
  if (job.task != "segmentation") return Unimplemented("the task's job: task '", job.task, "' is not built yet");
  return job;
}

// Passes steps on, as a part of the whole task.
class ProgressSink final : public EpochSink {
 public:
  ProgressSink(TaskMonitor& monitor, std::int64_t steps) : monitor_(monitor), steps_(steps) {}
  Status OnStep(const StepReport& step) override {
    ++done_;
    monitor_.Report(static_cast<double>(done_) / static_cast<double>(steps_),
                    {{"loss", step.loss},
                     {"step", static_cast<double>(step.epoch * step.iterations + step.iteration)},
                     {"patches_per_second", step.patches_per_second}});
    return {};
  }

 private:
  TaskMonitor& monitor_;
  const std::int64_t steps_;
  std::int64_t done_ = 0;
};

class TrainingRunner final : public TaskRunner {
 public:
  StatusOr<TaskResult> Run(const wire::WorkerTask& task, TaskMonitor& monitor) override {
    ASSIGN_OR_RETURN(const wire::JobSpec job, ReadJobText(task.job_json));
    StatusOr<TaskResult> result = GuardTorch("the task", [&]() -> StatusOr<TaskResult> {
      return task.task.kind == wire::TaskKind::kTrain ? Train(job, task, monitor) : Evaluate(job, task, monitor);
    });
    // After a failure nothing of the torch state can be trusted, and memory may be what is missing.
    if (!result.ok() && result.code() != StatusCode::kCancelled) trainer_.reset();
    return result;
  }

 private:
  Status Prepare(const wire::JobSpec& job, const fs::path& data_dir);
  Status LoadState(const wire::WorkerTask& task, std::int64_t first_epoch);
  StatusOr<TaskResult> Train(const wire::JobSpec& job, const wire::WorkerTask& task, TaskMonitor& monitor);
  StatusOr<TaskResult> Evaluate(const wire::JobSpec& job, const wire::WorkerTask& task, TaskMonitor& monitor);

  // The trainer points into the data: it goes first.
  std::string data_key_, trainer_key_;
  std::optional<TrainData> data_;
  std::unique_ptr<Trainer> trainer_;
  TaskMonitor* monitor_ = nullptr;  // of the task in hand
};

Status TrainingRunner::Prepare(const wire::JobSpec& job, const fs::path& data_dir) {
  const std::string data_key = Concat(data_dir.string(), '\n', job.data.dataset, '\n', job.data.fold);
  if (!data_ || data_key_ != data_key) {
    trainer_.reset();
    data_.reset();
    ASSIGN_OR_RETURN(data_, LoadTrainData(job, data_dir));
    data_key_ = data_key;
  }
  const std::string trainer_key = Concat(data_key, '\n', wire::JobDigest(job));
  if (trainer_ && trainer_key_ == trainer_key) return {};
  trainer_.reset();
  TrainerOptions options;
  options.job = job;
  options.classes = data_->dataset.description.num_classes();
  options.train_cases = data_->train;
  options.validation_cases = data_->validation;
  options.should_stop = [this] { return monitor_ != nullptr && monitor_->cancelled(); };
  ASSIGN_OR_RETURN(trainer_, Trainer::Create(std::move(options)));
  trainer_key_ = trainer_key;
  return {};
}

Status TrainingRunner::LoadState(const wire::WorkerTask& task, std::int64_t first_epoch) {
  StatusOr<tensor::ParameterVector> model = tensor::ReadParameters(task.model_path);
  RETURN_IF_ERROR(Annotate(model.status(), "the round's model"));
  RETURN_IF_ERROR(Annotate(trainer_->LoadParameters(*model), "the round's model"));
  if (task.state_in.empty()) {
    ASSIGN_OR_RETURN(const tensor::ParameterVector zero, tensor::ParameterVector::Zeros(model->shared_schema()));
    RETURN_IF_ERROR(trainer_->LoadMomentum(zero));
  } else {
    RETURN_IF_ERROR(Annotate(trainer_->LoadOptimizer(task.state_in), "the momentum kept from the round before"));
  }
  return trainer_->SetCursor({.epoch = first_epoch});
}

StatusOr<TaskResult> TrainingRunner::Train(const wire::JobSpec& job, const wire::WorkerTask& task,
                                           TaskMonitor& monitor) {
  const Instant begin = SystemClock().Now();
  const wire::Schedule schedule = wire::ScheduleOf(job);
  const std::int64_t first = std::int64_t{ToInt(task.task.round)} * schedule.epochs_per_round;
  const std::int64_t end = first + schedule.epochs_per_round;
  if (end > schedule.epochs)
    return InvalidArgument("round ", task.task.round, " is beyond the job's ", schedule.epochs, " epochs");
  RETURN_IF_ERROR(Prepare(job, task.data_dir));
  RETURN_IF_ERROR(LoadState(task, first));

  monitor_ = &monitor;
  const auto forget = [this](void*) { monitor_ = nullptr; };
  const std::unique_ptr<void, decltype(forget)> guard(this, forget);
  ProgressSink sink(monitor, schedule.epochs_per_round * schedule.iterations);
  double loss = 0, training_seconds = 0;
  for (std::int64_t epoch = first; epoch < end; ++epoch) {
    ASSIGN_OR_RETURN(const EpochReport report, trainer_->TrainEpoch(epoch, sink));
    loss += report.loss / static_cast<double>(schedule.epochs_per_round);
    training_seconds += report.seconds;
  }
  ASSIGN_OR_RETURN(const ValidationReport validation, trainer_->ValidateEpoch(end - 1));

  // Both are durable before the client hears of them.
  RETURN_IF_ERROR(MakeDirectories(fs::path(task.update_path).parent_path()));
  RETURN_IF_ERROR(MakeDirectories(fs::path(task.state_out).parent_path()));
  RETURN_IF_ERROR(tensor::WriteParameters(task.update_path, trainer_->Parameters(), {{"format", "pt"}}));
  RETURN_IF_ERROR(trainer_->SaveOptimizer(task.state_out));

  TaskResult result;
  result.weight = static_cast<double>(data_->train.size());
  const auto patches = static_cast<double>(schedule.epochs_per_round * schedule.iterations * job.train.batch_size);
  result.metrics = {{"loss", loss},
                    {"seconds", Seconds(SystemClock().Now() - begin)},
                    {"patches_per_second", training_seconds > 0 ? patches / training_seconds : 0.0},
                    {"peak_rss_mb", PeakMemoryMb()}};
  PutIfDefined("dice", validation.mean_dice, &result.metrics);
  for (std::size_t i = 0; i < validation.pseudo_dice.size(); ++i)
    PutIfDefined(Concat("dice.", i + 1), validation.pseudo_dice[i], &result.metrics);
  return result;
}

StatusOr<TaskResult> TrainingRunner::Evaluate(const wire::JobSpec& job, const wire::WorkerTask& task,
                                              TaskMonitor& monitor) {
  const Instant begin = SystemClock().Now();
  EvaluationTask evaluation{.job = job, .data_dir = task.data_dir, .model = task.model_path, .output = task.output_dir};
  ASSIGN_OR_RETURN(const EvaluationSummary summary, RunEvaluation(evaluation, monitor));
  TaskResult result;
  result.metrics = {{"cases", static_cast<double>(summary.cases.size())},
                    {"seconds", Seconds(SystemClock().Now() - begin)}};
  PutIfDefined("dice", summary.ForegroundMeanDice(), &result.metrics);
  for (std::size_t i = 0; i < summary.labels.size(); ++i)
    PutIfDefined(Concat("dice.", summary.labels[i]), summary.MeanDice(i), &result.metrics);
  return result;
}

}  // namespace

std::unique_ptr<TaskRunner> MakeTrainingRunner() { return std::make_unique<TrainingRunner>(); }

}  // namespace consilium::trainer
