#include "client/service/work_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "session_stage.h"
#include "tests/testing/run_program.h"

namespace consilium::client {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

TEST(WorkFolder, RemembersTheSessionAndKeepsItPrivate) {
  const consilium::testing::ScratchFolder scratch;
  SessionState state;
  state.Add({Key(3), Trained{Blob("update"), 2, {{"loss", 1.5}}}});
  {
    const StatusOr<WorkFolder> folder = WorkFolder::Open(scratch / "state");
    ASSERT_TRUE(folder.ok()) << folder.status();
    EXPECT_EQ(folder->Load().value(), SessionState());
    ASSERT_TRUE(folder->Save(state).ok());
  }
  const StatusOr<WorkFolder> folder = WorkFolder::Open(scratch / "state");
  EXPECT_EQ(folder->Load().value(), state);
  struct stat info {};
  ASSERT_EQ(::stat((scratch / "state").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  ASSERT_EQ(::stat((scratch / "state/session.json").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST(WorkFolder, ADamagedSessionSaysWhichFileAndWhatToDo) {
  const consilium::testing::ScratchFolder scratch;
  const StatusOr<WorkFolder> folder = WorkFolder::Open(scratch.path());
  ASSERT_TRUE(WriteFileAtomic(scratch / "session.json", std::string_view("{\"version\": 7}")).ok());
  EXPECT_EQ(folder->Load().code(), StatusCode::kDataLoss);
  EXPECT_THAT(folder->Load().status().message(), HasSubstr("session.json (move it away"));
}

TEST(WorkFolder, TidyingRemovesOldUpdatesAndStatesAndNothingElse) {
  const consilium::testing::ScratchFolder scratch;
  const StatusOr<WorkFolder> folder = WorkFolder::Open(scratch.path());
  ASSERT_TRUE(folder->Prepare(JobId("trial")).ok());
  for (const wire::TaskKey& task : {Key(0), Key(1)})
    for (const std::string& file : {UpdateFile(task), StateFile(task)})
      ASSERT_TRUE(WriteFileAtomic(folder->PathOf(file), std::string_view("x")).ok());
  ASSERT_TRUE(MakeDirectories(folder->predictions(JobId("trial"))).ok());
  folder->Tidy({StateFile(Key(1))});
  std::set<std::string> left;
  for (const auto& entry : fs::directory_iterator(scratch / "jobs/trial")) left.insert(entry.path().filename());
  EXPECT_EQ(left, (std::set<std::string>{"predictions", "state-1.0.safetensors"}));
}

TEST(WorkFolder, ALongPathStillGivesASocketThatFits) {
  const consilium::testing::ScratchFolder scratch;
  const StatusOr<WorkFolder> folder = WorkFolder::Open(scratch / std::string(150, 'x'));
  ASSERT_TRUE(folder.ok()) << folder.status();
  EXPECT_LT((folder->sockets() / "trainer-01234567.sock").string().size(), 108u);
  struct stat info {};
  ASSERT_EQ(::stat(folder->sockets().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  fs::remove_all(folder->sockets());
}

}  // namespace
}  // namespace consilium::client
