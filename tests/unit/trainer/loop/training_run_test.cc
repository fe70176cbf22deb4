#include "trainer/loop/training_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdlib>
#include <sstream>
#include <stdexcept>

#include "comm/base/file.h"
#include "tests/unit/trainer/loop/synthetic_cases.h"

namespace consilium::trainer {
namespace {

using testing::HasSubstr;

// As far as a test can kill its own process.
struct Killed : std::runtime_error {
  Killed() : std::runtime_error("killed") {}
};

class TrainingRunTest : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/training_run_test.XXXXXX";
    folder_ = ::mkdtemp(pattern);
    job_ = SyntheticJob(/*epochs=*/2, /*iterations=*/3);
    job_.train.checkpoint_every = std::chrono::seconds(2);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // One process's life: opens the RUN, restores, trains to the end.  The clock moves a second a question of
  // `should_stop`, so that a checkpoint is due every second step.
  Status Live(const std::string& name, RunStart start, const std::function<bool()>& should_stop = nullptr) {
    std::unique_ptr<collective::Communicator> solo = collective::MakeSoloCommunicator();
    ManualClock clock;
    TrainerOptions options;
    options.job = job_;
    options.classes = kSyntheticClasses;
    options.train_cases = train_;
    options.validation_cases = validation_;
    options.device = "cpu";
    options.should_stop = [&] {
      clock.Advance(std::chrono::seconds(1));
      return should_stop && should_stop();
    };
    ASSIGN_OR_RETURN(const std::unique_ptr<Trainer> trainer, Trainer::Create(std::move(options)));
    ASSIGN_OR_RETURN(const std::unique_ptr<RunDirectory> run, RunDirectory::Open(folder_ / name, job_, start));
    std::unique_ptr<RunPrivacy> privacy;
    if (job_.record_privacy.enabled) {
      ASSIGN_OR_RETURN(privacy, RunPrivacy::Open({.ledger = folder_ / "ledger", .job = job_}, trainer.get()));
    }
    Progress progress({.out = nullptr});
    TrainingRun training({.job = job_,
                          .trainer = trainer.get(),
                          .communicator = solo.get(),
                          .run = run.get(),
                          .progress = &progress,
                          .privacy = privacy.get(),
                          .clock = &clock});
    RETURN_IF_ERROR(training.Restore());
    return training.Finish().status();
  }

  // Everything of a RUN that must not depend on how often it was disturbed.
  std::string Result(const std::string& name) const {
    std::string text;
    for (const char* file : {"checkpoint_final.safetensors", "checkpoint_best.safetensors"}) {
      const StatusOr<Digest> digest = Sha256OfFile(folder_ / name / file);
      text += Concat(file, " ", digest.ok() ? digest->ToHex() : digest.status().ToString(), "\n");
    }
    std::istringstream lines(*ReadFile(folder_ / name / "metrics.jsonl"));
    for (std::string line; std::getline(lines, line);) {
      Json json = *ParseJson(line, "metrics");
      json.erase("seconds");
      json.erase("patches_per_second");
      text += json.dump() + "\n";
    }
    return text;
  }

  std::filesystem::path folder_;
  wire::JobSpec job_;
  const std::vector<datasets::PreparedCase> train_ = SyntheticCases(4, 1), validation_ = SyntheticCases(2, 2);
};

TEST_F(TrainingRunTest, ARunLeavesFinalAndBestWeightsAndALineAnEpochAndNoLatest) {
  ASSERT_TRUE(Live("run", RunStart::kFresh).ok());
  EXPECT_TRUE(std::filesystem::exists(folder_ / "run/checkpoint_final.safetensors"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "run/checkpoint_best.safetensors"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run/checkpoint_latest.safetensors"));
  const std::string metrics = *ReadFile(folder_ / "run/metrics.jsonl");
  EXPECT_EQ(std::count(metrics.begin(), metrics.end(), '\n'), 2);
  for (const char* key : {"\"epoch\":1", "learning_rate", "train_loss", "validation_loss", "pseudo_dice", "seconds"})
    EXPECT_THAT(metrics, HasSubstr(key));
}

TEST_F(TrainingRunTest, AskedToStopAtAnyPointItChecksInAndResumesToTheSameResult) {
  ASSERT_TRUE(Live("undisturbed", RunStart::kFresh).ok());
  for (int point = 0; point < 10; ++point) {  // 2 x (3 steps + 2 validation batches)
    const std::string name = Concat("stopped", point);
    const Status stopped = Live(name, RunStart::kFresh, [asked = 0, point]() mutable { return asked++ == point; });
    ASSERT_EQ(stopped.code(), StatusCode::kPreempted) << stopped;
    EXPECT_EQ(ExitCodeFor(stopped), ExitCode::kPreempted);
    const Status resumed = Live(name, RunStart::kResume);
    ASSERT_TRUE(resumed.ok()) << resumed;
    EXPECT_EQ(Result(name), Result("undisturbed")) << "stopped at point " << point;
  }
}

TEST_F(TrainingRunTest, KilledAtAnyPointItGoesBackToTheLastCheckpointAndEndsWithTheSameResult) {
  ASSERT_TRUE(Live("undisturbed", RunStart::kFresh).ok());
  for (int point = 0; point < 10; ++point) {
    const std::string name = Concat("killed", point);
    EXPECT_THROW((void)Live(name, RunStart::kFresh,
                            [asked = 0, point]() mutable -> bool {
                              if (asked++ == point) throw Killed();
                              return false;
                            }),
                 Killed);
    const Status resumed = Live(name, RunStart::kResume);
    ASSERT_TRUE(resumed.ok()) << resumed;
    EXPECT_EQ(Result(name), Result("undisturbed")) << "killed at point " << point;
  }
}

TEST_F(TrainingRunTest, ADamagedLatestCheckpointCostsTheStepsSinceTheOneBeforeAndNothingElse) {
  ASSERT_TRUE(Live("undisturbed", RunStart::kFresh).ok());
  ASSERT_EQ(Live("run", RunStart::kFresh, [asked = 0]() mutable { return asked++ == 7; }).code(),
            StatusCode::kPreempted);
  std::filesystem::path newest;
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "run/checkpoints"))
    if (entry.path().filename().string().ends_with(".optimizer.safetensors")) newest = std::max(newest, entry.path());
  std::filesystem::resize_file(newest, std::filesystem::file_size(newest) / 2);
  const Status resumed = Live("run", RunStart::kResume);
  ASSERT_TRUE(resumed.ok()) << resumed;
  EXPECT_EQ(Result("run"), Result("undisturbed"));
}

TEST_F(TrainingRunTest, ADiskThatIsFullAtTheCheckpointStopsTheRunAndWithRoomItResumesToTheSameResult) {
  ASSERT_TRUE(Live("undisturbed", RunStart::kFresh).ok());
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit full{2000, before.rlim_max};
  // From the second question on: the job file and the lock are there already.
  const Status stopped = Live("run", RunStart::kFresh, [&, asked = 0]() mutable {
    if (asked++ == 1) ::setrlimit(RLIMIT_FSIZE, &full);
    return false;
  });
  ::setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(stopped.code(), StatusCode::kStorage) << stopped;
  EXPECT_EQ(ExitCodeFor(stopped), ExitCode::kStorage);
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "run/checkpoints")) << "nothing half-written remains";
  ASSERT_TRUE(Live("run", RunStart::kResume).ok());
  EXPECT_EQ(Result("run"), Result("undisturbed"));
}

