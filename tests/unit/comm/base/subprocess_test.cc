#include "comm/base/subprocess.h"

#include <gtest/gtest.h>

#include <csignal>

#include "comm/base/file.h"

namespace consilium {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;

SubprocessOptions Shell(const std::string& script) { return {.arguments = {"sh", "-c", script}}; }

TEST(Subprocess, ReportsTheExitCode) {
  Subprocess child = Subprocess::Start(Shell("exit 7")).value();
  const ExitResult result = child.Wait(seconds(20)).value();
  EXPECT_EQ(result.exit_code, 7);
  EXPECT_EQ(result.ToString(), "exit code 7");
  EXPECT_FALSE(result.ok());
}

TEST(Subprocess, ReportsTheSignalThatKilledIt) {
  Subprocess child = Subprocess::Start(Shell("kill -9 $$")).value();
  const ExitResult result = child.Wait(seconds(20)).value();
  EXPECT_TRUE(result.signalled);
  EXPECT_EQ(result.exit_code, 137);
  EXPECT_EQ(result.ToString(), "killed by signal 9 (Killed)");
}

TEST(Subprocess, AProgramThatDoesNotExistIsAnErrorOfStart) {
  const Status status = Subprocess::Start({.arguments = {"/no/such/program"}}).status();
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_EQ(status.message(), "starting /no/such/program: No such file or directory");
}

TEST(Subprocess, OutputAndEnvironmentReachTheChild) {
  const fs::path output = fs::path(testing::TempDir()) / "subprocess_test.out";
  fs::remove(output);
  SubprocessOptions options = Shell("echo \"$GREETING\"; echo bad >&2");
  options.environment = {{"GREETING", "good = day"}};
  options.output = output;
  Subprocess child = Subprocess::Start(options).value();
  EXPECT_TRUE(child.Wait(seconds(20)).value().ok());
  EXPECT_EQ(ReadFile(output).value(), "good = day\nbad\n");
  fs::remove(output);
}

TEST(Subprocess, AWaitThatIsTooShortIsADeadlineAndTheChildRunsOn) {
  Subprocess child = Subprocess::Start(Shell("read forever < /dev/zero || exec tail -f /dev/null")).value();
  EXPECT_EQ(child.Wait(milliseconds(1)).code(), StatusCode::kDeadlineExceeded);
  EXPECT_FALSE(child.Poll().has_value());
  EXPECT_TRUE(child.Stop(seconds(20)).signalled);
}

TEST(Subprocess, StopKillsAChildThatIgnoresTheTermSignal) {
  const fs::path ready = fs::path(testing::TempDir()) / "subprocess_test.ready";
  fs::remove(ready);
  Subprocess child =
      Subprocess::Start(Shell("trap '' TERM; : > " + ready.string() + "; while :; do tail -f /dev/null; done")).value();
  while (!fs::exists(ready)) ASSERT_FALSE(child.Poll().has_value());
  const ExitResult result = child.Stop(milliseconds(50));
  EXPECT_EQ(result.exit_code, 128 + SIGKILL);
  fs::remove(ready);
}

TEST(Subprocess, ADestroyedChildIsGone) {
  pid_t pid = -1;
  {
    const Subprocess child = Subprocess::Start(Shell("exec tail -f /dev/null")).value();
    pid = child.pid();
    ASSERT_EQ(::kill(pid, 0), 0);
  }
  EXPECT_NE(::kill(pid, 0), 0);
}

TEST(FindProgram, LooksBesideTheRunningProgramAndOnThePath) {
  const fs::path self = fs::read_symlink("/proc/self/exe");
  EXPECT_EQ(FindProgram(self.filename().string()).value(), self);
  EXPECT_EQ(FindProgram("sh").value().filename(), "sh");
  const Status missing = FindProgram("consilium-no-such-program").status();
  EXPECT_EQ(missing.code(), StatusCode::kNotFound);
  EXPECT_NE(missing.message().find(self.parent_path().string()), std::string::npos) << missing.message();
}

}  // namespace
}  // namespace consilium
