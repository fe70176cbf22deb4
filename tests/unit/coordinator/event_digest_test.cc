#include "coordinator/service/event_digest.h"

#include <gtest/gtest.h>

#include "comm/base/time.h"
#include "coordinator/service/job_files.h"
#include "tests/testing/run_program.h"

namespace consilium::coordinator {
namespace {

TEST(EventDigest, TimesReadBackAndOtherTextsAreNone) {
  const auto when = ParseUtc("2026-11-21T10:48:14.123Z");
  ASSERT_TRUE(when.has_value());
  EXPECT_EQ(FormatUtc(*when), "2026-11-21T10:48:14.123Z");
  for (const char* text : {"", "yesterday", "2026-11-21", "2026-11-21T10:48:14Z"}) EXPECT_FALSE(ParseUtc(text)) << text;
}

TEST(EventDigest, ItKnowsThePaceWhoLeftAndWhatFailed) {
  consilium::testing::ScratchFolder scratch;
  ASSERT_TRUE(WriteFileAtomic(scratch / "events", std::string_view(R"(not json
{"time": "2026-11-21T10:00:00.000Z", "event": "model_published"}
{"time": "2026-11-21T10:00:10.000Z", "event": "model_published"}
{"time": "2026-11-21T10:00:12.000Z", "event": "site_disconnected", "site": "a", "reason": "cut"}
{"time": "2026-11-21T10:00:13.000Z", "event": "site_disconnected", "site": "b", "reason": "cut"}
{"time": "2026-11-21T10:00:14.000Z", "event": "site_connected", "site": "b"}
{"time": "2026-11-21T10:00:20.000Z", "event": "site_failed", "site": "c", "round": 2, "message": "out of memory"}
{"time": "2026-11-21T10:00:20.000Z", "event": "site_failed", "site": "b", "round": 2, "message": "passing"}
{"time": "2026-11-21T10:00:25.000Z", "event": "update_accepted", "site": "b", "round": 2}
{"time": "2026-11-21T10:00:30.000Z", "event": "model_published"}
{"time": "torn)"))
                  .ok());
  const EventDigest digest = DigestEvents(scratch / "events");
  EXPECT_EQ(SecondsPerRound(digest), 15.0);
  ASSERT_EQ(digest.departed.size(), 1u);
  EXPECT_EQ(digest.departed.at("a").reason, "cut");
  ASSERT_EQ(digest.trouble.size(), 1u);
  EXPECT_EQ(digest.trouble.at("c").message, "out of memory");
  EXPECT_EQ(digest.trouble.at("c").round, 2);
  EXPECT_FALSE(SecondsPerRound(DigestEvents(scratch / "absent")).has_value());
}

TEST(LogPart, GivesWholeLinesFromAnyPlace) {
  consilium::testing::ScratchFolder scratch;
  const std::string lines = "{\"a\": 1}\n{\"b\": 2}\n";
  ASSERT_TRUE(WriteFileAtomic(scratch / "events", lines + "{\"torn").ok());
  const wire::LogPart first = ReadLogPart(scratch / "events", 0).value();
  EXPECT_EQ(first.lines, lines);
  EXPECT_EQ(first.position, lines.size());
  EXPECT_EQ(ReadLogPart(scratch / "events", first.position).value(), (wire::LogPart{"", first.position, false}));
  EXPECT_EQ(ReadLogPart(scratch / "absent", 5).value(), (wire::LogPart{"", 5, false}));
  // A log that has become shorter (a restored backup) is read on from its end.
  EXPECT_EQ(ReadLogPart(scratch / "events", 1000).value().position, lines.size() + 6);
}

TEST(LogPart, ALongLogComesInPartsWithoutLossOrRepetition) {
  consilium::testing::ScratchFolder scratch;
  std::string all;
  for (int i = 0; i < 20'000; ++i) all += Concat("{\"line\": ", i, ", \"text\": \"", std::string(i % 60, 'x'), "\"}\n");
  ASSERT_TRUE(WriteFileAtomic(scratch / "events", all).ok());
  std::string read;
  for (std::uint64_t position = 0; position < all.size();) {
    const wire::LogPart part = ReadLogPart(scratch / "events", position).value();
    ASSERT_FALSE(part.lines.empty());
    read += part.lines;
    position = part.position;
  }
  EXPECT_EQ(read, all);
}

}  // namespace
}  // namespace consilium::coordinator
