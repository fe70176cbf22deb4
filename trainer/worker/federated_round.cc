#include "trainer/worker/federated_round.h"

#include <sys/resource.h>

#include <cmath>
#include <optional>

#include "comm/base/file.h"
#include "comm/base/rng.h"
#include "comm/base/time.h"
#include "comm/tensor/safetensors.h"
#include "comm/wire/update_format.h"
#include "trainer/local/local_method.h"
#include "trainer/local/personal_parts.h"
#include "trainer/local/vector_math.h"

namespace consilium::trainer {
namespace {

namespace fs = std::filesystem;
using tensor::ParameterVector;

constexpr std::int64_t kLossBatches = 8;  // of train.batch_size patches, for loss_before
constexpr double kLossMin = -1;           // Dice 1, cross entropy 0

double PeakMemoryMb() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;  // Linux counts KiB
}

void PutIfDefined(const std::string& name, double value, wire::Metrics* metrics) {
  if (!std::isnan(value)) (*metrics)[name] = value;
}

// Sites round at random independently of each other.
std::uint64_t SeedOf(const std::string& site) {
  const Digest digest = Sha256Of(site);
  std::uint64_t seed = 0;
  for (std::size_t i = 0; i < sizeof seed; ++i) seed = seed << 8 | digest.bytes[i];
  return seed;
}

// Passes steps on, as a part of the whole task.
class ProgressSink final : public EpochSink {
 public:
  ProgressSink(TaskMonitor& monitor, std::int64_t steps) : monitor_(monitor), steps_(steps) {}
  Status OnStep(const StepReport& step) override {
    ++done_;
    wire::Metrics metrics = {{"step", static_cast<double>(step.epoch * step.iterations + step.iteration)},
                             {"patches_per_second", step.patches_per_second}};
    PutIfDefined("loss", step.loss, &metrics);
    monitor_.Report(static_cast<double>(done_) / static_cast<double>(steps_), metrics);
    return {};
  }

 private:
  TaskMonitor& monitor_;
  const std::int64_t steps_;
  std::int64_t done_ = 0;
};

class FederatedRound {
 public:
  explicit FederatedRound(const RoundContext& context)
      : context_(context),
        federation_(context.job.federation),
        strategy_(*wire::FindStrategy(context.job.federation.strategy)),
        schedule_(wire::ScheduleOf(context.job)),
        first_(std::int64_t{ToInt(context.task.task.round)} * schedule_.epochs_per_round),
        end_(first_ + schedule_.epochs_per_round),
        method_(MakeLocalMethod(federation_)) {}

  StatusOr<TaskResult> Run();

 private:
  bool first_rank() const { return context_.gang.rank() == 0; }
  template <typename F>
  Status OnFirstRank(F&& work) {
    return context_.gang.Agree(first_rank() ? work() : Status());
  }
  // What is compressed or summed in secret is a difference: weights rounded to a few bits would be no model.
  wire::UpdateKind update_kind() const { return wire::UpdateKindOf(federation_); }
  bool has_ditto() const { return federation_.personalization.method == wire::PersonalizationMethod::kDitto; }

  // Collective.  All epochs of the round from the trainer's weights; the mean loss.
  StatusOr<double> TrainEpochs(EpochSink& sink);
  StatusOr<double> TrainPersonalModel(EpochSink& sink);
  // On rank 0.
  Status Load();
  Status Conclude();
  Status LoadPersonalModel();
  Status WriteFiles();

  const RoundContext& context_;
  const wire::FederationSpec& federation_;
  const wire::StrategySpec& strategy_;
  const wire::Schedule schedule_;
  const std::int64_t first_, end_;  // epochs
  const std::unique_ptr<LocalMethod> method_;

