// The worker's real runner on a data set of a few small cubes.
#include "trainer/worker/training_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "comm/base/json.h"
#include "comm/tensor/safetensors.h"
#include "comm/wire/job.h"
#include "datasets/image/image_io.h"
#include "datasets/planner/site_statistics.h"
#include "tests/unit/trainer/worker/tiny_site.h"
#include "trainer/loop/train_data.h"
#include "trainer/loop/trainer.h"

namespace consilium::trainer {
namespace {

namespace fs = std::filesystem;

class QuietSink final : public EpochSink {
 public:
  Status OnStep(const StepReport&) override { return {}; }
};

using TrainingRunnerTest = TinySiteTest;

TEST_F(TrainingRunnerTest, OneSiteOverAllRoundsEqualsPlainTrainingBitForBitAlsoAfterARestart) {
  for (std::uint32_t round = 0; round < kRounds; ++round) {
    Recorder recorder;
    // A new runner each round: as if the worker had been killed in between.
    const auto result = MakeTrainingRunner()->Run(TaskOf(wire::TaskKind::kTrain, round), recorder);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(recorder.progress(), (std::vector<double>{0.5, 1.0}));
    EXPECT_GT(recorder.metrics().at("loss"), -2.0);
    for (const char* name : {"loss", "dice", "dice.1", "dice.2", "seconds", "patches_per_second", "peak_rss_mb"})
      EXPECT_TRUE(result->metrics.contains(name)) << name;
  }
  const auto federated = tensor::ReadParameters(folder_ / Concat("model-", kRounds));
  ASSERT_TRUE(federated.ok()) << federated.status();

  const auto site = LoadTrainData(job_, folder_.path());
  ASSERT_TRUE(site.ok()) << site.status();
  TrainerOptions options;
  options.job = job_;
  options.classes = 3;
  options.train_cases = site->train;
  options.validation_cases = site->validation;
  const auto plain = Trainer::Create(std::move(options));
  ASSERT_TRUE(plain.ok()) << plain.status();
  QuietSink sink;
  for (std::int64_t epoch = 0; epoch < kRounds; ++epoch) ASSERT_TRUE((*plain)->TrainEpoch(epoch, sink).ok());
  EXPECT_EQ(federated->digest(), (*plain)->Parameters().digest());
}

TEST_F(TrainingRunnerTest, OneRunnerServesRoundAfterRoundWithTheSameResultAsANewOneEach) {
  const auto kept = MakeTrainingRunner();
  std::vector<Digest> digests;
  for (std::uint32_t round = 0; round < kRounds; ++round) {
    Recorder recorder;
    ASSERT_TRUE(kept->Run(TaskOf(wire::TaskKind::kTrain, round), recorder).ok());
    digests.push_back(*Sha256OfFile(folder_ / Concat("model-", round + 1)));
    ASSERT_TRUE(MakeTrainingRunner()->Run(TaskOf(wire::TaskKind::kTrain, round), recorder).ok());
    EXPECT_EQ(*Sha256OfFile(folder_ / Concat("model-", round + 1)), digests.back());
  }
}

TEST_F(TrainingRunnerTest, TheWeightIsTheNumberOfTrainingCases) {
  Recorder recorder;
  const auto result = MakeTrainingRunner()->Run(TaskOf(wire::TaskKind::kTrain, 0), recorder);
  ASSERT_TRUE(result.ok()) << result.status();
  const auto site = LoadTrainData(job_, folder_.path());
  EXPECT_EQ(result->weight, static_cast<double>(site->train.size()));
}

TEST_F(TrainingRunnerTest, ACancelledTaskStopsBetweenStepsLeavesNoUpdateAndCanBeDoneAgain) {
  const auto runner = MakeTrainingRunner();
  Recorder impatient;
  impatient.cancel_after = 1;
  EXPECT_EQ(runner->Run(TaskOf(wire::TaskKind::kTrain, 0), impatient).code(), StatusCode::kCancelled);
  EXPECT_EQ(impatient.progress().size(), 1U);
  EXPECT_FALSE(fs::exists(folder_ / "model-1"));
  Recorder patient;
  ASSERT_TRUE(runner->Run(TaskOf(wire::TaskKind::kTrain, 0), patient).ok());
  const Digest again = *Sha256OfFile(folder_ / "model-1");
  ASSERT_TRUE(MakeTrainingRunner()->Run(TaskOf(wire::TaskKind::kTrain, 0), patient).ok());
  EXPECT_EQ(*Sha256OfFile(folder_ / "model-1"), again);
}

TEST_F(TrainingRunnerTest, EvaluationPredictsTheHeldOutCasesAndReportsTheirDice) {
  Recorder recorder;
  const auto result = MakeTrainingRunner()->Run(TaskOf(wire::TaskKind::kEvaluate, 0), recorder);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->metrics.at("cases"), 2);
  EXPECT_GE(result->metrics.at("dice"), 0);
  EXPECT_LE(result->metrics.at("dice"), 1);
  const auto summary = ReadJson(folder_ / "predictions/summary.json");
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ((*summary)["metric_per_case"].size(), 2U);
  EXPECT_DOUBLE_EQ((*summary)["foreground_mean"]["Dice"].get<double>(), result->metrics.at("dice"));
  for (const Json& one : (*summary)["metric_per_case"])
    EXPECT_TRUE(datasets::ReadLabels(one["prediction_file"].get<std::string>()).ok());
}

TEST_F(TrainingRunnerTest, WithoutHeldOutCasesTheValidationFoldIsEvaluated) {
  fs::remove_all(folder_ / "heldout");
  Recorder recorder;
  const auto result = MakeTrainingRunner()->Run(TaskOf(wire::TaskKind::kEvaluate, 0), recorder);
  ASSERT_TRUE(result.ok()) << result.status();
  const auto site = LoadTrainData(job_, folder_.path());
  EXPECT_EQ(result->metrics.at("cases"), static_cast<double>(site->split.validation.size()));
}

TEST_F(TrainingRunnerTest, StatisticsOfTheDataSetAreWrittenForUploadAndAreTheSameEveryTime) {
  Recorder recorder;
  wire::WorkerTask task = TaskOf(wire::TaskKind::kStatistics, 0);
  task.model_path = task.state_in = "";
  const auto result = MakeTrainingRunner()->Run(task, recorder);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->metrics.at("cases"), 6);
  EXPECT_EQ(recorder.progress().back(), 1);
  const Digest first = *Sha256OfFile(task.update_path);
  ASSERT_TRUE(datasets::DecodeStatistics(AsBytes(*ReadFile(task.update_path))).ok());
  ASSERT_TRUE(MakeTrainingRunner()->Run(task, recorder).ok());
  EXPECT_EQ(*Sha256OfFile(task.update_path), first);
}

