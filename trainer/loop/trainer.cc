#include "trainer/loop/trainer.h"

#include <torch/torch.h>

#include <cmath>
#include <limits>

#include "comm/base/rng.h"
#include "comm/base/time.h"
#include "comm/tensor/safetensors.h"
#include "datasets/sampling/patch_sampler.h"
#include "trainer/local/poly_schedule.h"
#include "trainer/loop/batch_loader.h"
#include "trainer/loop/batch_split.h"
#include "trainer/loop/device.h"
#include "trainer/loop/pseudo_dice.h"
#include "trainer/loop/step_engine.h"
#include "trainer/models/parameters.h"
#include "trainer/models/registry.h"
#include "trainer/models/torch_guard.h"
#include "trainer/privacy/layer_check.h"
#include "trainer/privacy/private_gradient.h"

namespace consilium::trainer {
namespace {

constexpr std::uint64_t kValidationStream = 0x76616C6964;
constexpr std::uint64_t kLossStream = 0x6C6F7373;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr int kGpuLoaderThreads = 4;  // a GPU asks for patches faster than one core makes them

datasets::SamplerOptions SamplerFor(const wire::JobSpec& job) {
  datasets::SamplerOptions options;
  options.patch_size = job.model.patch_size;
  options.foreground_oversampling = job.train.foreground_oversampling;
  options.seed = static_cast<std::uint64_t>(job.train.seed);
  options.batch_size = job.train.batch_size;
  options.augmentation.mirror = job.train.augmentation.mirror;
  options.augmentation.intensity = job.train.augmentation.intensity;
  return options;
}

// The same oversampling as in training (as nnU-Net does), nothing altered, other patches.
datasets::SamplerOptions PlainSamplerFor(const wire::JobSpec& job, std::uint64_t stream) {
  datasets::SamplerOptions options = SamplerFor(job);
  options.seed = StreamOf({options.seed, stream});
  options.augmentation.mirror = options.augmentation.intensity = false;
  return options;
}

Status CheckCases(std::span<const datasets::PreparedCase> cases, std::int64_t channels, const char* which) {
  for (const datasets::PreparedCase& one : cases) {
    if (one.channels != channels)
      return InvalidArgument(which, " case '", one.id, "' has ", one.channels, " channels, the first training case ",
                             channels);
    if (one.labels.empty()) return InvalidArgument(which, " case '", one.id, "' has no label");
  }
  return Status();
}

class TrainerImpl final : public Trainer {
 public:
  TrainerImpl(TrainerOptions options, std::unique_ptr<collective::Communicator> solo, torch::Device device, int threads)
      : options_(std::move(options)),
        solo_(std::move(solo)),
        communicator_(options_.communicator != nullptr ? *options_.communicator : *solo_),
        device_(device),
        threads_(threads),
        schedule_(wire::ScheduleOf(options_.job)),
        train_sampler_(options_.train_cases, SamplerFor(options_.job)) {
    if (!options_.validation_cases.empty())
      validation_sampler_.emplace(options_.validation_cases, PlainSamplerFor(options_.job, kValidationStream));
  }

  Status Build();

  StatusOr<EpochReport> TrainEpoch(std::int64_t epoch, EpochSink& sink) override;
  StatusOr<ValidationReport> ValidateEpoch(std::int64_t epoch) override;

  tensor::ParameterVector Parameters() const override { return ExportParameters(*model_); }
  tensor::ParameterVector Momentum() const override;
  Cursor cursor() const override { return cursor_; }
  Status LoadParameters(const tensor::ParameterVector& parameters) override;
  Status LoadMomentum(const tensor::ParameterVector& momentum) override;
  Status SetCursor(const Cursor& cursor) override;
  Status SetCorrection(GradientCorrection correction) override {
    return engine_->corrector().Set(std::move(correction));
  }
  Status Synchronize() override;
  tensor::ParameterVector MeanGradient() const override { return engine_->corrector().MeanGradient(); }
  StatusOr<double> TrainingLoss(std::int64_t batches) override;
  std::optional<dp::SampledGaussian> mechanism() const override {
    return privacy_ ? std::optional(privacy_->mechanism) : std::nullopt;
  }
  void SetNoise(const SecretBytes& secret, const std::string& purpose) override;

  std::shared_ptr<SegmentationModel> network() override { return model_; }
  std::string device() const override { return device_.str(); }
  int threads() const override { return threads_; }

