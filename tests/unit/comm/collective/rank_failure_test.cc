// Ranks are processes here, and one of them is killed or stopped in the middle: the others must fail within seconds,
// say whom they miss, and end.
#include <gtest/gtest.h>
#include <signal.h>
#include <torch/torch.h>
#include <unistd.h>

#include <iostream>

#include "comm/base/file.h"
#include "comm/base/subprocess.h"
#include "tests/unit/comm/collective/gang.h"

namespace consilium::collective {
namespace {

constexpr int kWorld = 3;
constexpr auto kStepTimeout = std::chrono::milliseconds(500);

struct Outcome {
  ExitResult result;
  std::string text;
};

// Starts a gang whose rank `victim` sends itself `signal_number` before its third sum; returns how the others ended.
std::map<int, Outcome> Survivors(int victim, int signal_number) {
  const int port = FreePort();
  const std::filesystem::path folder =
      std::filesystem::path(testing::TempDir()) / Concat("gang-", ::getpid(), "-", victim, "-", signal_number);
  std::filesystem::create_directories(folder);
  std::vector<Subprocess> ranks;
  for (int rank = 0; rank < kWorld; ++rank) {
    SubprocessOptions options;
    options.arguments = {"/proc/self/exe",     "--rank-of-gang",       std::to_string(rank),
                         std::to_string(port), std::to_string(victim), std::to_string(signal_number)};
    options.environment = {{"OMP_NUM_THREADS", "1"}};
    options.output = folder / std::to_string(rank);
    auto started = Subprocess::Start(options);
    CONSILIUM_CHECK(started.ok(), started.status());
    ranks.push_back(std::move(started).value());
  }
  std::map<int, Outcome> survivors;
  for (int rank = 0; rank < kWorld; ++rank) {
    if (rank == victim) continue;
    const auto result = ranks[static_cast<std::size_t>(rank)].Wait(std::chrono::seconds(15));
    EXPECT_TRUE(result.ok()) << "rank " << rank << " hangs: " << result.status();
    if (!result.ok()) continue;
    survivors[rank] = {result.value(), ReadFile(folder / std::to_string(rank)).value()};
  }
  ranks[static_cast<std::size_t>(victim)].Signal(SIGKILL);
  std::filesystem::remove_all(folder);
  return survivors;
}

class RankFailureTest : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Victim, RankFailureTest, testing::Values(0, 2));

TEST_P(RankFailureTest, WhenARankIsKilledTheOthersFailAtOnceAndNameIt) {
  const auto survivors = Survivors(GetParam(), SIGKILL);
  ASSERT_EQ(survivors.size(), 2U);
  for (const auto& [rank, outcome] : survivors) {
    EXPECT_EQ(outcome.result.exit_code, static_cast<int>(ExitCode::kRankFailure)) << outcome.text;
    EXPECT_NE(outcome.text.find(Concat("no word from rank ", GetParam())), std::string::npos) << outcome.text;
    EXPECT_NE(outcome.text.find("sum 2"), std::string::npos) << outcome.text;
    EXPECT_NE(outcome.text.find("quick"), std::string::npos) << outcome.text;
  }
}

// Rank 0, because it holds the store as well: asking the store about the hanging rank must not hang either.
TEST(RankFailure, WhenARankHangsTheOthersGiveUpAfterTheStepTimeoutAndNameIt) {
  const auto survivors = Survivors(0, SIGSTOP);
  ASSERT_EQ(survivors.size(), 2U);
  for (const auto& [rank, outcome] : survivors) {
    // The first that gives up breaks its connections, which the other may see before its own time is up.
    const int code = outcome.result.exit_code;
    EXPECT_TRUE(code == static_cast<int>(ExitCode::kDeadline) || code == static_cast<int>(ExitCode::kRankFailure))
        << code << outcome.text;
    EXPECT_NE(outcome.text.find("no word from rank 0"), std::string::npos) << outcome.text;
  }
}

}  // namespace

// One rank of Survivors().
int RankOfGang(int argc, char** argv) {
  CONSILIUM_CHECK(argc == 6);
  const int rank = std::stoi(argv[2]), port = std::stoi(argv[3]), victim = std::stoi(argv[4]);
  ConnectOptions options = LocalRank(rank, kWorld, port);
  options.step_timeout = std::stoi(argv[5]) == SIGSTOP ? Duration(kStepTimeout) : Duration(std::chrono::minutes(1));
  const auto gang = Connect(options);
  if (!gang.ok()) {
    std::cout << gang.status() << std::endl;
    return static_cast<int>(ExitCodeFor(gang.status()));
  }
  Status status;
  const Instant begin = SystemClock().Now();
  for (int sum = 0; status.ok() && sum < 10; ++sum) {
    if (rank == victim && sum == 2) ::raise(std::stoi(argv[5]));
    torch::Tensor tensor = torch::ones({100'000});
    status = gang.value()->AllReduceSum(tensor, Concat("sum ", sum));
  }
  std::cout << status << (SystemClock().Now() - begin < std::chrono::seconds(5) ? " quick" : " slow") << std::endl;
  return static_cast<int>(ExitCodeFor(status));
}

}  // namespace consilium::collective

int main(int argc, char** argv) {
  at::set_num_threads(1);
  if (argc > 1 && std::string(argv[1]) == "--rank-of-gang") return consilium::collective::RankOfGang(argc, argv);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
