// Several ranks as threads of this process, over real Gloo.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/unit/comm/collective/gang.h"
#include "tests/unit/trainer/loop/synthetic_cases.h"
#include "trainer/loop/trainer.h"

namespace consilium::trainer {
namespace {

using testing::HasSubstr;

class Recorder final : public EpochSink {
 public:
  Status OnStep(const StepReport& step) override {
    losses.push_back(step.loss);
    return fail_at == static_cast<std::int64_t>(losses.size()) ? Storage("no space left") : Status();
  }
  std::vector<double> losses;
  std::int64_t fail_at = -1;
};

struct Result {
  Status status;
  std::vector<double> losses;
  ValidationReport validation;
  tensor::ParameterVector parameters;
};

class TrainerGangTest : public testing::Test {
 protected:
  struct Hooks {
    std::function<void(int rank, TrainerOptions&, Recorder&)> change = [](int, TrainerOptions&, Recorder&) {};
    std::function<void(int rank, Trainer&)> before = [](int, Trainer&) {};
    std::function<void(int rank, const Trainer&)> after = [](int, const Trainer&) {};
  };
  // Trains one epoch and validates, on every rank; results by rank.
  std::vector<Result> Run(const wire::JobSpec& job, int world) { return Run(job, world, Hooks()); }
  std::vector<Result> Run(const wire::JobSpec& job, int world, const Hooks& hooks) {
    std::vector<Result> results(static_cast<std::size_t>(world));
    collective::RunGang(world, [&](collective::Communicator& communicator) {
      Result& result = results[static_cast<std::size_t>(communicator.rank())];
      const bool flat = job.model.patch_size.size() == 2;
      TrainerOptions options;
      options.job = job;
      options.classes = kSyntheticClasses;
      options.train_cases = flat ? flat_train_ : train_;
      options.validation_cases = flat ? flat_validation_ : validation_;
      options.communicator = &communicator;
      options.device = "cpu";
      Recorder recorder;
      hooks.change(communicator.rank(), options, recorder);
      StatusOr<std::unique_ptr<Trainer>> trainer = Trainer::Create(std::move(options));
      ASSERT_TRUE(trainer.ok()) << trainer.status();
      hooks.before(communicator.rank(), **trainer);
      const StatusOr<EpochReport> report = (*trainer)->TrainEpoch((*trainer)->cursor().epoch, recorder);
      result.status = report.status();
      if (report.ok()) {
        const StatusOr<ValidationReport> validation = (*trainer)->ValidateEpoch(report->epoch);
        ASSERT_TRUE(validation.ok()) << validation.status();
        result.validation = *validation;
      }
      result.losses = recorder.losses;
      result.parameters = (*trainer)->Parameters();
      hooks.after(communicator.rank(), **trainer);
    });
    return results;
  }

