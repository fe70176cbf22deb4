// Several jobs on one coordinator that is killed, damaged and restored.
#include <gmock/gmock.h>

#include "tests/integration/operator/consortium.h"

namespace consilium::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// Site b takes part in both.
const Consortium::JobOptions kLeft{.sites = {"a", "b"}}, kRight{.sites = {"b", "c"}, .rounds = 4};

// On a fast machine a job would be over before a test acts on what it saw of it: the last round of each waits.
const Consortium::Options kHeldBack{.delay_ms = 50,
                                    .behaviour = {{"a", {{"hold", {"train-2"}}}}, {"c", {{"hold", {"train-3"}}}}}};
void LetGo(Consortium* consortium) {
  consortium->LetGo("a", "train-2");
  consortium->LetGo("c", "train-3");
}

struct Digests {
  std::string left, right;
  friend bool operator==(const Digests&, const Digests&) = default;
};

Digests AwaitBoth(Consortium* consortium) {
  Digests digests;
  digests.left = consortium->AwaitDigest("left");
  digests.right = consortium->AwaitDigest("right");
  return digests;
}

// Each alone, one after the other.
const Digests& Undisturbed() {
  static const Digests digests = [] {
    Consortium consortium({.delay_ms = 20, .coordinator_arguments = {"--jobs-max", "1"}});
    consortium.Start();
    consortium.Submit("left", kLeft);
    consortium.Submit("right", kRight);
    return AwaitBoth(&consortium);
  }();
  return digests;
}

void SubmitBoth(Consortium* consortium) {
  consortium->Submit("left", kLeft);
  consortium->Submit("right", kRight);
}

TEST(Recovery, TwoJobsAtOnceAndAKilledCoordinatorEndInTheUndisturbedWeights) {
  Consortium consortium(kHeldBack);
  consortium.Start();
  SubmitBoth(&consortium);
  for (const char* event : {"update_accepted", "round_closed"}) {
    consortium.AwaitEvent("left", event);
    consortium.AwaitEvent("right", "round_opened");
    consortium.federation().KillCoordinator();
    consortium.StartCoordinator();  // carries on with both by itself
  }
  LetGo(&consortium);
  EXPECT_EQ(AwaitBoth(&consortium), Undisturbed());
}

TEST(Recovery, AFollowedLogGoesOverARestartWithoutLossOrRepetition) {
  Consortium consortium(kHeldBack);
  consortium.Start();
  consortium.Submit("left", kLeft);
  const fs::path followed = consortium.scratch("followed");
  StatusOr<Subprocess> follower =
      Subprocess::Start({.arguments = {(fs::path(CONSILIUM_BIN_DIR) / "consilium").string(), "log", "left", "--follow",
                                       "--json", "--kit", consortium.federation().kit("board").string(),
                                       "--coordinator", Concat("127.0.0.1:", consortium.federation().port())},
                         .output = followed});
  ASSERT_TRUE(follower.ok()) << follower.status();
  consortium.AwaitEvent("left", "model_published");
  consortium.federation().KillCoordinator();
  consortium.StartCoordinator();
  LetGo(&consortium);
  consortium.AwaitDigest("left");
  const StatusOr<ExitResult> ended = follower->Wait(kPatience);
  ASSERT_TRUE(ended.ok()) << ended.status();
  EXPECT_EQ(ended->exit_code, 0);
  std::vector<std::string> lines, expected;
  std::istringstream text(ReadFile(followed).value());
  for (std::string line; std::getline(text, line);)
    if (line.starts_with("{")) lines.push_back(line);
  for (const Json& event : consortium.Events("left")) expected.push_back(event.dump());
  EXPECT_EQ(lines, expected);
}

TEST(Recovery, AJobWhoseJournalIsDamagedStopsAloneAndSaysSo) {
  Consortium consortium(kHeldBack);
  consortium.Start();
  SubmitBoth(&consortium);
  consortium.AwaitEvent("left", "model_published");
  consortium.AwaitEvent("right", "round_opened");
  consortium.federation().KillCoordinator();
  const fs::path folder = consortium.federation().job_folder("left");
  fs::remove(folder / "journal.sqlite-wal");
  ASSERT_TRUE(WriteFileAtomic(folder / "journal.sqlite", std::string_view("this was a journal once")).ok());
  consortium.StartCoordinator();
  LetGo(&consortium);
  EXPECT_EQ(consortium.AwaitDigest("right"), Undisturbed().right);
  const Json why = consortium.Ask("ann", {"why", "left"});
  EXPECT_EQ(why.value("state", ""), "stopped");
  EXPECT_THAT(why["answer"].get<std::string>(), HasSubstr("restore the state folder from a backup"));
  EXPECT_EQ(consortium.Ask("ann", {"abort", "left"}).value("state", ""), "aborted");
}

TEST(Recovery, ABackupOfARunningCoordinatorRestoresToTheUndisturbedWeights) {
  Consortium consortium(kHeldBack);
  consortium.Start();
  SubmitBoth(&consortium);
  const auto run = [&](std::vector<std::string> arguments, const std::string& log) {
    arguments.insert(arguments.begin(), {"consilium", "coordinator"});
    return RunProgram(std::move(arguments), consortium.scratch(log));
  };
  const std::string state = consortium.federation().state_folder().string();
  const std::string early = consortium.scratch("early.tar").string(),
                    backup = consortium.scratch("backup.tar").string();
  // While the sites are at work: whole, and nobody is disturbed.
  consortium.AwaitEvent("left", "update_accepted");
  const ProgramResult under_load = run({"backup", "--state", state, "--output", early}, "early.log");
  EXPECT_EQ(under_load.exit_code, 0) << under_load.output;
  const ProgramResult readable =
      run({"restore", "--input", early, "--state", consortium.scratch("elsewhere").string()}, "elsewhere.log");
  EXPECT_EQ(readable.exit_code, 0) << readable.output;
  // The one that is needed later: the sites go away first, so that none is ahead of it.
  consortium.AwaitEvent("right", "model_published");
  for (const char* site : {"a", "b", "c"}) consortium.federation().KillClient(site);
  const ProgramResult packed = run({"backup", "--state", state, "--output", backup}, "backup.log");
  EXPECT_EQ(packed.exit_code, 0) << packed.output;
  EXPECT_FALSE(fs::exists(fs::path(state) / "snapshots") && !fs::is_empty(fs::path(state) / "snapshots"));
  const ProgramResult onto_full = run({"restore", "--input", backup, "--state", state}, "onto-full.log");
  EXPECT_EQ(onto_full.exit_code, 2) << "a state folder is never overwritten";
  consortium.federation().KillCoordinator();
  fs::remove_all(state);
  const ProgramResult restored = run({"restore", "--input", backup, "--state", state}, "restore.log");
  EXPECT_EQ(restored.exit_code, 0) << restored.output;
  EXPECT_THAT(restored.output, HasSubstr("Restored 2 jobs"));
  consortium.Start();
  LetGo(&consortium);
  EXPECT_EQ(AwaitBoth(&consortium), Undisturbed());
  // At rest it can be packed as well.
  consortium.federation().KillCoordinator();
  EXPECT_EQ(
      run({"backup", "--state", state, "--output", consortium.scratch("rest.tar").string()}, "rest.log").exit_code, 0);
}

}  // namespace
}  // namespace consilium::testing
