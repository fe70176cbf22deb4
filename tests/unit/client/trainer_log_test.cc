#include "client/service/trainer_log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "tests/testing/run_program.h"

namespace consilium::client {
namespace {

class TrainerLog : public ::testing::Test {
 protected:
  void Append(const std::string& text) { std::ofstream(log_, std::ios::app | std::ios::binary) << text; }
  consilium::testing::ScratchFolder scratch_;
  std::filesystem::path log_ = scratch_ / "trainer.log";
};

TEST_F(TrainerLog, LastWordsAreTheLastLinesOfThisLife) {
  Append("an earlier life\n");
  const std::uint64_t begin = LogBytes(log_);
  EXPECT_EQ(LastWords(log_, begin), "");
  Append("loading\nout of memory\n\n");
  EXPECT_EQ(LastWords(log_, begin), "loading\nout of memory");
  EXPECT_EQ(LastWords(scratch_ / "absent", 0), "");
}

TEST_F(TrainerLog, LastWordsAreFewAndHarmless) {
  for (int i = 0; i < 100; ++i) Append("line " + std::to_string(i) + "\x1b[31m\n");
  const std::string words = LastWords(log_, 0);
  EXPECT_EQ(std::count(words.begin(), words.end(), '\n'), 19);
  EXPECT_EQ(words.find('\x1b'), std::string::npos);
  EXPECT_TRUE(words.starts_with("line 80"));
  Append(std::string(100000, 'x'));
  EXPECT_LE(LastWords(log_, 0).size(), 2048u);
}

TEST_F(TrainerLog, ALogThatGrowsWithoutEndIsCutAndItsNewestPartKept) {
  Append(std::string(17 << 20, 'a') + "the end");
  ASSERT_TRUE(BoundLog(log_).ok());
  EXPECT_EQ(LogBytes(log_), 0u);
  EXPECT_EQ(LogBytes(log_.string() + ".1"), 1u << 20);
  EXPECT_TRUE(ReadFile(log_.string() + ".1").value().ends_with("the end"));
  Append("more");
  ASSERT_TRUE(BoundLog(log_).ok());
  EXPECT_EQ(LogBytes(log_), 4u);
}

TEST_F(TrainerLog, ALargeLogIsRotatedBeforeATrainerStarts) {
  Append("small");
  ASSERT_TRUE(RotateLog(log_).ok());
  EXPECT_EQ(LogBytes(log_), 5u);
  Append(std::string(5 << 20, 'a'));
  ASSERT_TRUE(RotateLog(log_).ok());
  EXPECT_EQ(LogBytes(log_), 0u);
  EXPECT_GT(LogBytes(log_.string() + ".1"), 5u << 20);
}

}  // namespace
}  // namespace consilium::client
