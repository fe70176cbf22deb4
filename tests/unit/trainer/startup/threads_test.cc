#include "trainer/startup/threads.h"

#include <gtest/gtest.h>
#include <sched.h>

namespace consilium::trainer {
namespace {

TEST(Threads, RanksShareTheMask) {
  EXPECT_EQ(ThreadsFor({.cores = 8, .launcher_cores = 8}, 1), 8);
  EXPECT_EQ(ThreadsFor({.cores = 8, .launcher_cores = 8}, 2), 4);
  EXPECT_EQ(ThreadsFor({.cores = 8, .launcher_cores = 8}, 3), 2);
  EXPECT_EQ(ThreadsFor({.cores = 2, .launcher_cores = 2}, 4), 1) << "never none";
}

TEST(Threads, ARankThatTheLauncherBoundKeepsItsPart) {
  EXPECT_EQ(ThreadsFor({.cores = 4, .launcher_cores = 16}, 4), 4);
  EXPECT_EQ(ThreadsFor({.cores = 1, .launcher_cores = 2}, 2), 1);
}

TEST(Threads, AQuotaIsNeverExceeded) {
  EXPECT_EQ(ThreadsFor({.cores = 64, .launcher_cores = 64, .quota = 2.0}, 1), 2);
  EXPECT_EQ(ThreadsFor({.cores = 64, .launcher_cores = 64, .quota = 2.9}, 1), 2);
  EXPECT_EQ(ThreadsFor({.cores = 64, .launcher_cores = 64, .quota = 8.0}, 4), 2);
  EXPECT_EQ(ThreadsFor({.cores = 64, .launcher_cores = 64, .quota = 0.5}, 1), 1);
  EXPECT_EQ(ThreadsFor({.cores = 2, .launcher_cores = 2, .quota = 8.0}, 1), 2);
}

TEST(Threads, ARankCountOfNoSenseCountsAsOne) {
  EXPECT_EQ(ThreadsFor({.cores = 8, .launcher_cores = 8}, 0), 8);
  EXPECT_EQ(ThreadsFor({.cores = 8, .launcher_cores = 8}, -3), 8);
}

TEST(Threads, AControlGroupsLimitIsQuotaOverPeriod) {
  EXPECT_EQ(ParseCpuMax("150000 100000"), 1.5);
  EXPECT_EQ(ParseCpuMax("max 100000"), std::nullopt);
  EXPECT_EQ(ParseCpuMax(""), std::nullopt);
  EXPECT_EQ(ParseCpuMax("0 100000"), std::nullopt);
  EXPECT_EQ(ParseCpuMax("100000 0"), std::nullopt);
  EXPECT_EQ(ParseCpuMax("-1 100000"), std::nullopt);
}

TEST(Threads, ThisProcessGetsWhatItsMaskSays) {
  cpu_set_t before, one;
  ASSERT_EQ(::sched_getaffinity(0, sizeof before, &before), 0);
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++cpu)
    if (CPU_ISSET(cpu, &before)) CPU_SET(cpu, &one);
  EXPECT_EQ(ThisShare().cores, CPU_COUNT(&before));
  ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(DefaultThreads(1), 1);
  ::sched_setaffinity(0, sizeof before, &before);
}

}  // namespace
}  // namespace consilium::trainer
