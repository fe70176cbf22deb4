#include "privacy/policy/audit_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "comm/base/file.h"
#include "privacy/policy/audit_check.h"
#include "privacy/policy/audit_compare.h"
#include "tests/testing/run_program.h"

namespace consilium::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Book {
  testing::ScratchFolder scratch;
  std::filesystem::path path = scratch / "audit.jsonl";
  SeededEntropy entropy{1};
  crypto::SigningKey key = crypto::SigningKey::Generate(entropy);
  ManualClock clock;

  std::unique_ptr<AuditLog> Open() {
    return AuditLog::Open({.path = path, .actor = "consortium", .clock = &clock}).value();
  }
  // Six entries, a checkpoint, two more.
  void Fill() {
    const auto log = Open();
    for (int i = 0; i < 6; ++i) EXPECT_TRUE(log->Append("round_closed", {{"round", i}}).ok());
    EXPECT_TRUE(log->Checkpoint(key).ok());
    for (int i = 6; i < 8; ++i) EXPECT_TRUE(log->Append("round_closed", {{"round", i}}).ok());
  }
  std::vector<std::string> Lines() const {
    std::vector<std::string> lines(1);
    const std::string text = ReadFile(path).value();
    for (const char c : text) c == '\n' ? (void)lines.emplace_back() : lines.back().push_back(c);
    lines.pop_back();
    return lines;
  }
  AuditFindings Check(const std::vector<std::string>& lines, AuditExpectations expectations = {}) const {
    std::string text;
    for (const std::string& line : lines) text += line + "\n";
    if (!expectations.key) expectations.key = key.public_key();
    return CheckAuditText(text, expectations).value();
  }
};

TEST(AuditLog, WhatWasWrittenHoldsAndGoesOnWhenItIsOpenedAgain) {
  Book book;
  book.Fill();
  Digest head;
  {
    const auto log = book.Open();
    EXPECT_EQ(log->size(), 9u);
    ASSERT_TRUE(log->Append("stopped", Json::object()).ok());
    ASSERT_TRUE(log->Checkpoint(book.key).ok());
    head = log->head();
  }
  const AuditFindings findings = book.Check(book.Lines(), {.heads = {{11, head}}});
  EXPECT_THAT(findings.faults, IsEmpty());
  EXPECT_EQ(findings.entries, 11u);
  EXPECT_EQ(findings.checkpoints, 2u);
  EXPECT_EQ(findings.head, head);
}

TEST(AuditLog, AnyChangedCharacterIsFound) {
  Book book;
  book.Fill();
  const std::vector<std::string> lines = book.Lines();
  for (std::size_t line = 0; line < lines.size(); ++line)
    for (std::size_t at = 0; at < lines[line].size(); at += 7) {
      std::vector<std::string> changed = lines;
      changed[line][at] = changed[line][at] == 'a' ? 'b' : 'a';
      EXPECT_FALSE(book.Check(changed).faults.empty()) << line << " " << at;
    }
}

TEST(AuditLog, MissingRepeatedAndSwappedEntriesAreFoundWithTheirLines) {
  Book book;
  book.Fill();
  const std::vector<std::string> lines = book.Lines();
  std::vector<std::string> missing = lines, repeated = lines, swapped = lines;
  missing.erase(missing.begin() + 2);
  EXPECT_THAT(book.Check(missing).faults[0], HasSubstr("line 3: entry 3 where 2 should be"));
  repeated.insert(repeated.begin() + 4, lines[3]);
  EXPECT_THAT(book.Check(repeated).faults[0], HasSubstr("line 5: entry 3 where 4 should be"));
  std::swap(swapped[1], swapped[2]);
  EXPECT_THAT(book.Check(swapped).faults[0], HasSubstr("line 2: "));
}

TEST(AuditLog, ARewrittenHistoryFailsAtTheCheckpointThatSignedTheOldOne) {
  Book book;
  book.Fill();
  // Somebody with the file but without the key writes entry 1 anew and mends every link after it.
  std::vector<std::string> lines = book.Lines();
  Digest previous;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    AuditEntry entry = ParseEntry(lines[i]).value();
    if (i == 1) entry.detail = {{"round", 99}};
    entry.previous = previous;
    previous = HashOf(entry);
    lines[i] = ToLine(entry);
  }
  EXPECT_THAT(book.Check(lines).faults, ElementsAre("line 7: the checkpoint signs other entries than those before it"));
}