 private:
  // What privacy.records needs.
  struct Privacy {
    dp::SampledGaussian mechanism;  // of a step
    PrivateGradient gradient;
    std::optional<dp::NoiseSource> cases{}, noise{};  // of the release in hand
  };
  Status BuildPrivacy();
  StatusOr<double> PrivateStep(double learning_rate);

  bool alone() const { return communicator_.world() == 1; }
  bool StopWanted() const { return options_.should_stop && options_.should_stop(); }
  LoaderOptions LoaderFor(std::vector<Share> shares, std::int64_t first_step, std::int64_t end_step) const;

  // What the ranks tell each other after each step: their part of the loss, and whether any of them wants to end.
  struct Told {
    double loss = 0;
    bool stop = false, failed = false;
  };
  StatusOr<Told> Tell(const Told& mine);
  // `loader`: null with privacy.records.
  StatusOr<StepReport> Step(BatchLoader* loader, double learning_rate, Told* told);
  StatusOr<StepEngine::Evaluation> EvaluateBatches(const datasets::PatchSampler& sampler, std::int64_t first,
                                                   std::int64_t batches);

  // A failure of this rank alone leaves the peers waiting: tell them why and break the gang, so that they fail now,
  // with our reason, and not at their timeout.
  Status Leave(Status failure) { return alone() ? failure : communicator_.Fail(std::move(failure)); }

