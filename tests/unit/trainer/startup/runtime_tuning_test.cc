#include "trainer/startup/runtime_tuning.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdlib>
#include <cstring>
#include <memory>

namespace consilium::trainer {
namespace {

TEST(RuntimeTuningTest, ThreadsAreAskedToSleepOnceUnlessTheUserHasChosen) {
  ::unsetenv("OMP_WAIT_POLICY");
  ::unsetenv("GOMP_SPINCOUNT");
  EXPECT_TRUE(AskForSleepingThreads());
  EXPECT_STREQ(std::getenv("OMP_WAIT_POLICY"), "passive");
  EXPECT_FALSE(AskForSleepingThreads()) << "the process that was executed anew must not do so again";
  ::setenv("OMP_WAIT_POLICY", "active", 1);
  EXPECT_FALSE(AskForSleepingThreads());
  EXPECT_STREQ(std::getenv("OMP_WAIT_POLICY"), "active");
  ::unsetenv("OMP_WAIT_POLICY");
  ::setenv("GOMP_SPINCOUNT", "1000", 1);
  EXPECT_FALSE(AskForSleepingThreads());
  EXPECT_EQ(std::getenv("OMP_WAIT_POLICY"), nullptr);
  ::unsetenv("GOMP_SPINCOUNT");
}

TEST(RuntimeTuningTest, LargeBlocksComeFromTheHeapAndStayThereWhenFreed) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the sanitizer has a heap of its own";
#endif
  KeepFreedMemory();
  constexpr std::size_t kBytes = std::size_t{48} << 20;  // above every threshold that glibc would choose
  std::free(std::memset(std::malloc(kBytes), 1, kBytes));
  const struct mallinfo2 info = ::mallinfo2();
  EXPECT_EQ(info.hblks, 0u) << "no block is mapped";
  EXPECT_GE(info.fordblks, kBytes) << "the freed block waits for the next one";
}

}  // namespace
}  // namespace consilium::trainer