TEST(AuditLog, ACheckpointOfAnotherKeyOrWithAWrongSignatureIsFound) {
  Book book;
  {
    const auto log = book.Open();
    ASSERT_TRUE(log->Append("started", Json::object()).ok());
    ASSERT_TRUE(log->Checkpoint(crypto::SigningKey::Generate(book.entropy)).ok());
  }
  EXPECT_THAT(book.Check(book.Lines()).faults, ElementsAre(HasSubstr("another key than this party's")));
}

TEST(AuditLog, ACutAndAForkContradictTheHeadsThatOthersNoted) {
  Book book;
  book.Fill();
  const std::vector<std::string> lines = book.Lines();
  const Digest head = book.Check(lines).head;
  std::vector<std::string> cut = lines;
  cut.resize(5);
  EXPECT_THAT(book.Check(cut).faults, IsEmpty()) << "by itself a shorter log is a good log";
  EXPECT_THAT(book.Check(cut, {.heads = {{9, head}}}).faults,
              ElementsAre("the log ends after 5 entries; another party saw 9"));

  std::vector<std::string> fork = lines;  // another last entry
  AuditEntry last = ParseEntry(fork.back()).value();
  last.detail = {{"round", 70}};
  fork.back() = ToLine(last);
  EXPECT_THAT(book.Check(fork).faults, IsEmpty());
  EXPECT_THAT(book.Check(fork, {.heads = {{9, head}}}).faults,
              ElementsAre(HasSubstr("there are two versions of this log")));
}

TEST(AuditLog, ALineThatACrashCutShortIsTakenOffAndToldOf) {
  Book book;
  book.Fill();
  const std::string text = ReadFile(book.path).value();
  ASSERT_TRUE(WriteFileAtomic(book.path, std::string_view(text).substr(0, text.size() - 20)).ok());
  EXPECT_FALSE(CheckAuditFile(book.path, {})->faults.empty());
  EXPECT_EQ(book.Open()->size(), 9u);  // eight whole entries, and "recovered"
  const std::vector<std::string> lines = book.Lines();
  EXPECT_THAT(book.Check(lines).faults, IsEmpty());
  EXPECT_EQ(ParseEntry(lines.back())->type, "recovered");
}

TEST(AuditLog, ADamagedLogIsNotWrittenOnAndTwoWritersAreRefused) {
  Book book;
  book.Fill();
  {
    const auto log = book.Open();
    const auto second = AuditLog::Open({.path = book.path, .actor = "consortium"});
    EXPECT_EQ(second.code(), StatusCode::kFailedPrecondition);
  }
  std::string text = ReadFile(book.path).value();
  text[30] ^= 1;
  ASSERT_TRUE(WriteFileAtomic(book.path, std::string_view(text)).ok());
  const auto refused = AuditLog::Open({.path = book.path, .actor = "consortium"});
  ASSERT_EQ(refused.code(), StatusCode::kDataLoss);
  EXPECT_THAT(refused.status().message(), HasSubstr("line 1"));
}

TEST(AuditLog, TwoPartiesThatSayEachOthersHeadsFindEveryForkCutAndReplacement) {
  Book book;
  book.Fill();
  const std::vector<std::string> lines = book.Lines();
  const AuditFindings honest = book.Check(lines);
  EXPECT_EQ(honest.actor, "consortium");
  EXPECT_EQ(honest.signed_entries, 6u) << "what stands before the checkpoint";
  // A site's log that notes the coordinator's head after its nine entries.
  const std::filesystem::path site_path = book.path.string() + ".site";
  {
    const auto site = AuditLog::Open({.path = site_path, .actor = "alpha"}).value();
    ASSERT_TRUE(site->Append("started", Json::object()).ok());
    ASSERT_TRUE(site->NoteHead("consortium", honest.entries, honest.head).ok());
  }
  const std::vector<AuditFindings> sites = {CheckAuditFile(site_path, {}).value()};
  ASSERT_EQ(sites[0].seen.size(), 1u);
  EXPECT_TRUE(HeadsOf("beta", sites).empty());
  const AuditExpectations expected{.heads = HeadsOf("consortium", sites)};
  EXPECT_THAT(book.Check(lines, expected).faults, IsEmpty());
  std::vector<std::string> cut = lines;
  cut.pop_back();
  EXPECT_THAT(book.Check(cut, expected).faults, ElementsAre(HasSubstr("another party saw 9")));
  // Two sites were shown two versions: whichever log is handed in contradicts one of them.
  {
    const auto site = AuditLog::Open({.path = site_path, .actor = "alpha"}).value();
    ASSERT_TRUE(site->NoteHead("consortium", honest.entries, Sha256Of("the other version")).ok());
  }
  const std::vector<AuditFindings> both = {CheckAuditFile(site_path, {}).value()};
  EXPECT_THAT(book.Check(lines, {.heads = HeadsOf("consortium", both)}).faults,
              ElementsAre(HasSubstr("there are two versions of this log")));
}

