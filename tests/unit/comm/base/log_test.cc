#include "comm/base/log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <regex>
#include <thread>

#include "comm/base/file.h"

namespace consilium {
namespace {

// Logs go to one place per process, so all claims share one file.
class LogTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = std::filesystem::path(testing::TempDir()) / "log_test.log";
    std::filesystem::remove(path_);
    ASSERT_TRUE(LogToFile(path_).ok());
    SetLogLevel(LogLevel::kInfo);
  }
  void TearDown() override { std::filesystem::remove(path_); }
  // The file without the time in front of each line.
  std::string Lines() {
    return std::regex_replace(ReadFile(path_).value(), std::regex(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z )"), "");
  }
  std::filesystem::path path_;
};

TEST_F(LogTest, OneEventIsOneLineOfPairs) {
  Log(LogLevel::kInfo, "drop", {{"round", 12}, {"site", "a"}, {"reason", "late_report"}});
  EXPECT_EQ(Lines(), "info round=12 site=a reason=late_report event=drop\n");
}

TEST_F(LogTest, HostileTextStaysOneQuotedLineWithoutControlCharacters) {
  Log(LogLevel::kWarning, "refused", {{"peer", "x\n2026 info event=ok \"\x1b[2J\x7f"}, {"empty", ""}, {"esc", "\x1b"}});
  EXPECT_EQ(Lines(), "warning peer=\"x 2026 info event=ok \\\" [2J \" empty=\"\" esc=\" \" event=refused\n");
}

TEST_F(LogTest, BelowTheLevelNothingIsWritten) {
  Log(LogLevel::kDebug, "quiet");
  Log(LogLevel::kError, "loud");
  EXPECT_EQ(Lines(), "error event=loud\n");
}

TEST_F(LogTest, AFileThatCannotBeOpenedIsAnErrorAndTheOldPlaceStays) {
  EXPECT_EQ(LogToFile(path_.parent_path()).code(), StatusCode::kStorage);
  Log(LogLevel::kInfo, "still_here");
  EXPECT_EQ(Lines(), "info event=still_here\n");
}

TEST_F(LogTest, TheFileMayBeChangedWhileAnotherThreadLogsAndNoLineIsLost) {
  constexpr int kLines = 500;
  const std::filesystem::path other = path_.string() + ".other";
  std::filesystem::remove(other);
  std::thread thread([] {
    for (int i = 0; i < kLines; ++i) Log(LogLevel::kInfo, "line", {{"i", i}});
  });
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(LogToFile(i % 2 == 0 ? other : path_).ok());
  thread.join();
  const std::string all = ReadFile(path_).value() + ReadFile(other).value();
  EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), kLines);
  std::filesystem::remove(other);
}

}  // namespace
}  // namespace consilium
