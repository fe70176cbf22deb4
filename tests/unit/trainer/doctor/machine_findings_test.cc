#include "trainer/doctor/machine_findings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "comm/base/file.h"

namespace consilium::trainer {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

TEST(MachineFindings, ThreadsNameTheMaskTheQuotaAndLibTorchsOwnChoice) {
  const Finding plain = ThreadsFinding({.cores = 8, .launcher_cores = 8}, 1);
  EXPECT_EQ(plain.detail, "8 by default: 8 cores in the affinity mask; LibTorch alone would use 1");
  EXPECT_EQ(ThreadsFinding({.cores = 8, .launcher_cores = 8, .quota = 1.5}, 8).detail,
            "1 by default: 8 cores in the affinity mask, a quota of 1.5 cores; LibTorch alone would use 8");
}

TEST(MachineFindings, ARankBoundToOneCoreIsWarned) {
  const Finding bound = ThreadsFinding({.cores = 1, .launcher_cores = 16}, 1);
  EXPECT_EQ(bound.level, FindingLevel::kWarn);
  EXPECT_THAT(bound.mend, HasSubstr("--bind-to none"));
  EXPECT_EQ(ThreadsFinding({.cores = 1, .launcher_cores = 1}, 1).level, FindingLevel::kOk) << "the machine has one";
}

TEST(MachineFindings, LittleMemoryIsWarnedAndLittleDiskFails) {
  EXPECT_EQ(MemoryFinding(16 * kGiB).level, FindingLevel::kOk);
  EXPECT_EQ(MemoryFinding(1 * kGiB).level, FindingLevel::kWarn);
  EXPECT_EQ(DiskFinding("/x", 50 * kGiB).level, FindingLevel::kOk);
  EXPECT_EQ(DiskFinding("/x", 2 * kGiB).level, FindingLevel::kWarn);
  EXPECT_EQ(DiskFinding("/x", kGiB / 4).level, FindingLevel::kFail);
  EXPECT_THAT(DiskFinding("/x", 2 * kGiB).detail, HasSubstr("2.0 GiB free in /x"));
}

TEST(MachineFindings, ThisMachineHasSomeMemoryAndSomeDisk) {
  EXPECT_GT(AvailableMemoryBytes(), 10'000'000u);
  EXPECT_GT(FreeDiskBytes("/"), 0u);
  EXPECT_EQ(FreeDiskBytes("/no/such/folder"), 0u);
}

TEST(MachineFindings, DataSetsAreCountedAndAMissingFolderIsWarned) {
  const fs::path folder = fs::path(testing::TempDir()) / "machine_findings_test";
  fs::remove_all(folder);
  ASSERT_TRUE(MakeDirectories(folder / "Dataset001_A").ok() && MakeDirectories(folder / "Dataset002_Empty").ok());
  ASSERT_TRUE(WriteFileAtomic(folder / "Dataset001_A" / "dataset.json", "{}").ok());
  EXPECT_EQ(DataFinding(folder.c_str()).detail, "1 data set in CONSILIUM_DATA=" + folder.string());
  fs::remove_all(folder);
  EXPECT_EQ(DataFinding(folder.c_str()).level, FindingLevel::kWarn);
  EXPECT_THAT(DataFinding(folder.c_str()).detail, HasSubstr("No such file or directory"));
  EXPECT_EQ(DataFinding(nullptr).level, FindingLevel::kOk);
}

}  // namespace
}  // namespace consilium::trainer