TEST(AuditLog, OfWhichTwoSitesWereToldTwoVersionsIsFoundInTheirLogsAlone) {
  const testing::ScratchFolder scratch;
  const auto told = [&](const std::string& site, std::uint64_t entries, const std::string& head) {
    const auto log = AuditLog::Open({.path = scratch / site, .actor = site}).value();
    EXPECT_TRUE(log->NoteHead("consortium", entries, Sha256Of(head)).ok());
  };
  const auto forks = [&] {
    return ForksNoted(std::vector<AuditFindings>{CheckAuditFile(scratch / "alpha", {}).value(),
                                                 CheckAuditFile(scratch / "beta", {}).value()});
  };
  told("alpha", 7, "seven"), told("beta", 7, "seven"), told("beta", 9, "nine");
  EXPECT_THAT(forks(), IsEmpty());
  told("alpha", 9, "another nine"), told("alpha", 11, "x"), told("beta", 11, "y");
  EXPECT_THAT(forks(), ElementsAre(HasSubstr("'consortium' keeps two versions of its log: after 9 entries 'alpha'")));
}

TEST(AuditLog, AnEntryOfAnotherWriterDoesNotBelong) {
  Book book;
  book.Fill();
  std::vector<std::string> lines = book.Lines();
  AuditEntry last = ParseEntry(lines.back()).value();
  last.actor = "somebody";
  lines.back() = ToLine(last);
  EXPECT_THAT(book.Check(lines).faults, ::testing::Contains(HasSubstr("written by 'somebody' in the log of")));
}

// A coordinator's and a site's log of three rounds.
class Story : public ::testing::Test {
 protected:
  Story() {
    const auto hub = AuditLog::Open({.path = scratch_ / "hub", .actor = "hub"}).value();
    const auto alpha = AuditLog::Open({.path = scratch_ / "alpha", .actor = "alpha"}).value();
    EXPECT_TRUE(hub->Append("job_submitted", {{"job", "heart"}, {"digest", "d1"}}).ok());
    for (int round = 0; round < 3; ++round) {
      EXPECT_TRUE(alpha->Append("task_accepted", {{"job", "heart"}, {"round", round}, {"digest", "d1"}}).ok());
      EXPECT_TRUE(alpha->Append("release", {{"job", "heart"}, {"update", Concat("u", round)}}).ok());
      if (round == 1) continue;  // it came too late
      EXPECT_TRUE(
          hub->Append("update_accepted", {{"job", "heart"}, {"site", "alpha"}, {"update", Concat("u", round)}}).ok());
    }
  }
  AuditFindings Findings(const std::string& name) const { return CheckAuditFile(scratch_ / name, {}).value(); }
  testing::ScratchFolder scratch_;
};

TEST_F(Story, HonestLogsAgreeAlsoAboutAnUpdateThatNobodyTook) {
  const std::vector<AuditFindings> logs = {Findings("hub"), Findings("alpha")};
  for (const AuditFindings& log : logs) EXPECT_THAT(ContradictionsOf(log, logs), IsEmpty());
}

TEST_F(Story, ASitesLogThatWasCutContradictsWhatTheCoordinatorTook) {
  std::string text = ReadFile(scratch_ / "alpha").value();
  text.resize(text.rfind('\n', text.size() - 2) + 1);
  const AuditFindings cut = CheckAuditText(text, {}).value();
  EXPECT_THAT(cut.faults, IsEmpty()) << "by itself it is a good log";
  const std::vector<AuditFindings> others = {Findings("hub")};
  EXPECT_THAT(ContradictionsOf(cut, others), ElementsAre(HasSubstr("'hub' took the update u2")));
}

TEST_F(Story, ACoordinatorThatSentAnotherJobThanWasHandedInIsFound) {
  {
    const auto alpha = AuditLog::Open({.path = scratch_ / "alpha", .actor = "alpha"}).value();
    ASSERT_TRUE(alpha->Append("task_accepted", {{"job", "heart"}, {"round", 3}, {"digest", "d2"}}).ok());
    ASSERT_TRUE(alpha->Append("task_accepted", {{"job", "lung"}, {"round", 0}, {"digest", "d3"}}).ok());
  }
  const std::vector<AuditFindings> others = {Findings("hub")};
  EXPECT_THAT(ContradictionsOf(Findings("alpha"), others), ElementsAre(HasSubstr("with the contents d2")))
      << "of lung the hub's log knows nothing, so nothing is said";
}

}  // namespace
}  // namespace consilium::policy
