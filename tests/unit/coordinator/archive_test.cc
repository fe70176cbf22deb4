#include "coordinator/service/archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/service/journal.h"
#include "tests/testing/run_program.h"

namespace consilium::coordinator {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class Archive : public ::testing::Test {
 protected:
  Archive() {
    Write("source/jobs/heart/submission.json", "{}");
    Write("source/jobs/heart/events.jsonl", std::string(100'000, 'e'));
    Write("source/jobs/heart/empty.jsonl", "");
    Write("source/blobs/" + std::string(64, 'a'), std::string(1 << 20, 'b'));
  }
  void Write(const std::string& name, const std::string& text) {
    ASSERT_TRUE(MakeDirectories((scratch_ / name).parent_path()).ok());
    ASSERT_TRUE(WriteFileAtomic(scratch_ / name, text).ok());
  }
  void Pack() { ASSERT_TRUE(PackArchive(scratch_ / "source", scratch_ / "backup.tar").ok()); }
  StatusOr<Json> Unpack() { return UnpackArchive(scratch_ / "backup.tar", scratch_ / "state"); }
  std::string Archived() { return ReadFile(scratch_ / "backup.tar").value(); }

  consilium::testing::ScratchFolder scratch_;
};

TEST_F(Archive, EveryFileComesBackAsItWas) {
  Pack();
  const auto manifest = Unpack();
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ((*manifest)["files"].size(), 4u);
  for (const auto& [name, file] : (*manifest)["files"].items())
    EXPECT_EQ(ReadFile(scratch_ / ("state/" + name)).value(), ReadFile(scratch_ / ("source/" + name)).value()) << name;
}

TEST_F(Archive, AFolderWithSomethingInItIsLeftAsItIs) {
  Pack();
  Write("state/mine", "precious");
  EXPECT_EQ(Unpack().code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(ReadFile(scratch_ / "state/mine").value(), "precious");
}

TEST_F(Archive, EveryDamageIsFoundAndNothingOfItIsLeft) {
  Pack();
  const std::string whole = Archived();
  for (std::size_t at = 0; at < whole.size(); at += 9973) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
    Write("backup.tar", damaged);
    const auto unpacked = Unpack();
    if (!unpacked.ok()) {
      EXPECT_FALSE(fs::exists(scratch_ / "state")) << at;
      continue;
    }
    // Padding between files carries nothing.
    for (const auto& [name, file] : (*unpacked)["files"].items())
      EXPECT_EQ(ReadFile(scratch_ / ("state/" + name)).value(), ReadFile(scratch_ / ("source/" + name)).value()) << at;
    fs::remove_all(scratch_ / "state");
  }
  for (std::size_t size = 0; size + 1024 < whole.size(); size += 99'991) {
    Write("backup.tar", whole.substr(0, size));
    EXPECT_EQ(Unpack().code(), StatusCode::kDataLoss) << size;
  }
}

TEST_F(Archive, ANameThatLeadsOutOfTheFolderIsRefused) {
  Pack();
  std::string evil = Archived();
  // The first member's name, of the same length, with its checksum made right again.
  const std::string name(evil.c_str());
  std::string way = "blobs/../../" + std::string(name.size() - 12, 'x');
  evil.replace(0, way.size(), way);
  std::fill(evil.begin() + 148, evil.begin() + 156, ' ');
  unsigned sum = 0;
  for (std::size_t i = 0; i < 512; ++i) sum += static_cast<unsigned char>(evil[i]);
  std::snprintf(evil.data() + 148, 8, "%06o", sum);
  Write("backup.tar", evil);
  const auto unpacked = Unpack();
  EXPECT_EQ(unpacked.code(), StatusCode::kDataLoss);
  EXPECT_THAT(unpacked.status().message(), HasSubstr("which no backup does"));
}

TEST_F(Archive, AnOpenJournalIsCopiedWithAllItsRecords) {
  const auto journal = Journal::Open(scratch_ / "journal.sqlite").value();
  for (std::uint8_t i = 0; i < 100; ++i) ASSERT_TRUE(journal->Append(Bytes(1000, i)).ok());
  const Status copied = journal->CopyTo(scratch_ / "copy.sqlite");
  ASSERT_TRUE(copied.ok()) << copied;
  ASSERT_TRUE(journal->Append(Bytes{1, 2, 3}).ok()) << "it goes on";
  const auto copy = Journal::Open(scratch_ / "copy.sqlite").value();
  const auto records = copy->ReadAll().value();
  ASSERT_EQ(records.size(), 100u);
  EXPECT_EQ(records[99], Bytes(1000, 99));
}

}  // namespace
}  // namespace consilium::coordinator
