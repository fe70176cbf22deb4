#include "trainer/loop/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>

#include "tests/unit/trainer/loop/synthetic_cases.h"

namespace consilium::trainer {
namespace {

using testing::HasSubstr;

// Remembers the losses; may fail or ask to stop at a step.
class Recorder final : public EpochSink {
 public:
  Status OnStep(const StepReport& step) override {
    losses.push_back(step.loss);
    norms.push_back(step.gradient_norm);
    return fail_at == static_cast<std::int64_t>(losses.size()) ? Storage("no space left") : Status();
  }
  std::vector<double> losses, norms;
  std::int64_t fail_at = -1;
};

class TrainerTest : public testing::Test {
 protected:
  std::unique_ptr<Trainer> Make(const wire::JobSpec& job, std::function<bool()> should_stop = nullptr) {
    TrainerOptions options;
    options.job = job;
    options.classes = kSyntheticClasses;
    const bool flat = job.model.patch_size.size() == 2;
    options.train_cases = flat ? flat_train_ : train_;
    options.validation_cases = flat ? flat_validation_ : validation_;
    options.device = "cpu";
    options.should_stop = std::move(should_stop);
    StatusOr<std::unique_ptr<Trainer>> trainer = Trainer::Create(std::move(options));
    CONSILIUM_CHECK(trainer.ok(), trainer.status());
    return std::move(trainer).value();
  }
  // What a resumed process would do: a new trainer with the state of the old one.
  std::unique_ptr<Trainer> Resume(const wire::JobSpec& job, const Trainer& old,
                                  std::function<bool()> should_stop = nullptr) {
    std::unique_ptr<Trainer> trainer = Make(job, std::move(should_stop));
    CONSILIUM_CHECK(trainer->LoadParameters(old.Parameters()).ok());
    CONSILIUM_CHECK(trainer->LoadMomentum(old.Momentum()).ok());
    CONSILIUM_CHECK(trainer->SetCursor(old.cursor()).ok());
    return trainer;
  }

