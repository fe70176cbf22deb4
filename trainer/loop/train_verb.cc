#include "trainer/loop/train_verb.h"

#include <unistd.h>

#include <cmath>
#include <cstdio>

#include "comm/base/file.h"
#include "comm/collective/rendezvous.h"
#include "trainer/loop/batch_split.h"
#include "trainer/loop/environment.h"
#include "trainer/loop/final_validation.h"
#include "trainer/loop/stop_signals.h"
#include "trainer/loop/train_data.h"
#include "trainer/loop/training_run.h"
#include "trainer/models/model_card.h"
#include "trainer/models/registry.h"

namespace consilium::trainer {
namespace {

namespace fs = std::filesystem;

struct TrainArguments {
  std::string job, data, output, device = "auto", trace, ledger;
  std::vector<std::string> set;
  bool resume = false, mirror = false;
};

StatusOr<wire::JobSpec> ResolveJob(const TrainArguments& arguments) {
  std::error_code error;
  if (!fs::exists(arguments.job, error) && arguments.job.starts_with("Dataset") &&
      arguments.job.find('/') == std::string::npos)
    return Unimplemented(
        "training straight from a data set's name needs the planner, which is not built yet; write a "
        "job file (examples/hippocampus.yaml is one)");
  ASSIGN_OR_RETURN(wire::JobSpec job, wire::ReadJob(arguments.job, arguments.set));
  StatusOr<wire::ModelSpec> model = ResolveModel(job.model);
  if (!model.ok()) return Annotate(model.status(), arguments.job);
  job.model = *std::move(model);
  return job;
}

// One training on this rank, from the job to the summary.
class Training {
 public:
  Training(const TrainArguments& arguments, bool json_wanted) : arguments_(arguments), json_wanted_(json_wanted) {}

  Status Execute();
  // Execute() failed, and rank 0 says so to the person: this rank need not.
  bool told_by_rank_0() const { return told_by_rank_0_; }

 private:
  bool first() const { return communicator_->rank() == 0; }
  // What every rank must know before all go on; the same answer everywhere.
  Status Agree(const Status& mine) { return Known(communicator_->Agree(mine)); }
  // An answer that every rank has got alike, unless the gang itself is broken.
  Status Known(Status status) {
    told_by_rank_0_ = !status.ok() && !first() && communicator_->failure().ok();
    return status;
  }
  RunStart start() const { return arguments_.resume ? RunStart::kResume : RunStart::kFresh; }
  Status Prepare();
  Status CheckBefore();
  Status OpenRun();
  Status DescribeRun() const;
  Status Validate();
  Status WriteTrace() const;
  void Introduce();
  void Report(const EvaluationSummary& summary);

