#include "trainer/worker/training_runner.h"

#include <cmath>
#include <optional>

#include "comm/base/file.h"
#include "comm/base/time.h"
#include "comm/tensor/safetensors.h"
#include "comm/wire/preparation.h"
#include "trainer/local/personal_parts.h"
#include "trainer/loop/train_data.h"
#include "trainer/models/torch_guard.h"
#include "trainer/worker/evaluation_task.h"
#include "trainer/worker/federated_round.h"
#include "trainer/worker/initial_task.h"
#include "trainer/worker/statistics_task.h"

namespace consilium::trainer {
namespace {

namespace fs = std::filesystem;
using tensor::ParameterVector;
using wire::PersonalizationMethod;

StatusOr<wire::JobSpec> ReadJobText(const std::string& text) {
  ASSIGN_OR_RETURN(const ConfigNode root, ConfigNode::Parse(text, "the task's job"));
  ASSIGN_OR_RETURN(wire::JobSpec job, wire::ParseJob(root));
  if (job.task != "segmentation") return Unimplemented("the task's job: task '", job.task, "' is not built yet");
  return job;
}

void PutDice(const std::string& prefix, const EvaluationSummary& summary, wire::Metrics* metrics) {
  const auto put = [&](const std::string& name, double value) {
    if (!std::isnan(value)) (*metrics)[name] = value;
  };
  put(prefix + "dice", summary.ForegroundMeanDice());
  for (std::size_t i = 0; i < summary.labels.size(); ++i)
    put(Concat(prefix, "dice.", summary.labels[i]), summary.MeanDice(i));
}

class QuietSink final : public EpochSink {
 public:
  Status OnStep(const StepReport&) override { return {}; }
};

class TrainingRunner final : public TaskRunner {
 public:
  TrainingRunner(collective::Communicator* gang, RunnerOptions options)
      : options_(options),
        solo_(gang == nullptr ? collective::MakeSoloCommunicator() : nullptr),
        gang_(gang == nullptr ? *solo_ : *gang) {}

  StatusOr<TaskResult> Run(const wire::WorkerTask& task, TaskMonitor& monitor) override {
    StatusOr<TaskResult> result = GuardTorch("the task", [&]() -> StatusOr<TaskResult> {
      ASSIGN_OR_RETURN(const wire::JobSpec job, ReadJobText(task.job_json));
      switch (task.task.kind) {
        case wire::TaskKind::kTrain:
          return Train(job, task, monitor);
        case wire::TaskKind::kStatistics:
          if (task.task.subject == wire::kInitialModelSubject)
            return MakeInitialModel({.job = job, .data_dir = task.data_dir, .output = task.update_path, .gang = gang_});
          return RunStatistics({.job = job,
                                .data_dir = task.data_dir,
                                .output = task.update_path,
                                .cases_min = options_.statistics_cases_min,
                                .gang = gang_},
                               monitor);
        case wire::TaskKind::kEvaluate:
        case wire::TaskKind::kValidate:
          break;
      }
      return Evaluate(job, task, monitor);
    });
    // After a failure nothing of the torch state can be trusted, and memory may be what is missing.
    if (!result.ok() && result.code() != StatusCode::kCancelled) trainer_.reset();
    return result;
  }

 private:
  bool first_rank() const { return gang_.rank() == 0; }
  Status LoadData(const wire::JobSpec& job, const fs::path& data_dir);
  StatusOr<std::unique_ptr<Trainer>> MakeTrainer(const wire::JobSpec& job);
  Status Prepare(const wire::JobSpec& job, const fs::path& data_dir);
  StatusOr<TaskResult> Train(const wire::JobSpec& job, const wire::WorkerTask& task, TaskMonitor& monitor);

  // The model to evaluate with the site's own parts in place, and the site's state; on rank 0.
  Status LoadGlobal(const wire::JobSpec& job, const wire::WorkerTask& task);
  // Does this evaluation also look at a personal model?
  static bool LooksAtPersonal(const wire::JobSpec& job, const wire::WorkerTask& task);
  // Collective.  False when there is no personal model yet; on rank 0 it is then in weights_.
  StatusOr<bool> MakePersonal(const wire::JobSpec& job, const wire::WorkerTask& task, TaskMonitor& monitor);
  Status FineTune(const wire::JobSpec& job, const wire::WorkerTask& task, TaskMonitor& monitor);
  StatusOr<TaskResult> Evaluate(const wire::JobSpec& job, const wire::WorkerTask& task, TaskMonitor& monitor);