  const std::vector<datasets::PreparedCase> train_ = SyntheticCases(4, 1), validation_ = SyntheticCases(2, 2);
  const std::vector<datasets::PreparedCase> flat_train_ = SyntheticCases(4, 3, /*flat=*/true),
                                            flat_validation_ = SyntheticCases(2, 4, /*flat=*/true);
};

TEST_F(TrainerTest, TheLossFallsAndThePseudoDiceRises) {
  for (const bool flat : {false, true}) {
    wire::JobSpec job = SyntheticJob(/*epochs=*/4, /*iterations=*/30, flat);
    job.model.base_features = 4;
    job.train.batch_size = 4;
    job.train.momentum = 0.9;  // 0.99 needs more steps than a test has
    job.train.learning_rate = 0.05;
    const std::unique_ptr<Trainer> trainer = Make(job);
    std::vector<EpochReport> epochs;
    std::vector<ValidationReport> validations;
    Recorder recorder;
    for (std::int64_t epoch = 0; epoch < 4; ++epoch) {
      const StatusOr<EpochReport> report = trainer->TrainEpoch(epoch, recorder);
      ASSERT_TRUE(report.ok()) << report.status();
      epochs.push_back(*report);
      const StatusOr<ValidationReport> validation = trainer->ValidateEpoch(epoch);
      ASSERT_TRUE(validation.ok()) << validation.status();
      validations.push_back(*validation);
    }
    EXPECT_LT(epochs.back().loss, epochs.front().loss - 0.3) << (flat ? "2D" : "3D");
    EXPECT_LT(validations.back().loss, validations.front().loss);
    EXPECT_GT(validations.back().mean_dice, 0.5) << (flat ? "2D" : "3D");
    EXPECT_EQ(validations.back().pseudo_dice.size(), 2u);
    EXPECT_DOUBLE_EQ(epochs[0].learning_rate, 0.05);
    EXPECT_NEAR(epochs[2].learning_rate, 0.05 * std::pow(0.5, 0.9), 1e-12);
    EXPECT_GT(epochs[0].patches_per_second, 0);
    EXPECT_EQ(recorder.losses.size(), 120u);
  }
}

struct Outcome {
  Digest weights, momentum;
  double loss = 0, validation_loss = 0, dice = 0;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

// Stopped before every single step in turn, each time continued by a new trainer from the saved state.
TEST_F(TrainerTest, StoppedAtAnyStepAndResumedTheFinalWeightsAreBitForBitThoseOfTheUndisturbedRun) {
  const wire::JobSpec job = SyntheticJob(/*epochs=*/2, /*iterations=*/3);
  // The question "should we stop?" number `stop_after` is answered yes, all others no.
  const auto run = [&](std::int64_t stop_after) {
    std::int64_t questions = 0;
    const auto should_stop = [&] { return questions++ == stop_after; };
    std::unique_ptr<Trainer> trainer = Make(job, should_stop);
    Recorder recorder;
    Outcome outcome;
    int resumptions = 0;
    while (trainer->cursor().epoch < 2) {
      const std::int64_t epoch = trainer->cursor().epoch;
      const StatusOr<EpochReport> report = trainer->TrainEpoch(epoch, recorder);
      const StatusOr<ValidationReport> validation =
          report.ok() ? trainer->ValidateEpoch(epoch) : StatusOr<ValidationReport>(report.status());
      if (!validation.ok()) {
        EXPECT_EQ(validation.code(), StatusCode::kCancelled) << validation.status();
        trainer = Resume(job, *trainer, should_stop);
        ++resumptions;
        continue;
      }
      outcome = {trainer->Parameters().digest(), trainer->Momentum().digest(), report->loss, validation->loss,
                 validation->mean_dice};
    }
    EXPECT_EQ(resumptions, stop_after >= 0 ? 1 : 0);
    EXPECT_EQ(recorder.losses.size(), 6u) << "no step is done twice or left out";
    return outcome;
  };
  const Outcome undisturbed = run(-1);
  for (std::int64_t question = 0; question < 10; ++question)  // 2 x (3 steps + 2 validation batches)
    EXPECT_TRUE(run(question) == undisturbed) << "stopped at question " << question;
}

// What a federation of one site does: every round a new trainer, the global model in, the optimizer from a file.
TEST_F(TrainerTest, OneEpochARoundWithTheOptimizerKeptEqualsPlainTrainingBitForBit) {
  const wire::JobSpec job = SyntheticJob(/*epochs=*/3, /*iterations=*/3);
  char pattern[] = "/tmp/trainer_test.XXXXXX";
  const std::filesystem::path folder = ::mkdtemp(pattern);
  Recorder plain, federated;
  const std::unique_ptr<Trainer> centralised = Make(job);
  for (std::int64_t epoch = 0; epoch < 3; ++epoch) ASSERT_TRUE(centralised->TrainEpoch(epoch, plain).ok());
  tensor::ParameterVector global = Make(job)->Parameters();
  for (std::int64_t round = 0; round < 3; ++round) {
    const std::unique_ptr<Trainer> site = Make(job);
    ASSERT_TRUE(site->LoadParameters(global).ok());
    if (round > 0) {
      ASSERT_TRUE(site->LoadOptimizer(folder / "state").ok());
    }
    ASSERT_TRUE(site->TrainEpoch(round, federated).ok());
    global = site->Parameters();
    ASSERT_TRUE(site->SaveOptimizer(folder / "state").ok());
  }
  std::filesystem::remove_all(folder);
  EXPECT_EQ(plain.losses, federated.losses);
  EXPECT_EQ(global.digest(), centralised->Parameters().digest());
}

TEST_F(TrainerTest, GradientAccumulationDoesNotChangeTheStep) {
  wire::JobSpec job = SyntheticJob(/*epochs=*/1, /*iterations=*/4);
  job.train.batch_size = 4;
  Recorder whole, halves;
  const std::unique_ptr<Trainer> one = Make(job);
  ASSERT_TRUE(one->TrainEpoch(0, whole).ok());
  job.train.gradient_accumulation = 2;
  const std::unique_ptr<Trainer> two = Make(job);
  ASSERT_TRUE(two->TrainEpoch(0, halves).ok());
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(whole.losses[i], halves.losses[i], 1e-6);
  const tensor::ParameterVector a = one->Parameters(), b = two->Parameters();
  for (std::size_t i = 0; i < a.values().size(); ++i) ASSERT_NEAR(a.values()[i], b.values()[i], 1e-6);
}

TEST_F(TrainerTest, EqualJobsTrainToEqualBitsAndAnotherSeedDoesNot) {
  wire::JobSpec job = SyntheticJob(/*epochs=*/1, /*iterations=*/2);
  Recorder recorder;
  std::vector<Digest> digests;
  for (const std::int64_t seed : {1, 1, 2}) {
    job.train.seed = seed;
    const std::unique_ptr<Trainer> trainer = Make(job);
    ASSERT_TRUE(trainer->TrainEpoch(0, recorder).ok());
    digests.push_back(trainer->Parameters().digest());
  }
  EXPECT_EQ(digests[0], digests[1]);
  EXPECT_NE(digests[0], digests[2]);
}

TEST_F(TrainerTest, NewWeightsMakeAHalfTrainedEpochStartAgain) {
  const wire::JobSpec job = SyntheticJob(/*epochs=*/2, /*iterations=*/3);
  Recorder failing, recorder;
  failing.fail_at = 2;
  const std::unique_ptr<Trainer> trainer = Make(job);
  const tensor::ParameterVector start = trainer->Parameters();
  EXPECT_EQ(trainer->TrainEpoch(0, failing).code(), StatusCode::kStorage) << "the sink's failure comes through";
  EXPECT_EQ(trainer->cursor().iteration, 2);
  ASSERT_TRUE(trainer->LoadParameters(start).ok());
  EXPECT_EQ(trainer->cursor().iteration, 0);
  ASSERT_TRUE(trainer->TrainEpoch(0, recorder).ok());
  EXPECT_EQ(recorder.losses.size(), 3u);
}

TEST_F(TrainerTest, AGradientThatIsNotFiniteIsAFailureThatLeavesTheWeights) {
  std::vector<datasets::PreparedCase> broken = SyntheticCases(1, 9);
  for (float& voxel : broken[0].image) voxel = std::numeric_limits<float>::quiet_NaN();
  TrainerOptions options;
  options.job = SyntheticJob(1, 2);
  options.classes = kSyntheticClasses;
  options.train_cases = broken;
  options.device = "cpu";
  const StatusOr<std::unique_ptr<Trainer>> trainer = Trainer::Create(options);
  ASSERT_TRUE(trainer.ok()) << trainer.status();
  const Digest before = (*trainer)->Parameters().digest();
  Recorder recorder;
  const StatusOr<EpochReport> report = (*trainer)->TrainEpoch(0, recorder);
  ASSERT_FALSE(report.ok());
  EXPECT_THAT(report.status().message(), HasSubstr("not finite"));
  EXPECT_THAT(report.status().message(), HasSubstr("mend"));
  EXPECT_EQ((*trainer)->Parameters().digest(), before);
}

TEST_F(TrainerTest, WithoutValidationCasesTheNumbersAreNotNumbersAndTheCursorMovesOn) {
  TrainerOptions options;
  options.job = SyntheticJob(1, 1);
  options.classes = kSyntheticClasses;
  options.train_cases = train_;
  options.device = "cpu";
  const StatusOr<std::unique_ptr<Trainer>> trainer = Trainer::Create(options);
  ASSERT_TRUE(trainer.ok()) << trainer.status();
  const StatusOr<ValidationReport> report = (*trainer)->ValidateEpoch(0);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(std::isnan(report->loss));
  EXPECT_TRUE(std::isnan(report->mean_dice));
  EXPECT_EQ((*trainer)->cursor().epoch, 1);
}

TEST_F(TrainerTest, BadInputIsRefusedWithWhatIsWrong) {
  const auto refusal = [&](const std::function<void(TrainerOptions&)>& spoil) {
    TrainerOptions options;
    options.job = SyntheticJob(1, 1);
    options.classes = kSyntheticClasses;
    options.train_cases = train_;
    options.device = "cpu";
    spoil(options);
    const StatusOr<std::unique_ptr<Trainer>> trainer = Trainer::Create(options);
    EXPECT_FALSE(trainer.ok());
    EXPECT_EQ(trainer.code(), StatusCode::kInvalidArgument);
    return trainer.status().message();
  };
  std::vector<datasets::PreparedCase> unlabelled = SyntheticCases(1, 1), two_channels = SyntheticCases(1, 1);
  unlabelled[0].labels.clear();
  two_channels[0].channels = 2;
  EXPECT_THAT(refusal([&](TrainerOptions& options) { options.train_cases = {}; }), HasSubstr("no training cases"));
  EXPECT_THAT(refusal([&](TrainerOptions& options) { options.train_cases = unlabelled; }), HasSubstr("no label"));
  EXPECT_THAT(refusal([&](TrainerOptions& options) { options.validation_cases = two_channels; }),
              HasSubstr("2 channels"));
  EXPECT_THAT(refusal([&](TrainerOptions& options) { options.device = "tpu"; }), HasSubstr("'tpu'"));
  EXPECT_THAT(refusal([&](TrainerOptions& options) { options.device = "cuda:999"; }), HasSubstr("not there"));
  EXPECT_THAT(refusal([&](TrainerOptions& options) { options.job.train.gradient_accumulation = 3; }),
              HasSubstr("gradient_accumulation"));
}

TEST_F(TrainerTest, EpochsAndCursorsOutsideTheScheduleAreRefused) {
  const std::unique_ptr<Trainer> trainer = Make(SyntheticJob(2, 3));
  Recorder recorder;
  EXPECT_EQ(trainer->TrainEpoch(2, recorder).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(trainer->TrainEpoch(-1, recorder).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(trainer->SetCursor({.epoch = 1, .iteration = 4}).code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(trainer->SetCursor({.epoch = 2}).ok()) << "the end is a place to stand";
}

TEST_F(TrainerTest, AnOptimizerStateOfAnotherModelIsRefusedByTensorName) {
  wire::JobSpec other = SyntheticJob(1, 1);
  other.model.base_features = 3;
  const std::unique_ptr<Trainer> trainer = Make(SyntheticJob(1, 1));
  const Status loaded = trainer->LoadMomentum(Make(other)->Momentum());
  EXPECT_EQ(loaded.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(loaded.message(), HasSubstr("decoder."));
}

// --- privacy.records

wire::JobSpec PrivateJob(std::int64_t epochs = 2, std::int64_t iterations = 3) {
  wire::JobSpec job = SyntheticJob(epochs, iterations);
  job.record_privacy = {.enabled = true, .epsilon = 8, .clip = 0.5, .noise_multiplier = 0.5};
  return job;
}

SecretBytes Secret(std::uint8_t value) { return SecretBytes(Bytes(32, value)); }

TEST_F(TrainerTest, PrivateTrainingTellsNoLossAndValidatesNothingAndIsAFunctionOfTheSecretAndThePurpose) {
  const auto train = [&](std::uint8_t secret, const std::string& purpose) {
    const std::unique_ptr<Trainer> trainer = Make(PrivateJob());
    trainer->SetNoise(Secret(secret), purpose);
    Recorder recorder;
    for (std::int64_t epoch = 0; epoch < 2; ++epoch) {
      const StatusOr<EpochReport> report = trainer->TrainEpoch(epoch, recorder);
      EXPECT_TRUE(report.ok()) << report.status();
      EXPECT_TRUE(std::isnan(report->loss));
      const StatusOr<ValidationReport> validation = trainer->ValidateEpoch(epoch);
      EXPECT_TRUE(std::isnan(validation->loss));
      EXPECT_TRUE(std::isnan(validation->mean_dice));
    }
    for (const double loss : recorder.losses) EXPECT_TRUE(std::isnan(loss));
    for (const double norm : recorder.norms) EXPECT_GT(norm, 0);
    EXPECT_EQ(trainer->TrainingLoss(1).code(), StatusCode::kFailedPrecondition);
    return trainer->Parameters().digest();
  };
  const Digest weights = train(1, "a");
  EXPECT_EQ(train(1, "a"), weights);
  EXPECT_NE(train(1, "b"), weights);
  EXPECT_NE(train(2, "a"), weights);
}

TEST_F(TrainerTest, PrivateTrainingSaysWhatAStepCostsAndRefusesToBeginWithoutNoise) {
  const std::unique_ptr<Trainer> trainer = Make(PrivateJob());
  ASSERT_TRUE(trainer->mechanism().has_value());
  EXPECT_EQ(trainer->mechanism()->noise_multiplier, 0.5);
  EXPECT_EQ(trainer->mechanism()->sampling_rate, 0.5);  // 2 of 4 cases
  Recorder recorder;
  EXPECT_EQ(trainer->TrainEpoch(0, recorder).code(), StatusCode::kFailedPrecondition);
  EXPECT_FALSE(Make(SyntheticJob(1, 1))->mechanism().has_value());
  wire::JobSpec calibrated = PrivateJob();
  calibrated.record_privacy.noise_multiplier = 0;
  EXPECT_GT(Make(calibrated)->mechanism()->noise_multiplier, 0.3);
  wire::JobSpec greedy = PrivateJob();
  greedy.train.batch_size = 5;
  TrainerOptions options;
  options.job = greedy;
  options.classes = kSyntheticClasses;
  options.train_cases = train_;
  options.device = "cpu";
  EXPECT_THAT(Trainer::Create(std::move(options)).status().message(), HasSubstr("train.batch_size"));
}

// With next to no noise, a clip that clips nothing and all cases in each step it is plain gradient descent; so it
// learns.
TEST_F(TrainerTest, PrivateTrainingWithLittleNoiseLearns) {
  for (const bool flat : {false, true}) {
    wire::JobSpec job = SyntheticJob(/*epochs=*/1, /*iterations=*/60, flat);
    job.model.base_features = 4;
    job.train.batch_size = 4;
    job.train.momentum = 0.9;
    job.train.learning_rate = 0.05;
    const std::unique_ptr<Trainer> plain = Make(job);
    const double before = *plain->TrainingLoss(8);
    wire::JobSpec private_job = job;
    private_job.record_privacy = {.enabled = true, .epsilon = 1000, .clip = 100, .noise_multiplier = 1e-6};
    const std::unique_ptr<Trainer> trainer = Make(private_job);
    trainer->SetNoise(Secret(1), "learning");
    Recorder recorder;
    ASSERT_TRUE(trainer->TrainEpoch(0, recorder).ok());
    ASSERT_TRUE(plain->LoadParameters(trainer->Parameters()).ok());
    EXPECT_LT(*plain->TrainingLoss(8), before - 0.5);
  }
}

}  // namespace
}  // namespace consilium::trainer