  const TrainArguments arguments_;
  const bool json_wanted_;
  bool told_by_rank_0_ = false;
  StopSignals stop_;
  wire::JobSpec job_;
  std::unique_ptr<collective::Communicator> communicator_;
  TrainData data_;
  ModelCard card_;
  std::unique_ptr<collective::OverlapTrace> trace_;
  std::unique_ptr<Trainer> trainer_;
  std::unique_ptr<RunDirectory> run_;  // rank 0 only
  fs::path run_path_;
  std::unique_ptr<RunPrivacy> privacy_;  // of a job with privacy.records
  std::unique_ptr<Progress> progress_;
  TrainingOutcome outcome_;
};

Status Training::Prepare() {
  ASSIGN_OR_RETURN(job_, ResolveJob(arguments_));
  collective::ConnectOptions connect;
  connect.backend = job_.cluster.backend;
  connect.step_timeout = job_.cluster.step_timeout;
  connect.job_digest = wire::JobDigest(job_).ToHex();
  connect.build = BuildName();
  ASSIGN_OR_RETURN(communicator_, collective::Connect(connect));
  const wire::Schedule schedule = wire::ScheduleOf(job_);
  progress_ = std::make_unique<Progress>(ProgressOptions{.out = first() ? stderr : nullptr,
                                                         .terminal = ::isatty(STDERR_FILENO) == 1,
                                                         .epochs = schedule.epochs,
                                                         .iterations = schedule.iterations});
  RETURN_IF_ERROR(Agree(CheckBefore()));
  StatusOr<TrainData> data = LoadTrainData(job_, arguments_.data);
  RETURN_IF_ERROR(Agree(data.status()));
  data_ = *std::move(data);
  card_ = MakeModelCard(job_, job_.model, data_.dataset.description, data_.prepare, data_.train.front().spacing);
  if (!arguments_.trace.empty()) trace_ = std::make_unique<collective::OverlapTrace>(communicator_->rank());
  TrainerOptions options;
  options.job = job_;
  options.classes = data_.dataset.description.num_classes();
  options.train_cases = data_.train;
  options.validation_cases = data_.validation;
  options.communicator = communicator_.get();
  options.device = arguments_.device;
  options.should_stop = [this] { return stop_.requested(); };
  options.overlap_trace = trace_.get();
  ASSIGN_OR_RETURN(trainer_, Trainer::Create(std::move(options)));
  return Status();
}

// What would be a pity to learn after the data was read.
Status Training::CheckBefore() {
  run_path_ = arguments_.output.empty() ? DefaultRunFolder(job_) : fs::path(arguments_.output);
  const wire::TrainSpec& train = job_.train;
  RETURN_IF_ERROR(
      SharesOf({train.batch_size, train.gradient_accumulation, communicator_->world()}, communicator_->rank())
          .status());
  return first() ? CheckRun(run_path_, job_, start()) : Status();
}

Status Training::OpenRun() {
  if (!first()) return Status();
  ASSIGN_OR_RETURN(run_, RunDirectory::Open(run_path_, job_, start()));
  if (job_.record_privacy.enabled) {
    const fs::path ledger = arguments_.ledger.empty() ? run_path_ / "privacy" : fs::path(arguments_.ledger);
    ASSIGN_OR_RETURN(privacy_, RunPrivacy::Open({.ledger = ledger, .job = job_}, trainer_.get()));
  }
  return DescribeRun();
}

Status Training::DescribeRun() const {
  RETURN_IF_ERROR(WriteModelCard(run_path_, card_));
  RETURN_IF_ERROR(WriteJson(run_path_ / "environment.json", DescribeEnvironment(*trainer_, *communicator_)));
  return WriteJson(run_path_ / "split.json", {{"train", data_.split.train}, {"val", data_.split.validation}});
}

void Training::Introduce() {
  std::string patch;
  for (const std::int64_t edge : job_.model.patch_size) patch += Concat(patch.empty() ? "" : "x", edge);
  const wire::Schedule schedule = wire::ScheduleOf(job_);
  progress_->Say(Concat(job_.name, ": ", data_.train.size(), " training and ", data_.validation.size(),
                        " validation cases of ", job_.data.dataset, ", patch ", patch, ", batch ",
                        job_.train.batch_size, ", ", schedule.epochs, " epochs of ", schedule.iterations, " steps; ",
                        communicator_->name(), ", ", trainer_->device(), ", ", trainer_->threads(), " threads; into ",
                        run_path_.string()));
  if (const std::optional<dp::SampledGaussian> step = trainer_->mechanism())
    progress_->Say(Concat("Differential privacy for each case: at most epsilon ", job_.record_privacy.epsilon,
                          " at delta ", job_.record_privacy.delta, "; a case is in a step with probability ",
                          step->sampling_rate, ", its gradient clipped to ", job_.record_privacy.clip, ", noise ",
                          step->noise_multiplier, " x that; no training loss is told"));
  if (job_.cluster.ranks > 1 && job_.cluster.ranks != communicator_->world())
    progress_->Say(Concat("The job's cluster.ranks is ", job_.cluster.ranks, ", here run ", communicator_->world(),
                          ": mpirun -np K decides"));
}

Status Training::WriteTrace() const {
  if (trace_ == nullptr) return Status();
  const fs::path path(arguments_.trace);
  const int rank = communicator_->rank();
  const std::string name =
      rank == 0 ? path.filename().string() : Concat(path.stem().string(), ".", rank, path.extension().string());
  return trace_->WriteChromeTrace(path.parent_path() / name);
}

Status Training::Validate() {
  FinalValidationOptions options;
  options.data = &data_;
  options.card = &card_;
  options.trainer = trainer_.get();
  options.communicator = communicator_.get();
  options.predictions = run_path_ / "validation";
  options.mirroring = arguments_.mirror ? TestTimeMirroring::kOn : TestTimeMirroring::kOff;
  options.should_stop = [this] { return stop_.requested(); };
  const StatusOr<EvaluationSummary> summary = ValidateWholeCases(options);
  if (summary.code() == StatusCode::kCancelled)
    return Known(Preempted("stopped on request while validating; checkpoint_final is saved, --resume validates again"));
  if (!summary.ok()) return Known(summary.status());
  Json json = summary->ToJson();
  if (outcome_.privacy) json["privacy"] = dp::ToJson(*outcome_.privacy);
  RETURN_IF_ERROR(Agree(first() ? WriteJson(run_path_ / "summary.json", json) : Status()));
  if (first()) Report(*summary);
  return Status();
}

void Training::Report(const EvaluationSummary& summary) {
  const auto number = [](double value) { return std::isnan(value) ? Json(nullptr) : Json(value); };
  Json dice = Json::object();
  std::string text;
  for (const auto& [name, value] : data_.dataset.description.labels) {
    const auto at = std::find(summary.labels.begin(), summary.labels.end(), value);
    if (at == summary.labels.end()) continue;
    const double mean = summary.MeanDice(static_cast<std::size_t>(at - summary.labels.begin()));
    dice[name] = number(mean);
    char line[32];
    std::snprintf(line, sizeof line, " %.4f", mean);
    text += (text.empty() ? "" : ", ") + name + line;
  }
  char mean[32];
  std::snprintf(mean, sizeof mean, "%.4f", summary.ForegroundMeanDice());
  progress_->Say(summary.cases.empty()
                     ? "No validation cases: no Dice"
                     : Concat("Dice of ", summary.cases.size(), " whole validation cases: ", mean, " (", text, ")"));
  if (outcome_.privacy) progress_->Say("Privacy: " + dp::ToText(*outcome_.privacy));
  progress_->Say(Concat("Wrote ", (run_path_ / "checkpoint_final.safetensors").string(), " and summary.json"));
  if (!json_wanted_) return;
  const wire::Schedule schedule = wire::ScheduleOf(job_);
  Json result = {{"run", run_path_.string()},
                 {"epochs", schedule.epochs},
                 {"steps", schedule.epochs * schedule.iterations},
                 {"train_loss", number(outcome_.train_loss)},
                 {"ema_dice", outcome_.ema_dice ? Json(*outcome_.ema_dice) : Json(nullptr)},
                 {"best_ema_dice", outcome_.best_ema_dice ? Json(*outcome_.best_ema_dice) : Json(nullptr)},
                 {"foreground_mean_dice", number(summary.ForegroundMeanDice())},
                 {"dice", dice},
                 {"checkpoint", (run_path_ / "checkpoint_final.safetensors").string()},
                 {"weights_digest", trainer_->Parameters().digest().ToHex()}};
  if (outcome_.privacy) result["privacy"] = dp::ToJson(*outcome_.privacy);
  Command::PrintJson(result);
}

Status Training::Execute() {
  RETURN_IF_ERROR(Prepare());
  RETURN_IF_ERROR(Agree(OpenRun()));
  Introduce();
  TrainingRun training({.job = job_,
                        .trainer = trainer_.get(),
                        .communicator = communicator_.get(),
                        .run = run_.get(),
                        .progress = progress_.get(),
                        .privacy = privacy_.get()});
  RETURN_IF_ERROR(Known(training.Restore()));
  const StatusOr<TrainingOutcome> outcome = training.Finish();
  RETURN_IF_ERROR(WriteTrace());
  RETURN_IF_ERROR(Known(outcome.status()));
  outcome_ = *outcome;
  return Validate();
}

}  // namespace

int TrainVerb(const Arguments& arguments) {
  TrainArguments options;
  Command command("consilium train",
                  "Trains a segmentation model from a job file into a RUN directory: checkpoints, metrics, and the "
                  "Dice of whole validation cases. Under mpirun, torchrun or srun the batch is split over the ranks.",
                  "consilium train examples/hippocampus-quick.yaml --data ~/nnUNet_raw --output runs/hippocampus\n"
                  "  mpirun -np 2 consilium train examples/hippocampus-quick.yaml --set train.epochs=10 --resume");
  command.Positional("JOB.yaml", &options.job, "the job file");
  command.Option("--data", &options.data, "folder of nnU-Net raw data sets (default: $nnUNet_raw, $CONSILIUM_DATA)");
  command.Option("--output,-o", &options.output, "RUN directory (default: below $nnUNet_results, or runs/NAME)");
  command.Option("--set", &options.set, "key=value: changes the job, e.g. train.epochs=5; may be repeated");
  command.Option("--device", &options.device, "auto, cpu, cuda or cuda:N");
  command.Flag("--resume", &options.resume, "go on from the last checkpoint in the RUN directory");
  command.Flag("--mirror", &options.mirror, "mirror at test time in the final validation (8 times the work in 3D)");
  command.Option("--ledger", &options.ledger,
                 "privacy.records: folder of the data set's ledger, shared by its runs (default: RUN/privacy)");
  command.Option("--trace", &options.trace, "write a Chrome trace of backward pass and all-reduce to this file");
  int exit_code = 0;
  const int returned = command.Run(arguments, [&] {
    Training training(options, command.json());
    const Status status = training.Execute();
    if (status.ok() || !training.told_by_rank_0()) return status;
    exit_code = static_cast<int>(ExitCodeFor(status));
    return Status();
  });
  return exit_code != 0 ? exit_code : returned;
}

}  // namespace consilium::trainer