  const RunnerOptions options_;
  const std::unique_ptr<collective::Communicator> solo_;
  collective::Communicator& gang_;
  // The trainer points into the data: it goes first.
  std::string data_key_, trainer_key_;
  std::optional<TrainData> data_;
  std::unique_ptr<Trainer> trainer_;
  ParameterVector initial_;         // the trainer's seeded weights
  TaskMonitor* monitor_ = nullptr;  // of the task in hand
  ParameterVector weights_;         // rank 0's, of the model to evaluate
  SiteState state_;                 // rank 0's, for an evaluation
};

// Says to the trainer which task it works for, as long as it lives.
class CurrentTask {
 public:
  CurrentTask(TaskMonitor** slot, TaskMonitor* monitor) : slot_(slot) { *slot_ = monitor; }
  ~CurrentTask() { *slot_ = nullptr; }
  CurrentTask(const CurrentTask&) = delete;
  CurrentTask& operator=(const CurrentTask&) = delete;

 private:
  TaskMonitor** const slot_;
};

Status TrainingRunner::LoadData(const wire::JobSpec& job, const fs::path& data_dir) {
  const std::string data_key = Concat(data_dir.string(), '\n', job.data.dataset, '\n', job.data.fold);
  if (data_ && data_key_ == data_key) return {};
  trainer_.reset();
  data_.reset();
  StatusOr<TrainData> data = LoadTrainData(job, data_dir);
  RETURN_IF_ERROR(gang_.Agree(data.status()));
  data_ = *std::move(data);
  data_key_ = data_key;
  return {};
}

StatusOr<std::unique_ptr<Trainer>> TrainingRunner::MakeTrainer(const wire::JobSpec& job) {
  TrainerOptions options;
  options.job = job;
  options.classes = data_->dataset.description.num_classes();
  options.train_cases = data_->train;
  options.validation_cases = data_->validation;
  options.communicator = &gang_;
  options.should_stop = [this] { return monitor_ != nullptr && monitor_->cancelled(); };
  return Trainer::Create(std::move(options));
}

Status TrainingRunner::Prepare(const wire::JobSpec& job, const fs::path& data_dir) {
  RETURN_IF_ERROR(LoadData(job, data_dir));
  const std::string trainer_key = Concat(data_key_, '\n', wire::JobDigest(job));
  if (trainer_ && trainer_key_ == trainer_key) return {};
  trainer_.reset();
  ASSIGN_OR_RETURN(trainer_, MakeTrainer(job));
  initial_ = trainer_->Parameters();
  trainer_key_ = trainer_key;
  return {};
}

StatusOr<TaskResult> TrainingRunner::Train(const wire::JobSpec& job, const wire::WorkerTask& task,
                                           TaskMonitor& monitor) {
  RETURN_IF_ERROR(Prepare(job, task.data_dir));
  std::optional<ReleasePrivacy> privacy;
  if (job.record_privacy.enabled) {
    StatusOr<ReleasePrivacy> opened = ReleasePrivacy::Open({.ledgers = options_.ledgers,
                                                            .data_set = data_->dataset.name,
                                                            .job = job,
                                                            .task = task,
                                                            .cases = data_->train,
                                                            .trainer = *trainer_});
    if (!opened.ok()) return opened.status();
    privacy.emplace(*std::move(opened));
  }
  const CurrentTask current(&monitor_, &monitor);
  ASSIGN_OR_RETURN(TaskResult result, TrainRound({.job = job,
                                                  .task = task,
                                                  .trainer = *trainer_,
                                                  .initial = initial_,
                                                  .gang = gang_,
                                                  .monitor = monitor,
                                                  .privacy = privacy ? &*privacy : nullptr}));
  result.weight = static_cast<double>(data_->train.size());
  return result;
}

Status TrainingRunner::LoadGlobal(const wire::JobSpec& job, const wire::WorkerTask& task) {
  state_ = SiteState();
  if (!task.state_in.empty()) {
    ASSIGN_OR_RETURN(state_, SiteState::Read(task.state_in, wire::JobDigest(job)));
  }
  ASSIGN_OR_RETURN(weights_, tensor::ReadParameters(task.model_path));
  if (job.federation.personal.empty()) return {};
  ASSIGN_OR_RETURN(const fs::path folder, datasets::FindDataset(job.data.dataset, task.data_dir));
  ASSIGN_OR_RETURN(const datasets::RawDataset dataset, datasets::OpenRawDataset(folder));
  ASSIGN_OR_RETURN(const ParameterVector initial, SeededWeights(job, dataset));
  ASSIGN_OR_RETURN(const ModelParts parts, SplitModel(initial.schema(), job.federation.personal));
  ASSIGN_OR_RETURN(weights_, AssembleModel(weights_, initial, parts, state_));
  return {};
}

bool TrainingRunner::LooksAtPersonal(const wire::JobSpec& job, const wire::WorkerTask& task) {
  const PersonalizationMethod method = job.federation.personalization.method;
  if (method == PersonalizationMethod::kNone || !task.task.subject.empty()) return false;
  const bool last = std::int64_t{ToInt(task.task.round)} + 1 == job.federation.rounds;
  return method == PersonalizationMethod::kDitto || (task.task.kind == wire::TaskKind::kEvaluate && last);
}

StatusOr<bool> TrainingRunner::MakePersonal(const wire::JobSpec& job, const wire::WorkerTask& task,
                                            TaskMonitor& monitor) {
  if (job.federation.personalization.method == PersonalizationMethod::kFinetune) {
    RETURN_IF_ERROR(FineTune(job, task, monitor));
    return true;
  }
  // A site that has not trained yet has none: rank 0 knows, and all must do the same.
  const bool have = first_rank() && state_.Find(state_part::kDitto) != nullptr;
  if (have) weights_ = *state_.Find(state_part::kDitto);
  ASSIGN_OR_RETURN(const std::vector<std::string> told, gang_.AllGatherText(have ? "yes" : "no"));
  return told.front() == "yes";
}

// Plain training of the model in weights_ on the site's training cases, at a constant learning rate.
Status TrainingRunner::FineTune(const wire::JobSpec& job, const wire::WorkerTask& task, TaskMonitor& monitor) {
  RETURN_IF_ERROR(LoadData(job, task.data_dir));
  trainer_.reset();
  wire::JobSpec plain = job;
  plain.has_federation = false;
  plain.train.epochs = 1;
  plain.train.iterations = job.federation.personalization.iterations;
  plain.train.learning_rate = job.federation.personalization.learning_rate;
  ASSIGN_OR_RETURN(const std::unique_ptr<Trainer> trainer, MakeTrainer(plain));
  const CurrentTask current(&monitor_, &monitor);
  RETURN_IF_ERROR(gang_.Agree(first_rank() ? trainer->LoadParameters(weights_) : Status()));
  RETURN_IF_ERROR(trainer->Synchronize());
  QuietSink sink;
  RETURN_IF_ERROR(Annotate(trainer->TrainEpoch(0, sink).status(), "fine-tuning"));
  weights_ = trainer->Parameters();
  return {};
}

StatusOr<TaskResult> TrainingRunner::Evaluate(const wire::JobSpec& job, const wire::WorkerTask& task,
                                              TaskMonitor& monitor) {
  const Instant begin = SystemClock().Now();
  RETURN_IF_ERROR(gang_.Agree(first_rank() ? LoadGlobal(job, task) : Status()));
  const bool personal = LooksAtPersonal(job, task);
  EvaluationTask evaluation{
      .job = job,
      .data_dir = task.data_dir,
      .cases = task.task.kind == wire::TaskKind::kValidate ? CasesFrom::kValidationFold : CasesFrom::kHeldOut,
      .output = task.output_dir,
      .weights = weights_,
      .gang = gang_,
      .progress_end = personal ? 0.5 : 1};
  ASSIGN_OR_RETURN(const EvaluationSummary summary, RunEvaluation(evaluation, monitor));
  TaskResult result;
  result.metrics["cases"] = static_cast<double>(summary.cases.size());
  PutDice("", summary, &result.metrics);
  if (personal) {
    ASSIGN_OR_RETURN(const bool made, MakePersonal(job, task, monitor));
    if (made) {
      evaluation.output /= "personal";
      evaluation.progress_begin = 0.5;
      evaluation.progress_end = 1;
      ASSIGN_OR_RETURN(const EvaluationSummary own, RunEvaluation(evaluation, monitor));
      PutDice("personal_", own, &result.metrics);
    }
  }
  result.metrics["seconds"] = Seconds(SystemClock().Now() - begin);
  return result;
}

}  // namespace

std::unique_ptr<TaskRunner> MakeTrainingRunner(collective::Communicator* gang, RunnerOptions options) {
  return std::make_unique<TrainingRunner>(gang, options);
}

}  // namespace consilium::trainer
