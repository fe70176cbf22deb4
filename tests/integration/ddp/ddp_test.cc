// The real program under mpirun: two ranks on halves of the batch follow one process on the whole of it, the sums of
// gradients overlap the backward pass, and a rank that dies ends the job.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <iostream>
#include <map>

#include "comm/base/json.h"
#include "tests/testing/run_program.h"
#include "tests/testing/tiny_dataset.h"

namespace consilium::testing {
namespace {

namespace fs = std::filesystem;

constexpr int kSteps = 10;
// f32 sums in another order, carried through ten steps.
constexpr double kLossTolerance = 1e-5;

// No network shared with other machines is needed, and root may not attach to its own processes everywhere.
const std::map<std::string, std::string> kMpiEnvironment = {{"OMPI_MCA_btl", "self,vader"},
                                                            {"OMPI_MCA_btl_vader_single_copy_mechanism", "none"}};

class DdpTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto dataset = WriteTinyDataset(folder_.path());
    ASSERT_TRUE(dataset.ok()) << dataset.status();
    // One iteration an epoch, so that metrics.jsonl holds the loss of every step; wide enough for several buckets.
    std::ofstream(folder_ / "job.yaml") << TinyJobYaml("tiny", kSteps, 1);
  }

  // `mpirun -np ranks consilium-trainer train` with the job above.
  std::vector<std::string> CommandLine(int ranks, const std::string& run, const std::vector<std::string>& more) const {
    std::vector<std::string> arguments = {"/usr/bin/env",
                                          "mpirun",
                                          "--allow-run-as-root",
                                          "--oversubscribe",
                                          "-np",
                                          std::to_string(ranks),
                                          fs::path(CONSILIUM_BIN_DIR) / "consilium-trainer",
                                          "train",
                                          folder_ / "job.yaml",
                                          "--data",
                                          folder_.path(),
                                          "--output",
                                          folder_ / run,
                                          "--set",
                                          "model.base_features=16",
                                          "--set",
                                          "train.batch_size=4"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  ProgramResult Train(int ranks, const std::string& run, const std::vector<std::string>& more = {}) const {
    return RunProgram(CommandLine(ranks, run, more), folder_ / (run + ".log"), kMpiEnvironment);
  }
  StatusOr<Subprocess> Start(int ranks, const std::string& run, const std::vector<std::string>& more) const {
    return Subprocess::Start({.arguments = CommandLine(ranks, run, more),
                              .environment = kMpiEnvironment,
                              .output = folder_ / (run + ".log")});
  }

  std::vector<Json> Metrics(const std::string& run) const {
    std::vector<Json> lines;
    std::ifstream file(folder_ / run / "metrics.jsonl");
    for (std::string line; std::getline(file, line);) lines.push_back(Json::parse(line));
    return lines;
  }

  ScratchFolder folder_;
};

TEST_F(DdpTest, TwoRanksFollowOneProcessLossByLossAndOverlapCommunicationWithTheBackwardPass) {
  const ProgramResult one = Train(1, "one");
  ASSERT_EQ(one.exit_code, 0) << one.output;
  const ProgramResult two = Train(2, "two", {"--trace", folder_ / "trace.json"});
  ASSERT_EQ(two.exit_code, 0) << two.output;
  const std::vector<Json> alone = Metrics("one"), together = Metrics("two");
  ASSERT_EQ(alone.size(), std::size_t{kSteps});
  ASSERT_EQ(together.size(), std::size_t{kSteps});
  double largest = 0;
  for (std::size_t step = 0; step < alone.size(); ++step) {
    const double a = alone[step]["train_loss"].get<double>(), b = together[step]["train_loss"].get<double>();
    EXPECT_NEAR(a, b, kLossTolerance) << "step " << step;
    largest = std::max(largest, std::abs(a - b));
  }
  EXPECT_NE(alone.front()["train_loss"], alone.back()["train_loss"]);  // it does learn something
  std::cout << "largest difference of a loss: " << largest << "\n";

  const auto trace = ReadJson(folder_ / "trace.json");
  ASSERT_TRUE(trace.ok()) << trace.status();
  std::map<std::int64_t, double> ready;  // by step: when the last gradient was there, µs
  for (const Json& event : (*trace)["traceEvents"])
    if (event["name"] == "backward")
      ready[event["args"]["step"]] = event["ts"].get<double>() + event["dur"].get<double>();
  ASSERT_EQ(ready.size(), std::size_t{kSteps});
  std::map<std::int64_t, int> early;
  for (const Json& event : (*trace)["traceEvents"])
    if (event["name"] == "all-reduce" && event["ts"].get<double>() < ready.at(event["args"]["step"]))
      ++early[event["args"]["step"]];
  for (const auto& [step, when] : ready) EXPECT_GE(early[step], 1) << "step " << step << " overlaps nothing";
  EXPECT_TRUE(fs::exists(folder_ / "trace.1.json"));
}

// The process of rank `rank` that writes to `run`; 0 while there is none.
pid_t ProcessOfRank(int rank, const fs::path& run) {
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const auto text = [&](const char* file) {
      std::ifstream in(entry.path() / file, std::ios::binary);
      return std::string(std::istreambuf_iterator<char>(in), {});
    };
    const std::string command = text("cmdline");
    if (command.find("consilium-trainer") == std::string::npos || command.find(run.string()) == std::string::npos)
      continue;
    if (text("environ").find(Concat("OMPI_COMM_WORLD_RANK=", rank) + '\0') != std::string::npos) return std::stoi(name);
  }
  return 0;
}

TEST_F(DdpTest, WhenARankIsKilledTheJobEndsWithinSecondsAndFails) {
  StatusOr<Subprocess> job = Start(2, "killed", {"--set", "train.epochs=100000"});
  ASSERT_TRUE(job.ok()) << job.status();
  const Instant deadline = SystemClock().Now() + std::chrono::seconds(60);
  while (Metrics("killed").empty() && SystemClock().Now() < deadline && !job->Poll()) ::usleep(20'000);
  const pid_t victim = ProcessOfRank(1, folder_ / "killed");
  ASSERT_GT(victim, 0) << ReadFile(folder_ / "killed.log").value();
  ASSERT_EQ(::kill(victim, SIGKILL), 0);
  const StatusOr<ExitResult> result = job->Wait(std::chrono::seconds(15));
  ASSERT_TRUE(result.ok()) << "the job hangs: " << result.status();
  EXPECT_NE(result->exit_code, 0);
  EXPECT_EQ(ProcessOfRank(0, folder_ / "killed"), 0) << "rank 0 is still there";
}

TEST_F(DdpTest, RanksWithDifferentJobsNameTheRankAndEndWithTheRendezvousCode) {
  // Rank 1 gets another seed.
  const std::string trainer = (fs::path(CONSILIUM_BIN_DIR) / "consilium-trainer").string();
  const std::string script =
      Concat("exec ", trainer, " train ", (folder_ / "job.yaml").string(), " --data ", folder_.path().string(),
             " --output ", (folder_ / "run").string(), " --set train.seed=$OMPI_COMM_WORLD_RANK");
  const ProgramResult result =
      RunProgram({"/usr/bin/env", "mpirun", "--allow-run-as-root", "--oversubscribe", "-np", "2", "sh", "-c", script},
                 folder_ / "log", kMpiEnvironment);
  EXPECT_EQ(result.exit_code, 5) << result.output;
  EXPECT_NE(result.output.find("rank 1 differs from rank 0 in its job"), std::string::npos) << result.output;
  EXPECT_FALSE(fs::exists(folder_ / "run"));
}

TEST_F(DdpTest, RanksWithoutAnAddressAndWithoutMpiAreToldWhatToSet) {
  // Not under mpirun: the variables of half a launcher.
  ProgramResult result = RunProgram({"consilium-trainer", "train", folder_ / "job.yaml", "--data", folder_.path()},
                                    folder_ / "log", {{"RANK", "0"}, {"WORLD_SIZE", "2"}});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(result.output.find("MASTER_ADDR"), std::string::npos) << result.output;
}

}  // namespace
}  // namespace consilium::testing