  const TrainerOptions options_;
  const std::unique_ptr<collective::Communicator> solo_;
  collective::Communicator& communicator_;
  const torch::Device device_;
  const int threads_;
  const wire::Schedule schedule_;
  const datasets::PatchSampler train_sampler_;
  std::optional<datasets::PatchSampler> validation_sampler_;
  std::vector<Share> shares_;             // this rank's, one a micro-batch
  std::vector<Share> validation_shares_;  // this rank's, one
  std::shared_ptr<SegmentationModel> model_;
  std::unique_ptr<StepEngine> engine_;
  std::optional<Privacy> privacy_;
  Cursor cursor_;
};

Status TrainerImpl::Build() {
  const wire::TrainSpec& train = options_.job.train;
  const int world = communicator_.world(), rank = communicator_.rank();
  ASSIGN_OR_RETURN(shares_, SharesOf({train.batch_size, train.gradient_accumulation, world}, rank));
  ASSIGN_OR_RETURN(validation_shares_, SharesOf({train.batch_size, /*micro_batches=*/1, world}, rank));
  ASSIGN_OR_RETURN(const wire::ModelSpec spec, ResolveModel(options_.job.model));
  const ModelInput input{.channels = train_sampler_.channels(), .classes = options_.classes};
  ASSIGN_OR_RETURN(model_, MakeModel(spec, input, static_cast<std::uint64_t>(train.seed)));
  RETURN_IF_ERROR(GuardTorch("moving the model to its device", [&] {
    model_->to(device_);
    model_->train();
  }));
  ASSIGN_OR_RETURN(engine_, StepEngine::Create(model_, communicator_, device_, train, options_.overlap_trace));
  if (options_.job.record_privacy.enabled) RETURN_IF_ERROR(BuildPrivacy());
  if (alone()) return Status();
  StatusOr<Batch> batch = GuardTorch(
      "loading a batch", [&] { return SampleBatch(train_sampler_, LoaderFor(shares_, 0, 1), /*step=*/0, shares_[0]); });
  if (!batch.ok()) return Leave(batch.status());
  const Status warm = engine_->Warmup(*batch, shares_[0]);
  return warm.ok() ? warm : Leave(warm);
}

Status TrainerImpl::BuildPrivacy() {
  const wire::RecordPrivacySpec& records = options_.job.record_privacy;
  if (!alone())
    return InvalidArgument("privacy.records is trained by one rank, here are ", communicator_.world(),
                           "; start it without mpirun");
  RETURN_IF_ERROR(Annotate(CheckSamplesStayApart(*model_), "privacy.records"));
  const auto expected = static_cast<double>(options_.job.train.batch_size);
  const dp::RecordTerms terms = {.cases = static_cast<std::int64_t>(options_.train_cases.size()),
                                 .expected_cases = expected,
                                 .steps = schedule_.epochs * schedule_.iterations,
                                 .budget = {.epsilon = records.epsilon, .delta = records.delta},
                                 .clip = records.clip,
                                 .noise_multiplier = records.noise_multiplier};
  StatusOr<dp::SampledGaussian> mechanism = dp::MechanismOf(terms);
  RETURN_IF_ERROR(Annotate(mechanism.status(), "privacy.records"));
  const PrivateGradientOptions gradient = {
      .clip = records.clip, .noise_multiplier = mechanism->noise_multiplier, .expected_records = expected};
  privacy_.emplace(Privacy{*mechanism, PrivateGradient(model_->parameters(), gradient)});
  return Status();
}

void TrainerImpl::SetNoise(const SecretBytes& secret, const std::string& purpose) {
  if (!privacy_) return;
  privacy_->cases.emplace(secret, purpose + "/cases");
  privacy_->noise.emplace(secret, purpose + "/noise");
}

// Patches of the drawn cases, made here: a patch takes a thousandth of its backward pass.
StatusOr<double> TrainerImpl::PrivateStep(double learning_rate) {
  const std::int64_t step = cursor_.epoch * schedule_.iterations + cursor_.iteration;
  const auto cases = static_cast<std::int64_t>(options_.train_cases.size());
  std::vector<Batch> records;
  for (const std::int64_t one : dp::PoissonSample(cases, privacy_->mechanism.sampling_rate, &*privacy_->cases)) {
    StatusOr<Batch> record = GuardTorch(
        "loading a case", [&] { return SampleRecord(train_sampler_, options_.job.model.patch_size, step, one); });
    if (!record.ok()) return record.status();
    records.push_back(*std::move(record));
  }
  return engine_->PrivateStep(records, privacy_->gradient, &*privacy_->noise, learning_rate);
}

LoaderOptions TrainerImpl::LoaderFor(std::vector<Share> shares, std::int64_t first_step, std::int64_t end_step) const {
  LoaderOptions options;
  options.patch_size = options_.job.model.patch_size;
  options.shares = std::move(shares);
  options.first_step = first_step;
  options.end_step = end_step;
  if (device_.is_cuda()) {
    options.threads = kGpuLoaderThreads;
    options.memory = LoaderOptions::Memory::kPinned;
  }
  return options;
}

StatusOr<TrainerImpl::Told> TrainerImpl::Tell(const Told& mine) {
  if (alone()) return mine;
  torch::Tensor sum = torch::tensor({mine.loss, mine.stop ? 1.0 : 0.0, mine.failed ? 1.0 : 0.0}, torch::kFloat64);
  RETURN_IF_ERROR(communicator_.AllReduceSum(sum, "sharing the loss"));
  const auto at = sum.accessor<double, 1>();
  return Told{at[0], at[1] > 0, at[2] > 0};
}

// One step at the cursor, which then stands after it.  *told: in, what this rank has to say; out, what all said.
StatusOr<StepReport> TrainerImpl::Step(BatchLoader* loader, double learning_rate, Told* told) {
  const Instant start = SystemClock().Now();
  StatusOr<StepEngine::StepResult> result = StepEngine::StepResult{.loss = kNan};
  if (loader != nullptr) {
    result = engine_->Step(*loader, shares_, learning_rate);
  } else if (const StatusOr<double> norm = PrivateStep(learning_rate); norm.ok()) {
    result->gradient_norm = *norm;
  } else {
    result = norm.status();
  }
  if (!result.ok()) return Leave(Annotate(result.status(), "epoch ", cursor_.epoch, ", iteration ", cursor_.iteration));
  told->loss = result->loss;
  ASSIGN_OR_RETURN(*told, Tell(*told));
  StepReport report;
  report.epoch = cursor_.epoch;
  report.iteration = cursor_.iteration;
  report.iterations = schedule_.iterations;
  report.learning_rate = learning_rate;
  report.loss = told->loss;
  report.gradient_norm = result->gradient_norm;
  report.seconds = Seconds(SystemClock().Now() - start);
  report.patches_per_second = static_cast<double>(options_.job.train.batch_size) / report.seconds;
  cursor_.iteration += 1;
  if (!privacy_) cursor_.loss_sum += report.loss;
  cursor_.seconds += report.seconds;
  return report;
}

StatusOr<EpochReport> TrainerImpl::TrainEpoch(std::int64_t epoch, EpochSink& sink) {
  if (epoch < 0 || epoch >= schedule_.epochs)
    return InvalidArgument("epoch ", epoch, " is outside this job's ", schedule_.epochs, " epochs");
  if (privacy_ && !privacy_->noise)
    return FailedPrecondition("privacy.records: no noise was set for this release (Trainer::SetNoise)");
  if (cursor_.epoch != epoch) cursor_ = {.epoch = epoch};
  const double learning_rate = PolyLearningRate(options_.job.train.learning_rate, epoch, schedule_.epochs);
  const std::int64_t first_step = epoch * schedule_.iterations;
  std::optional<BatchLoader> loader;
  if (!privacy_)
    loader.emplace(train_sampler_,
                   LoaderFor(shares_, first_step + cursor_.iteration, first_step + schedule_.iterations));
  Status sink_failure;
  while (cursor_.iteration < schedule_.iterations) {
    Told told{.stop = StopWanted(), .failed = !sink_failure.ok()};
    if (alone() && told.stop) return Cancelled("training was asked to stop");
    ASSIGN_OR_RETURN(const StepReport report, Step(loader ? &*loader : nullptr, learning_rate, &told));
    if (told.failed) return communicator_.Agree(sink_failure);
    if (!privacy_ && !std::isfinite(report.loss))
      return Failed("epoch ", epoch, ", iteration ", report.iteration, ": the loss is not finite");
    sink_failure = sink.OnStep(report);
    if (alone() && !sink_failure.ok()) return sink_failure;
    if (told.stop) {
      RETURN_IF_ERROR(communicator_.Agree(sink_failure));
      return Cancelled("training was asked to stop");
    }
  }
  if (!alone()) RETURN_IF_ERROR(communicator_.Agree(sink_failure));
  const double patches = static_cast<double>(options_.job.train.batch_size * schedule_.iterations);
  return EpochReport{.epoch = epoch,
                     .learning_rate = learning_rate,
                     .loss = privacy_ ? kNan : cursor_.loss_sum / static_cast<double>(schedule_.iterations),
                     .seconds = cursor_.seconds,
                     .patches_per_second = cursor_.seconds > 0 ? patches / cursor_.seconds : 0};
}

StatusOr<ValidationReport> TrainerImpl::ValidateEpoch(std::int64_t epoch) {
  ValidationReport report{
      .loss = kNan, .pseudo_dice = std::vector<double>(options_.classes - 1, kNan), .mean_dice = kNan};
  const std::int64_t batches = options_.job.train.validation_iterations;
  if (validation_sampler_ && batches > 0 && !privacy_) {
    StatusOr<StepEngine::Evaluation> evaluated = EvaluateBatches(*validation_sampler_, epoch * batches, batches);
    if (!evaluated.ok()) return Annotate(evaluated.status(), "validating epoch ", epoch);
    report.loss = evaluated->loss;
    report.pseudo_dice = PseudoDice(evaluated->counts);
    report.mean_dice = MeanOfDefined(report.pseudo_dice);
  }
  cursor_ = {.epoch = epoch + 1};
  return report;
}

// Batches [first, first + batches) of the sampler: the mean loss and all overlap counts, over all ranks.
StatusOr<StepEngine::Evaluation> TrainerImpl::EvaluateBatches(const datasets::PatchSampler& sampler, std::int64_t first,
                                                              std::int64_t batches) {
  BatchLoader loader(sampler, LoaderFor(validation_shares_, first, first + batches));
  double loss = 0;
  torch::Tensor counts = torch::zeros({3, options_.classes - 1}, torch::kFloat64);
  for (std::int64_t i = 0; i < batches; ++i) {
    if (alone() && StopWanted()) return Cancelled("was asked to stop");
    StatusOr<Batch> batch = GuardTorch("loading a batch", [&] { return loader.Next(); });
    if (!batch.ok()) return Leave(batch.status());
    const StatusOr<StepEngine::Evaluation> evaluated = engine_->Evaluate(*batch, validation_shares_[0]);
    if (!evaluated.ok()) return Leave(evaluated.status());
    loss += evaluated->loss / static_cast<double>(batches);
    counts += evaluated->counts;
  }
  torch::Tensor sum = torch::cat({torch::tensor({loss}, torch::kFloat64), counts.flatten()});
  RETURN_IF_ERROR(communicator_.AllReduceSum(sum, "sharing the validation"));
  return StepEngine::Evaluation{sum[0].item<double>(), sum.slice(0, 1).reshape({3, options_.classes - 1}).contiguous()};
}

StatusOr<double> TrainerImpl::TrainingLoss(std::int64_t batches) {
  if (privacy_) return FailedPrecondition("privacy.records: a loss on training cases has no noise");
  if (batches < 1) return InvalidArgument("a training loss needs at least one batch, not ", batches);
  const datasets::PatchSampler sampler(options_.train_cases, PlainSamplerFor(options_.job, kLossStream));
  const StatusOr<StepEngine::Evaluation> evaluated = EvaluateBatches(sampler, 0, batches);
  if (!evaluated.ok()) return Annotate(evaluated.status(), "measuring the training loss");
  return evaluated->loss;
}

tensor::ParameterVector TrainerImpl::Momentum() const {
  StatusOr<tensor::ParameterVector> momentum =
      tensor::ParameterVector::Zeros(std::make_shared<const tensor::Schema>(SchemaOf(*model_)));
  CONSILIUM_CHECK(momentum.ok(), momentum.status().message());
  engine_->sgd().ExportMomentum(*momentum);
  return std::move(momentum).value();
}

Status TrainerImpl::LoadParameters(const tensor::ParameterVector& parameters) {
  RETURN_IF_ERROR(ImportParameters(parameters, *model_));
  cursor_ = {.epoch = cursor_.epoch};
  return Status();
}

Status TrainerImpl::LoadMomentum(const tensor::ParameterVector& momentum) {
  RETURN_IF_ERROR(Annotate(SchemaOf(*model_).CheckSame(momentum.schema()), "optimizer state"));
  return GuardTorch("loading the optimizer's state", [&] { engine_->sgd().ImportMomentum(momentum); });
}

Status TrainerImpl::SetCursor(const Cursor& cursor) {
  if (cursor.epoch < 0 || cursor.epoch > schedule_.epochs || cursor.iteration < 0 ||
      cursor.iteration > schedule_.iterations)
    return InvalidArgument("epoch ", cursor.epoch, ", iteration ", cursor.iteration, " is outside this job's ",
                           schedule_.epochs, " epochs of ", schedule_.iterations, " iterations");
  cursor_ = cursor;
  return Status();
}

Status TrainerImpl::Synchronize() {
  if (alone()) return Status();
  const torch::NoGradGuard no_grad;
  const auto share = [&](torch::Tensor tensor) {
    return communicator_.Broadcast(tensor, /*root=*/0, "sharing rank 0's state");
  };
  for (const torch::Tensor& parameter : model_->parameters()) RETURN_IF_ERROR(share(parameter.detach()));
  for (const torch::Tensor& buffer : model_->buffers()) RETURN_IF_ERROR(share(buffer.detach()));
  for (const torch::Tensor& velocity : engine_->sgd().momentum_tensors()) RETURN_IF_ERROR(share(velocity));
  torch::Tensor where = torch::tensor(
      {static_cast<double>(cursor_.epoch), static_cast<double>(cursor_.iteration), cursor_.loss_sum, cursor_.seconds},
      torch::kFloat64);
  RETURN_IF_ERROR(share(where));
  const auto at = where.accessor<double, 1>();
  cursor_ = {static_cast<std::int64_t>(at[0]), static_cast<std::int64_t>(at[1]), at[2], at[3]};
  GradientCorrection correction = engine_->corrector().correction();
  RETURN_IF_ERROR(ShareCorrection(communicator_, SchemaOf(*model_), &correction));
  return SetCorrection(std::move(correction));
}

}  // namespace

StatusOr<std::unique_ptr<Trainer>> Trainer::Create(TrainerOptions options) {
  if (options.train_cases.empty()) return InvalidArgument("there are no training cases");
  const std::int64_t channels = options.train_cases.front().channels;
  RETURN_IF_ERROR(CheckCases(options.train_cases, channels, "training"));
  RETURN_IF_ERROR(CheckCases(options.validation_cases, channels, "validation"));
  std::unique_ptr<collective::Communicator> solo;
  if (options.communicator == nullptr) solo = collective::MakeSoloCommunicator();
  const collective::Communicator& communicator = options.communicator != nullptr ? *options.communicator : *solo;
  ASSIGN_OR_RETURN(const torch::Device device, SelectDevice(options.device, communicator.local_rank()));
  const int threads = SetThreads(options.job.train.threads, communicator.local_world());
  SetPrecision(options.job.train);
  auto trainer = std::make_unique<TrainerImpl>(std::move(options), std::move(solo), device, threads);
  RETURN_IF_ERROR(trainer->Build());
  return std::unique_ptr<Trainer>(std::move(trainer));
}

Status Trainer::SaveOptimizer(const std::filesystem::path& path) const {
  return tensor::WriteParameters(path, Momentum(), {{"format", "pt"}});
}

Status Trainer::LoadOptimizer(const std::filesystem::path& path) {
  ASSIGN_OR_RETURN(const tensor::ParameterVector momentum, tensor::ReadParameters(path));
  return Annotate(LoadMomentum(momentum), path.string());
}

}  // namespace consilium::trainer