TEST_F(TrainingRunnerTest, AHeldOutCaseWithoutLabelIsNamed) {
  const fs::path label = *fs::directory_iterator(folder_ / "heldout/labelsTs");
  fs::remove(label);
  Recorder recorder;
  const auto result = MakeTrainingRunner()->Run(TaskOf(wire::TaskKind::kEvaluate, 0), recorder);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(result.status().message().find(label.filename().string()), std::string::npos) << result.status();
}

TEST_F(TrainingRunnerTest, BadDataFailTheTaskWithEveryFaultAndMendedDataAreReadAgain) {
  std::vector<fs::path> labels(fs::directory_iterator(dataset_ / "labelsTr"), fs::directory_iterator());
  std::sort(labels.begin(), labels.end());
  fs::rename(labels[0], folder_ / "kept");
  fs::rename(labels[1], folder_ / "kept-too");
  const auto runner = MakeTrainingRunner();
  Recorder recorder;
  const auto result = runner->Run(TaskOf(wire::TaskKind::kTrain, 0), recorder);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.code(), StatusCode::kInvalidArgument);
  for (const int i : {0, 1})
    EXPECT_NE(result.status().message().find(labels[static_cast<std::size_t>(i)].filename().string()),
              std::string::npos)
        << result.status();
  fs::rename(folder_ / "kept", labels[0]);
  fs::rename(folder_ / "kept-too", labels[1]);
  EXPECT_TRUE(runner->Run(TaskOf(wire::TaskKind::kTrain, 0), recorder).ok());
}

TEST_F(TrainingRunnerTest, WhatDoesNotFitTheJobIsRefusedAndNothingIsWritten) {
  const auto runner = MakeTrainingRunner();
  Recorder recorder;
  wire::WorkerTask task = TaskOf(wire::TaskKind::kTrain, 0);
  task.job_json = "{";
  EXPECT_EQ(runner->Run(task, recorder).code(), StatusCode::kInvalidArgument);
  task = TaskOf(wire::TaskKind::kTrain, kRounds);  // beyond the schedule
  EXPECT_EQ(runner->Run(task, recorder).code(), StatusCode::kInvalidArgument);
  task = TaskOf(wire::TaskKind::kTrain, 0);
  task.model_path = folder_ / "absent";
  EXPECT_EQ(runner->Run(task, recorder).code(), StatusCode::kNotFound);
  std::ofstream(folder_ / "noise") << "this is no safetensors file";
  task.model_path = folder_ / "noise";
  EXPECT_EQ(runner->Run(task, recorder).code(), StatusCode::kDataLoss);
  task = TaskOf(wire::TaskKind::kTrain, 0);
  task.data_dir = folder_ / "elsewhere";
  EXPECT_FALSE(runner->Run(task, recorder).ok());
  EXPECT_FALSE(fs::exists(folder_ / "model-1"));
  EXPECT_FALSE(fs::exists(folder_ / "state-1"));
}

// --- privacy.records