  const std::vector<datasets::PreparedCase> train_ = SyntheticCases(4, 1), validation_ = SyntheticCases(2, 2);
  const std::vector<datasets::PreparedCase> flat_train_ = SyntheticCases(4, 3, /*flat=*/true),
                                            flat_validation_ = SyntheticCases(2, 4, /*flat=*/true);
};

void ExpectClose(const Result& a, const Result& b) {
  ASSERT_TRUE(a.status.ok() && b.status.ok()) << a.status << b.status;
  ASSERT_EQ(a.losses.size(), b.losses.size());
  for (std::size_t i = 0; i < a.losses.size(); ++i) EXPECT_NEAR(a.losses[i], b.losses[i], 1e-5) << "step " << i;
  for (std::size_t i = 0; i < a.parameters.values().size(); ++i)
    ASSERT_NEAR(a.parameters.values()[i], b.parameters.values()[i], 1e-5) << "value " << i;
  EXPECT_NEAR(a.validation.loss, b.validation.loss, 1e-5);
  EXPECT_NEAR(a.validation.mean_dice, b.validation.mean_dice, 0.02) << "a voxel on the edge may fall either way";
}

TEST_F(TrainerGangTest, AnyNumberOfRanksTrainsAsOneProcessOnTheJoinedBatchAlsoWhenTheSplitIsUneven) {
  for (const bool flat : {false, true})  // 3D: Dice a sample; 2D: Dice over the whole batch
    for (const std::int64_t accumulation : {1, 2}) {
      wire::JobSpec job = SyntheticJob(/*epochs=*/1, /*iterations=*/4, flat);
      job.train.batch_size = 10;
      job.train.gradient_accumulation = accumulation;
      const Result one = Run(job, 1)[0];
      for (const int world : {2, 3}) {
        SCOPED_TRACE(Concat(flat ? "2D, " : "3D, ", world, " ranks, accumulation ", accumulation));
        const std::vector<Result> many = Run(job, world);
        ExpectClose(one, many[0]);
        for (const Result& rank : many) {
          EXPECT_EQ(rank.losses, many[0].losses);
          EXPECT_EQ(rank.parameters.digest(), many[0].parameters.digest()) << "ranks stay one model, bit for bit";
        }
      }
    }
}

TEST_F(TrainerGangTest, ThreeRanksResumeBitForBitInTheMiddleOfAnEpoch) {
  wire::JobSpec job = SyntheticJob(/*epochs=*/1, /*iterations=*/4);
  job.train.batch_size = 4;
  const Result undisturbed = Run(job, 3)[0];
  tensor::ParameterVector parameters, momentum;
  Cursor cursor;
  Hooks stop;  // after two steps, because rank 1 wants to
  stop.change = [](int rank, TrainerOptions& options, Recorder&) {
    if (rank == 1) options.should_stop = [asked = 0]() mutable { return ++asked == 2; };
  };
  stop.after = [&](int rank, const Trainer& trainer) {
    if (rank != 0) return;
    parameters = trainer.Parameters();
    momentum = trainer.Momentum();
    cursor = trainer.cursor();
  };
  for (const Result& rank : Run(job, 3, stop)) {
    EXPECT_EQ(rank.status.code(), StatusCode::kCancelled) << rank.status;
    EXPECT_EQ(rank.losses.size(), 2u) << "all ranks stop after the same step";
  }
  Hooks resume;
  resume.before = [&](int rank, Trainer& trainer) {
    if (rank == 0) {  // the others learn it from rank 0
      ASSERT_TRUE(trainer.LoadParameters(parameters).ok());
      ASSERT_TRUE(trainer.LoadMomentum(momentum).ok());
      ASSERT_TRUE(trainer.SetCursor(cursor).ok());
    }
    ASSERT_TRUE(trainer.Synchronize().ok());
  };
  const Result resumed = Run(job, 3, resume)[0];
  EXPECT_EQ(resumed.losses, std::vector<double>(undisturbed.losses.begin() + 2, undisturbed.losses.end()));
  EXPECT_EQ(resumed.parameters.digest(), undisturbed.parameters.digest());
}

TEST_F(TrainerGangTest, AFailureOfOneRanksSinkReachesAllRanksWithItsCode) {
  for (const std::int64_t step : {2, 4}) {  // in the middle, and at the last step
    Hooks fail;
    fail.change = [&](int rank, TrainerOptions&, Recorder& recorder) {
      if (rank == 0) recorder.fail_at = step;
    };
    for (const Result& rank : Run(SyntheticJob(/*epochs=*/1, /*iterations=*/4), 2, fail)) {
      EXPECT_EQ(rank.status.code(), StatusCode::kStorage) << rank.status;
      EXPECT_THAT(rank.status.message(), HasSubstr("no space left"));
    }
  }
}

TEST_F(TrainerGangTest, ARankThatCannotGoOnTellsTheOthersItsReason) {
  std::vector<datasets::PreparedCase> faulty = train_;
  for (datasets::PreparedCase& one : faulty) std::fill(one.labels.begin(), one.labels.end(), kSyntheticClasses);
  collective::RunGang(2, [&](collective::Communicator& communicator) {
    TrainerOptions options;
    options.job = SyntheticJob(1, 1);
    options.classes = kSyntheticClasses;
    options.train_cases = communicator.rank() == 1 ? faulty : train_;  // a class that the network does not have
    options.communicator = &communicator;
    options.device = "cpu";
    const StatusOr<std::unique_ptr<Trainer>> trainer = Trainer::Create(std::move(options));
    ASSERT_TRUE(trainer.ok()) << trainer.status();
    Recorder recorder;
    const Status status = (*trainer)->TrainEpoch(0, recorder).status();
    EXPECT_THAT(status.message(), HasSubstr("computing the loss")) << "the cause, on every rank";
    if (communicator.rank() == 1) return;
    EXPECT_EQ(status.code(), StatusCode::kRankFailure) << status;
    EXPECT_THAT(status.message(), HasSubstr("rank 1"));
  });
}

TEST_F(TrainerGangTest, RanksThatLearnACorrectionFromRank0TrainAsOneProcessDoes) {
  wire::JobSpec job = SyntheticJob(/*epochs=*/1, /*iterations=*/4);
  job.train.batch_size = 4;
  const auto correct = [](Trainer& trainer) {
    GradientCorrection correction;
    correction.pull = 0.5;
    correction.record = GradientCorrection::Record::kMeanGradient;
    correction.anchor = trainer.Parameters();
    for (float& value : correction.anchor->values()) value *= 0.5F;
    const tensor::ParameterVector all = trainer.Parameters();
    auto one = tensor::Schema::Create({all.schema().tensors().front()});
    correction.shift = *tensor::ParameterVector::Zeros(std::make_shared<const tensor::Schema>(*one));
    for (float& value : correction.shift->values()) value = 0.01F;
    ASSERT_TRUE(trainer.SetCorrection(std::move(correction)).ok());
  };
  Digest means[2];
  Hooks alone, gang;
  alone.before = [&](int, Trainer& trainer) { correct(trainer); };
  gang.before = [&](int rank, Trainer& trainer) {
    if (rank == 0) correct(trainer);
    ASSERT_TRUE(trainer.Synchronize().ok());
  };
  gang.after = [&](int rank, const Trainer& trainer) { means[rank] = trainer.MeanGradient().digest(); };
  const Result plain = Run(job, 1)[0], one = Run(job, 1, alone)[0];
  EXPECT_NE(plain.parameters.digest(), one.parameters.digest());
  const std::vector<Result> two = Run(job, 2, gang);
  ExpectClose(one, two[0]);
  EXPECT_EQ(two[0].parameters.digest(), two[1].parameters.digest());
  EXPECT_EQ(means[0], means[1]);
}

TEST_F(TrainerGangTest, ABatchTooSmallForTheRanksIsRefusedOnEveryRank) {
  collective::RunGang(3, [&](collective::Communicator& communicator) {
    TrainerOptions options;
    options.job = SyntheticJob(1, 1);
    options.classes = kSyntheticClasses;
    options.train_cases = train_;
    options.communicator = &communicator;
    options.device = "cpu";
    EXPECT_EQ(Trainer::Create(std::move(options)).code(), StatusCode::kInvalidArgument);
  });
}

}  // namespace
}  // namespace consilium::trainer
