#include "coordinator/service/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/testing/run_program.h"

namespace consilium::coordinator {
namespace {

using ::testing::HasSubstr;

Bytes Record(int i) { return Bytes(static_cast<std::size_t>(i * 37 % 5000), static_cast<std::uint8_t>(i)); }

TEST(Journal, GivesBackWhatWasAppendedInOrderAlsoAfterReopening) {
  const consilium::testing::ScratchFolder scratch;
  for (int life = 0; life < 3; ++life) {
    StatusOr<std::unique_ptr<Journal>> journal = Journal::Open(scratch / "journal.sqlite");
    ASSERT_TRUE(journal.ok()) << journal.status();
    const StatusOr<std::vector<Bytes>> records = (*journal)->ReadAll();
    ASSERT_TRUE(records.ok()) << records.status();
    ASSERT_EQ(records->size(), static_cast<std::size_t>(life * 20));
    for (int i = 0; i < life * 20; ++i) EXPECT_EQ((*records)[static_cast<std::size_t>(i)], Record(i));
    for (int i = 0; i < 20; ++i) ASSERT_TRUE((*journal)->Append(Record(life * 20 + i)).ok());
  }
}

TEST(Journal, IsLockedWhileItIsOpen) {
  const consilium::testing::ScratchFolder scratch;
  const StatusOr<std::unique_ptr<Journal>> journal = Journal::Open(scratch / "journal.sqlite");
  ASSERT_TRUE(journal.ok());
  const StatusOr<std::unique_ptr<Journal>> second = Journal::Open(scratch / "journal.sqlite");
  EXPECT_EQ(second.code(), StatusCode::kFailedPrecondition) << second.status();
  EXPECT_THAT(second.status().message(), HasSubstr("another process has it open"));
}

TEST(Journal, SomethingElseIsNotTakenForAJournal) {
  const consilium::testing::ScratchFolder scratch;
  ASSERT_TRUE(WriteFileAtomic(scratch / "text", std::string(5000, 'x')).ok());
  EXPECT_EQ(Journal::Open(scratch / "text").code(), StatusCode::kDataLoss);
  EXPECT_EQ(Journal::Open(scratch / "no" / "such" / "folder").code(), StatusCode::kStorage);
}

TEST(Journal, ADamagedPageIsFoundWhenItIsOpened) {
  const consilium::testing::ScratchFolder scratch;
  const std::filesystem::path path = scratch / "journal.sqlite";
  {
    const StatusOr<std::unique_ptr<Journal>> journal = Journal::Open(path);
    ASSERT_TRUE(journal.ok());
    for (int i = 0; i < 200; ++i) ASSERT_TRUE((*journal)->Append(Record(i)).ok());
  }
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(0, std::ios::end);
  const auto size = static_cast<std::streamoff>(file.tellp());
  ASSERT_GT(size, 16 * 4096);
  for (std::streamoff at = 4096; at < size; at += 4096) {  // the head of every page but the first
    file.seekp(at);
    file.write("\xff\xff\xff\xff\xff\xff\xff\xff", 8);
  }
  file.close();
  const StatusOr<std::unique_ptr<Journal>> journal = Journal::Open(path);
  ASSERT_EQ(journal.code(), StatusCode::kDataLoss) << journal.status();
  EXPECT_THAT(journal.status().message(), HasSubstr("restore the state folder from a backup"));
}

}  // namespace
}  // namespace consilium::coordinator
