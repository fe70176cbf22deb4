#include "trainer/loop/run_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>

#include "comm/base/file.h"
#include "tests/unit/trainer/loop/synthetic_cases.h"
#include "trainer/loop/metrics_log.h"
#include "trainer/loop/progress.h"
#include "trainer/loop/stop_signals.h"

namespace consilium::trainer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class RunDirectoryTest : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/run_directory_test.XXXXXX";
    folder_ = ::mkdtemp(pattern);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_;
};

TEST_F(RunDirectoryTest, ASecondTrainingIntoTheSameFolderNeedsResume) {
  const wire::JobSpec job = SyntheticJob(2, 3);
  ASSERT_TRUE(RunDirectory::Open(folder_ / "run", job, RunStart::kFresh).ok());
  const auto again = RunDirectory::Open(folder_ / "run", job, RunStart::kFresh);
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(ExitCodeFor(again.status()), ExitCode::kBadInput);
  EXPECT_THAT(again.status().message(), HasSubstr("--resume"));
  EXPECT_TRUE(RunDirectory::Open(folder_ / "run", job, RunStart::kResume).ok());
}

TEST_F(RunDirectoryTest, ResumeWithAnotherJobIsRefusedAndNamesTheKeys) {
  wire::JobSpec job = SyntheticJob(2, 3);
  ASSERT_TRUE(RunDirectory::Open(folder_ / "run", job, RunStart::kFresh).ok());
  job.train.learning_rate = 0.5;
  job.model.patch_size[0] = 16;
  const auto resumed = RunDirectory::Open(folder_ / "run", job, RunStart::kResume);
  ASSERT_FALSE(resumed.ok());
  EXPECT_EQ(resumed.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(resumed.status().message(), HasSubstr("train.learning_rate (0.01, now 0.5)"));
  EXPECT_THAT(resumed.status().message(), HasSubstr("model.patch_size.0 (8, now 16)"));
}

TEST_F(RunDirectoryTest, HowAndWhereAJobRunsMayChangeBetweenTwoRuns) {
  const wire::JobSpec before = SyntheticJob(2, 3);
  wire::JobSpec now = before;
  now.cluster.ranks = 8;
  now.cluster.step_timeout = std::chrono::seconds(5);
  now.train.threads = 7;
  now.train.checkpoint_every = std::chrono::seconds(1);
  EXPECT_THAT(JobDifferences(before, now), IsEmpty());
  now.train.seed = 9;
  EXPECT_THAT(JobDifferences(before, now), ElementsAre("train.seed (1, now 9)"));
}

TEST_F(RunDirectoryTest, OneWriterAtATime) {
  const wire::JobSpec job = SyntheticJob(2, 3);
  const auto first = RunDirectory::Open(folder_ / "run", job, RunStart::kFresh);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(RunDirectory::Open(folder_ / "run", job, RunStart::kResume).code(), StatusCode::kFailedPrecondition);
}

TEST_F(RunDirectoryTest, ResultsGoWhereNnUNetKeepsThem) {
  wire::JobSpec job = SyntheticJob(1, 1);
  job.data.fold = 3;
  ::unsetenv("nnUNet_results");
  EXPECT_EQ(DefaultRunFolder(job), "runs/synthetic");
  ::setenv("nnUNet_results", "/results", 1);
  EXPECT_EQ(DefaultRunFolder(job), "/results/Dataset901_Synthetic/synthetic__3d_fullres/fold_3");
  job.data.fold = -1;
  EXPECT_EQ(DefaultRunFolder(job), "/results/Dataset901_Synthetic/synthetic__3d_fullres/fold_all");
  ::unsetenv("nnUNet_results");
}

TEST_F(RunDirectoryTest, MetricsOfEpochsThatAreTrainedAgainAreForgottenAndTornLinesToo) {
  const std::filesystem::path path = folder_ / "metrics.jsonl";
  std::ofstream(path) << "{\"epoch\":0,\"loss\":1}\n{\"epoch\":1}\n{\"epoch\":2}\n{\"epo";
  StatusOr<MetricsLog> log = MetricsLog::Open(path, /*first_epoch=*/2);
  ASSERT_TRUE(log.ok()) << log.status();
  ASSERT_TRUE(log->Append({{"epoch", 2}, {"loss", std::nan("")}}).ok());
  EXPECT_EQ(*ReadFile(path), "{\"epoch\":0,\"loss\":1}\n{\"epoch\":1}\n{\"epoch\":2,\"loss\":null}\n");
}

TEST_F(RunDirectoryTest, AMetricsLineThatTheDiskCutsShortIsTakenBack) {
  const std::filesystem::path path = folder_ / "metrics.jsonl";
  StatusOr<MetricsLog> log = MetricsLog::Open(path, 0);
  ASSERT_TRUE(log->Append({{"epoch", 0}}).ok());
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit full{20, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &full);
  const Status appended = log->Append({{"epoch", 1}, {"loss", 0.25}});
  ::setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(appended.code(), StatusCode::kStorage) << appended;
  EXPECT_EQ(*ReadFile(path), "{\"epoch\":0}\n");
}

TEST(StopSignalsTest, ARequestThatComesTwiceIsOneRequestAndTheHandlersAreGivenBack) {
  struct sigaction outside {};
  outside.sa_handler = SIG_IGN;
  ::sigaction(SIGUSR1, &outside, nullptr);
  {
    const StopSignals stop;
    EXPECT_FALSE(stop.requested());
    for (const int number : {SIGTERM, SIGUSR1, SIGTERM, SIGINT, SIGINT}) ::raise(number);
    EXPECT_TRUE(stop.requested());
  }
  struct sigaction now {};
  ::sigaction(SIGUSR1, nullptr, &now);
  EXPECT_EQ(now.sa_handler, SIG_IGN);
  EXPECT_FALSE(StopSignals().requested());
}

// What a person reads in a pipe.
TEST(ProgressTest, InAPipeThereIsALineAnEpochAndOneNowAndThenWithRateAndTimeLeft) {
  ManualClock clock;
  char* text = nullptr;
  std::size_t size = 0;
  std::FILE* out = ::open_memstream(&text, &size);
  Progress progress({.out = out, .epochs = 2, .iterations = 4, .clock = &clock});
  progress.Begin(/*steps_done=*/0);
  for (std::int64_t i = 0; i < 4; ++i) {
    clock.Advance(std::chrono::seconds(12));
    progress.OnStep({.epoch = 0, .iteration = i, .iterations = 4, .loss = -0.25, .patches_per_second = 8});
  }
  progress.OnEpoch({.epoch = 0, .loss = -0.2, .seconds = 48, .patches_per_second = 8},
                   {.loss = -0.1, .pseudo_dice = {0.5, std::nan("")}, .mean_dice = 0.5}, /*is_best=*/true);
  std::fclose(out);
  EXPECT_STREQ(text,
               "epoch 1/2  step 3/4  loss -0.2500  8.0 patches/s  1m left\n"
               "epoch 1/2  train loss -0.2000  validation loss -0.1000  pseudo Dice 0.500 - (best)  48.0s  8.0 "
               "patches/s  48s left\n");
  ::free(text);
}

}  // namespace
}  // namespace consilium::trainer