TEST_F(TrainingRunTest, AFinishedRunThatIsResumedIsLeftAsItIs) {
  ASSERT_TRUE(Live("run", RunStart::kFresh).ok());
  const std::string before = Result("run");
  ASSERT_TRUE(Live("run", RunStart::kResume).ok());
  EXPECT_EQ(Result("run"), before);
}

// --- privacy.records

class PrivateRunTest : public TrainingRunTest {
 protected:
  void SetUp() override {
    TrainingRunTest::SetUp();
    job_.record_privacy = {.enabled = true, .epsilon = 8, .noise_multiplier = 2};
  }
  // Steps that were paid for, over all processes.
  std::int64_t Paid() const {
    const StatusOr<Json> ledger = ReadJson(folder_ / "ledger" / "ledger.json");
    std::int64_t steps = 0;
    if (ledger.ok())
      for (const auto& [name, charge] : (*ledger)["charges"].items()) steps += charge["steps"].get<std::int64_t>();
    return steps;
  }
};

TEST_F(PrivateRunTest, EveryEpochTellsEpsilonAndNoLossAndAllStepsArePaidFor) {
  ASSERT_TRUE(Live("run", RunStart::kFresh).ok());
  EXPECT_EQ(Paid(), 6);
  std::istringstream lines(*ReadFile(folder_ / "run/metrics.jsonl"));
  std::int64_t epochs = 0;
  double last = 0;
  for (std::string line; std::getline(lines, line); ++epochs) {
    const Json json = *ParseJson(line, "metrics");
    EXPECT_TRUE(json["train_loss"].is_null());
    EXPECT_TRUE(json["mean_dice"].is_null());
    EXPECT_EQ(json["privacy"]["steps"], 3 * (epochs + 1));
    EXPECT_GT(json["privacy"]["epsilon"].get<double>(), last);
    last = json["privacy"]["epsilon"].get<double>();
  }
  EXPECT_EQ(epochs, 2);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run/checkpoint_best.safetensors"));
}

// A checkpoint is due after steps 2 and 4 (each paid for before it is written); the fifth step dies with the process.
TEST_F(PrivateRunTest, AKilledRunKeepsItsChargesAndPaysForWhatItDoesAgain) {
  int steps = 0;
  EXPECT_THROW((void)Live("run", RunStart::kFresh,
                          [&]() -> bool {
                            if (++steps == 6) throw Killed();
                            return false;
                          }),
               Killed);
  const std::int64_t paid = Paid();
  EXPECT_GE(paid, 2);
  EXPECT_LT(paid, 6);
  ASSERT_TRUE(Live("run", RunStart::kResume).ok());
  EXPECT_EQ(Paid(), 6) << "steps that no checkpoint showed were never paid for";
}

TEST_F(PrivateRunTest, StopsAtItsBudgetWithTheCheckpointThatWasPaidFor) {
  job_.record_privacy.noise_multiplier = 1;
  job_.record_privacy.epsilon = 6.3;  // bears some steps at sampling rate 1/2, and not six
  const Status status = Live("run", RunStart::kFresh);
  EXPECT_EQ(status.code(), StatusCode::kPrivacyBudget) << status;
  EXPECT_EQ(ExitCodeFor(status), ExitCode::kPrivacyBudget);
  EXPECT_THAT(status.message(), HasSubstr("privacy.records.epsilon"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "run/checkpoint_latest.json"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run/checkpoint_final.safetensors"));
  const std::int64_t paid = Paid();
  EXPECT_GT(paid, 0);
  EXPECT_LT(paid, 6);
  EXPECT_EQ(Live("run", RunStart::kResume).code(), StatusCode::kPrivacyBudget) << "and stays there";
  EXPECT_EQ(Paid(), paid);
}

}  // namespace
}  // namespace consilium::trainer