  // Rank 0's alone.
  ModelParts parts_;
  SiteState state_;
  ParameterVector start_;     // the whole model before the first step
  ParameterVector received_;  // its shared tensors
  ParameterVector update_;    // shared tensors: weights or delta
  LocalMethod::Auxiliary auxiliary_;
  double training_seconds_ = 0;
};

Status FederatedRound::Load() {
  const wire::WorkerTask& task = context_.task;
  if (!task.state_in.empty()) {
    ASSIGN_OR_RETURN(state_, SiteState::Read(task.state_in, wire::JobDigest(context_.job)));
  }
  ASSIGN_OR_RETURN(parts_, SplitModel(context_.initial.schema(), federation_.personal));
  StatusOr<ParameterVector> file = tensor::ReadParameters(task.model_path);
  RETURN_IF_ERROR(Annotate(file.status(), "the round's model"));
  ASSIGN_OR_RETURN(const ParameterVector whole, AssembleModel(*file, context_.initial, parts_, state_));
  RETURN_IF_ERROR(Annotate(context_.trainer.LoadParameters(whole), "the round's model"));
  start_ = context_.trainer.Parameters();  // under our names, whatever the file called them
  ASSIGN_OR_RETURN(received_, Selected(start_, parts_.shared));

  // A method whose arithmetic counts on momentum that begins at 0 says so (wire/job.cc: local.momentum).
  SiteState none;
  const SiteState& kept = federation_.local_momentum == wire::LocalMomentum::kReset ? none : state_;
  ASSIGN_OR_RETURN(const ParameterVector momentum, kept.Take(state_part::kMomentum, parts_.model));
  RETURN_IF_ERROR(context_.trainer.LoadMomentum(momentum));

  std::optional<ParameterVector> server;
  if (!task.auxiliary_path.empty()) {
    StatusOr<ParameterVector> read = tensor::ReadParameters(task.auxiliary_path);
    RETURN_IF_ERROR(Annotate(read.status(), "the strategy's auxiliary tensors"));
    server = *std::move(read);
  }
  ASSIGN_OR_RETURN(GradientCorrection correction, method_->Begin(received_, server ? &*server : nullptr, state_));
  RETURN_IF_ERROR(context_.trainer.SetCorrection(std::move(correction)));
  return context_.trainer.SetCursor({.epoch = first_});
}

StatusOr<double> FederatedRound::TrainEpochs(EpochSink& sink) {
  double loss = 0;
  for (std::int64_t epoch = first_; epoch < end_; ++epoch) {
    ASSIGN_OR_RETURN(const EpochReport report, context_.trainer.TrainEpoch(epoch, sink));
    loss += report.loss / static_cast<double>(schedule_.epochs_per_round);
    training_seconds_ += report.seconds;
  }
  return loss;
}

Status FederatedRound::Conclude() {
  const ParameterVector trained = context_.trainer.Parameters();
  ASSIGN_OR_RETURN(const ParameterVector shared, Selected(trained, parts_.shared));
  ASSIGN_OR_RETURN(const ParameterVector mean, Selected(context_.trainer.MeanGradient(), parts_.shared));
  ASSIGN_OR_RETURN(auxiliary_, method_->End(shared, mean, &state_));
  update_ = update_kind() == wire::UpdateKind::kDelta ? Difference(shared, received_) : shared;
  if (federation_.local_momentum != wire::LocalMomentum::kReset)
    state_.Set(state_part::kMomentum, context_.trainer.Momentum());
  if (!parts_.personal->tensors().empty()) {
    ASSIGN_OR_RETURN(ParameterVector own, Selected(trained, parts_.personal));
    state_.Set(state_part::kPersonal, std::move(own));
  }
  return {};
}

// Ditto (Li et al., ICML 2021), algorithm 1: beside the shared model a personal one, v, takes the same steps on its own
// loss plus lambda / 2 |v - x|^2, x the received model.  It begins as the first model that the site gets.
Status FederatedRound::LoadPersonalModel() {
  ParameterVector personal = start_;
  if (state_.Find(state_part::kDitto) != nullptr) {
    ASSIGN_OR_RETURN(personal, state_.Take(state_part::kDitto, parts_.model));
  }
  RETURN_IF_ERROR(context_.trainer.LoadParameters(personal));
  ASSIGN_OR_RETURN(const ParameterVector momentum, state_.Take(state_part::kDittoMomentum, parts_.model));
  RETURN_IF_ERROR(context_.trainer.LoadMomentum(momentum));
  GradientCorrection correction;
  correction.pull = federation_.personalization.lambda;
  correction.anchor = received_;
  RETURN_IF_ERROR(context_.trainer.SetCorrection(std::move(correction)));
  return context_.trainer.SetCursor({.epoch = first_});
}

StatusOr<double> FederatedRound::TrainPersonalModel(EpochSink& sink) {
  RETURN_IF_ERROR(OnFirstRank([&] { return LoadPersonalModel(); }));
  RETURN_IF_ERROR(context_.trainer.Synchronize());
  ASSIGN_OR_RETURN(const double loss, TrainEpochs(sink));
  if (first_rank()) {
    state_.Set(state_part::kDitto, context_.trainer.Parameters());
    state_.Set(state_part::kDittoMomentum, context_.trainer.Momentum());
  }
  return loss;
}

// Both are durable before the client hears of them.
Status FederatedRound::WriteFiles() {
  const wire::WorkerTask& task = context_.task;
  RETURN_IF_ERROR(MakeDirectories(fs::path(task.update_path).parent_path()));
  RETURN_IF_ERROR(MakeDirectories(fs::path(task.state_out).parent_path()));
  wire::UpdateContents contents;
  contents.kind = update_kind();
  contents.values = &update_;
  for (const auto& [what, values] : auxiliary_) contents.auxiliary[what] = &values;
  contents.compression = federation_.compression;
  contents.residual = state_.Find(state_part::kResidual);
  contents.seed =
      StreamOf({static_cast<std::uint64_t>(context_.job.train.seed), SeedOf(task.site), ToInt(task.task.round)});
  ASSIGN_OR_RETURN(std::optional<ParameterVector> residual, wire::WriteUpdate(task.update_path, contents));
  if (residual) state_.Set(state_part::kResidual, *std::move(residual));
  return state_.Write(task.state_out, wire::JobDigest(context_.job));
}

StatusOr<TaskResult> FederatedRound::Run() {
  const Instant begin = SystemClock().Now();
  if (end_ > schedule_.epochs)
    return InvalidArgument("round ", context_.task.task.round, " is beyond the job's ", schedule_.epochs, " epochs");
  RETURN_IF_ERROR(OnFirstRank([&] { return Load(); }));
  RETURN_IF_ERROR(context_.trainer.Synchronize());
  const std::int64_t steps = schedule_.epochs_per_round * schedule_.iterations;
  if (context_.privacy != nullptr) RETURN_IF_ERROR(context_.privacy->Begin(&context_.trainer, steps));
  TaskResult result;
  if (strategy_.metric == "loss_before") {
    ASSIGN_OR_RETURN(const double loss, context_.trainer.TrainingLoss(kLossBatches));
    result.metrics["loss_before"] = loss - kLossMin;
  }
  ProgressSink sink(context_.monitor, has_ditto() ? 2 * steps : steps);
  ASSIGN_OR_RETURN(const double loss, TrainEpochs(sink));
  PutIfDefined("loss", loss, &result.metrics);
  ASSIGN_OR_RETURN(const ValidationReport validation, context_.trainer.ValidateEpoch(end_ - 1));
  RETURN_IF_ERROR(OnFirstRank([&] { return Conclude(); }));
  if (has_ditto()) {
    ASSIGN_OR_RETURN(result.metrics["personal_loss"], TrainPersonalModel(sink));
  }
  if (context_.privacy != nullptr) RETURN_IF_ERROR(context_.privacy->Pay(&result.metrics));
  RETURN_IF_ERROR(OnFirstRank([&] { return WriteFiles(); }));

  const auto patches = static_cast<double>((has_ditto() ? 2 : 1) * steps * context_.job.train.batch_size);
  result.metrics["steps"] = static_cast<double>(steps);
  result.metrics["seconds"] = Seconds(SystemClock().Now() - begin);
  result.metrics["patches_per_second"] = training_seconds_ > 0 ? patches / training_seconds_ : 0.0;
  result.metrics["peak_rss_mb"] = PeakMemoryMb();
  if (strategy_.metric == "tau") result.metrics["tau"] = EffectiveSteps(context_.job, first_, end_);
  PutIfDefined("dice", validation.mean_dice, &result.metrics);
  for (std::size_t i = 0; i < validation.pseudo_dice.size(); ++i)
    PutIfDefined(Concat("dice.", i + 1), validation.pseudo_dice[i], &result.metrics);
  return result;
}

}  // namespace

StatusOr<TaskResult> TrainRound(const RoundContext& context) { return FederatedRound(context).Run(); }

}  // namespace consilium::trainer