class PrivateRunnerTest : public TinySiteTest {
 protected:
  void SetUp() override {
    TinySiteTest::SetUp();
    job_.record_privacy = {.enabled = true, .epsilon = 8, .noise_multiplier = 2};
  }
  std::unique_ptr<TaskRunner> Runner() const {
    return MakeTrainingRunner(nullptr, {.ledgers = folder_.path() / "privacy"});
  }
  Json Charges() const {
    const StatusOr<Json> ledger =
        ReadJson(folder_.path() / "privacy" / consilium::testing::kTinyDatasetName / "ledger.json");
    return ledger.ok() ? (*ledger)["charges"] : Json::object();
  }
  StatusOr<TaskResult> Train(const wire::WorkerTask& task) {
    Recorder recorder;
    StatusOr<TaskResult> result = Runner()->Run(task, recorder);
    EXPECT_FALSE(recorder.metrics().contains("loss"));
    return result;
  }
  Digest UpdateOf(const wire::WorkerTask& task) const { return Sha256OfFile(task.update_path).value(); }
};

TEST_F(PrivateRunnerTest, ARoundIsPaidForAndTellsEpsilonAndNothingThatHasNoNoise) {
  const auto result = Train(TaskOf(wire::TaskKind::kTrain, 0));
  ASSERT_TRUE(result.ok()) << result.status();
  for (const char* name : {"loss", "dice", "dice.1", "dice.2"}) EXPECT_FALSE(result->metrics.contains(name)) << name;
  EXPECT_GT(result->metrics.at("epsilon"), 0);
  EXPECT_GE(result->metrics.at("epsilon_rdp"), result->metrics.at("epsilon"));
  EXPECT_EQ(result->metrics.at("delta"), 1e-5);
  ASSERT_EQ(Charges().size(), 1u);
  const Json charge = Charges().begin().value();
  EXPECT_EQ(charge["steps"], kIterations);
  EXPECT_EQ(charge["noise_multiplier"], 2);
  const double first = result->metrics.at("epsilon");
  const auto second = Train(TaskOf(wire::TaskKind::kTrain, 1));
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_GT(second->metrics.at("epsilon"), first) << "rounds add up";
}

TEST_F(PrivateRunnerTest, TheSameWorkDoneAgainIsTheSameReleaseAndIsPaidForOnce) {
  wire::WorkerTask task = TaskOf(wire::TaskKind::kTrain, 0);
  ASSERT_TRUE(Train(task).ok());
  const Digest update = UpdateOf(task);
  ASSERT_TRUE(Train(task).ok());
  EXPECT_EQ(UpdateOf(task), update);
  EXPECT_EQ(Charges().size(), 1u);
}

TEST_F(PrivateRunnerTest, AnotherAttemptAnotherModelAndAnotherCaseAreOtherReleasesWithFreshNoise) {
  const wire::WorkerTask task = TaskOf(wire::TaskKind::kTrain, 0);
  ASSERT_TRUE(Train(task).ok());
  std::set<Digest> updates = {UpdateOf(task)};
  wire::WorkerTask retried = task;
  retried.task.attempt = Attempt{1};
  ASSERT_TRUE(Train(retried).ok());
  updates.insert(UpdateOf(retried));
  EXPECT_EQ(Charges().size(), 2u);

  // A coordinator that gives the same round again with a model of its own.
  auto model = tensor::ReadParameters(task.model_path).value();
  model.values()[0] += 1e-6f;
  wire::WorkerTask lied = task;
  lied.model_path = folder_ / "model-lie";
  ASSERT_TRUE(tensor::WriteParameters(lied.model_path, model).ok());
  ASSERT_TRUE(Train(lied).ok());
  updates.insert(UpdateOf(lied));
  EXPECT_EQ(Charges().size(), 3u);
  EXPECT_EQ(updates.size(), 3u);
}

TEST_F(PrivateRunnerTest, ARoundBeyondTheBudgetIsNotTrainedAndNothingIsReleased) {
  job_.record_privacy.noise_multiplier = 0.5;
  job_.record_privacy.epsilon = 20;
  Status status;
  int rounds = 0;
  for (std::uint32_t attempt = 0; attempt < 50 && status.ok(); ++attempt) {
    wire::WorkerTask task = TaskOf(wire::TaskKind::kTrain, 0);
    task.task.attempt = Attempt{attempt};
    std::filesystem::remove(task.update_path);
    status = Train(task).status();
    rounds += status.ok();
    EXPECT_TRUE(status.ok() || !std::filesystem::exists(task.update_path));
  }
  EXPECT_EQ(status.code(), StatusCode::kPrivacyBudget) << status;
  EXPECT_GE(rounds, 1);
  EXPECT_EQ(Charges().size(), static_cast<std::size_t>(rounds));
}

TEST_F(PrivateRunnerTest, AWorkerWithoutAPlaceForLedgersRefuses) {
  Recorder recorder;
  const auto result = MakeTrainingRunner()->Run(TaskOf(wire::TaskKind::kTrain, 0), recorder);
  EXPECT_EQ(result.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(result.status().message(), ::testing::HasSubstr("--ledgers"));
}

}  // namespace
}  // namespace consilium::trainer
