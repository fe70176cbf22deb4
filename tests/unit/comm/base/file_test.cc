#include "comm/base/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>

namespace consilium {
namespace {

namespace fs = std::filesystem;

// A folder of the test's own, removed at its end.
class FileTest : public testing::Test {
 protected:
  FileTest() {
    std::string pattern = testing::TempDir() + "/file_test_XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~FileTest() override { fs::remove_all(folder_); }

  std::size_t FileCount() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  fs::path folder_;
};

// Runs `body` in a child process and returns its wait status.
int InChild(const std::function<int()>& body) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(body());
  int status = 0;
  ::waitpid(pid, &status, 0);
  return status;
}

TEST_F(FileTest, WhatWasCommittedIsRead) {
  ASSERT_TRUE(WriteFileAtomic(folder_ / "a", "first").ok());
  ASSERT_TRUE(WriteFileAtomic(folder_ / "a", "second").ok());
  EXPECT_EQ(ReadFile(folder_ / "a").value(), "second");
  EXPECT_EQ(FileCount(), 1u);
}

TEST_F(FileTest, AnEmptyFileIsAFile) {
  ASSERT_TRUE(WriteFileAtomic(folder_ / "a", "").ok());
  EXPECT_EQ(ReadFile(folder_ / "a").value(), "");
}

TEST_F(FileTest, WithoutCommitNothingRemainsAndTheOldContentStays) {
  ASSERT_TRUE(WriteFileAtomic(folder_ / "a", "old").ok());
  {
    AtomicFile file = AtomicFile::Create(folder_ / "a").value();
    ASSERT_TRUE(file.Write("half of the new").ok());
  }
  EXPECT_EQ(ReadFile(folder_ / "a").value(), "old");
  EXPECT_EQ(FileCount(), 1u);
}

TEST_F(FileTest, AMovedFromFileLeavesTheWorkToTheOther) {
  AtomicFile first = AtomicFile::Create(folder_ / "a").value();
  ASSERT_TRUE(first.Write("x").ok());
  {
    AtomicFile second = std::move(first);
    ASSERT_TRUE(second.Commit().ok());
  }
  EXPECT_EQ(ReadFile(folder_ / "a").value(), "x");
}

TEST_F(FileTest, AProcessKilledBeforeCommitLeavesNothing) {
  const int status = InChild([&] {
    AtomicFile file = AtomicFile::Create(folder_ / "a").value();
    if (!file.Write(std::string(100'000, 'x')).ok()) return 1;
    ::raise(SIGKILL);
    return 0;
  });
  ASSERT_TRUE(WIFSIGNALED(status));
  if (const int nameless = ::open(folder_.c_str(), O_TMPFILE | O_WRONLY, 0600); nameless >= 0) {
    ::close(nameless);
    EXPECT_EQ(FileCount(), 0u);
  } else {
    GTEST_SKIP() << "the file system of " << folder_ << " has no nameless files";
  }
}

// In a container every restart has the same pid, so a leftover has exactly the name that the next process wants.
TEST_F(FileTest, ALeftoverOfAProcessWithTheSamePidDoesNotBlock) {
  for (int i = 0; i < 200; ++i) {
    const fs::path leftover = folder_ / Concat("a.tmp.", ::getpid(), ".", i);
    ASSERT_EQ(::close(::creat(leftover.c_str(), 0600)), 0);
  }
  ASSERT_TRUE(WriteFileAtomic(folder_ / "a", "x").ok());
  EXPECT_EQ(ReadFile(folder_ / "a").value(), "x");
}

TEST_F(FileTest, TheModeIsWhatWasAskedFor) {
  ASSERT_TRUE(WriteFileAtomic(folder_ / "key", "secret", 0600).ok());
  struct stat info {};
  ASSERT_EQ(::stat((folder_ / "key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(FileTest, AWriteBeyondTheLimitIsStorageAndTheOldFileStays) {
  ASSERT_TRUE(WriteFileAtomic(folder_ / "a", "old").ok());
  const int status = InChild([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{4096, 4096};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
    AtomicFile file = AtomicFile::Create(folder_ / "a").value();
    const Status written = file.Write(std::string(100'000, 'x'));
    if (written.code() != StatusCode::kStorage) return 2;
    if (written.message().find("writing " + (folder_ / "a").string()) != 0) return 3;
    return file.Commit().code() == StatusCode::kStorage ? 0 : 4;  // a truncated file must not take the name
  });
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(ReadFile(folder_ / "a").value(), "old");
  EXPECT_EQ(FileCount(), 1u);
}

TEST_F(FileTest, AFullDiskIsStorageAndNothingHalfWrittenRemains) {
  constexpr int kNotPermitted = 77;
  const int status = InChild([&] {
    // A file system of 64 KiB that only this child sees.
    if (::unshare(CLONE_NEWNS | (::geteuid() == 0 ? 0 : CLONE_NEWUSER)) != 0) return kNotPermitted;
    (void)::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
    if (::mount("none", folder_.c_str(), "tmpfs", 0, "size=64k") != 0) return kNotPermitted;
    if (!WriteFileAtomic(folder_ / "small", "fits").ok()) return 1;
    const Status status = WriteFileAtomic(folder_ / "large", std::string(1 << 20, 'x'));
    if (status.code() != StatusCode::kStorage) return 2;
    if (status.message().find("No space left on device") == std::string::npos) return 3;
    return FileCount() == 1 && ReadFile(folder_ / "small").value() == "fits" ? 0 : 4;
  });
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == kNotPermitted) GTEST_SKIP() << "mounting a file system is not permitted here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(FileTest, AMissingFolderIsNamedInTheError) {
  const Status status = WriteFileAtomic(folder_ / "none" / "a", "x");
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_EQ(status.message(), "creating " + (folder_ / "none" / "a").string() + ": No such file or directory");
}

TEST_F(FileTest, ARenameOntoAFolderFailsAndLeavesNothing) {
  fs::create_directory(folder_ / "a");
  EXPECT_FALSE(WriteFileAtomic(folder_ / "a", "x").ok());
  EXPECT_EQ(FileCount(), 1u);
}

TEST_F(FileTest, ReadingMoreThanAllowedIsRefused) {
  ASSERT_TRUE(WriteFileAtomic(folder_ / "a", std::string(1000, 'x')).ok());
  EXPECT_EQ(ReadFile(folder_ / "a", 1000).value().size(), 1000u);
  EXPECT_EQ(ReadFile(folder_ / "a", 999).code(), StatusCode::kResourceExhausted);
}

TEST_F(FileTest, AFolderReadAsAFileIsBadInput) {
  EXPECT_EQ(ReadFile(folder_).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadFile(folder_ / "none").code(), StatusCode::kNotFound);
}

TEST_F(FileTest, FoldersAreMadeWithTheirParents) {
  EXPECT_TRUE(MakeDirectories(folder_ / "a" / "b").ok());
  EXPECT_TRUE(MakeDirectories(folder_ / "a" / "b").ok()) << "again is fine";
  ASSERT_TRUE(WriteFileAtomic(folder_ / "file", "x").ok());
  EXPECT_FALSE(MakeDirectories(folder_ / "file" / "c").ok());
}

}  // namespace
}  // namespace consilium
