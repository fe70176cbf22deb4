#include "trainer/checkpoints/run_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

namespace consilium::trainer {
namespace {

TEST(RunLockTest, ASecondWriterIsRefusedWithThePidOfTheFirstUntilThatOneEnds) {
  char pattern[] = "/tmp/run_lock_test.XXXXXX";
  const std::filesystem::path run = ::mkdtemp(pattern);
  {
    const StatusOr<RunLock> first = RunLock::Acquire(run);
    ASSERT_TRUE(first.ok()) << first.status();
    // flock belongs to the open file, so a second holder in the same process is refused as another process would be.
    const StatusOr<RunLock> second = RunLock::Acquire(run);
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.code(), StatusCode::kFailedPrecondition);
    EXPECT_THAT(second.status().message(), testing::HasSubstr(Concat("pid ", ::getpid())));
  }
  EXPECT_TRUE(RunLock::Acquire(run).ok());
  std::filesystem::remove_all(run);
}

TEST(RunLockTest, AFolderThatIsNotThereIsNotFound) {
  EXPECT_EQ(RunLock::Acquire("/tmp/no-such-run-folder").code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace consilium::trainer
