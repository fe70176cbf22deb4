#include "comm/base/time.h"

#include <gtest/gtest.h>

namespace consilium {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(Duration, TextWithUnitsIsUnderstood) {
  const std::pair<const char*, Duration> table[] = {
      {"90s", seconds(90)},        {"20m", minutes(20)},  {"1h30m", minutes(90)}, {"250ms", milliseconds(250)},
      {"0s", Duration(0)},         {"1.5h", minutes(90)}, {"2d", hours(48)},      {"1m1s", seconds(61)},
      {"0.25s", milliseconds(250)}};
  for (const auto& [text, expected] : table) {
    const StatusOr<Duration> parsed = ParseDuration(text);
    ASSERT_TRUE(parsed.ok()) << text << ": " << parsed.status();
    EXPECT_EQ(*parsed, expected) << text;
  }
}

TEST(Duration, ANumberWithoutAUnitAndOtherTextIsRefused) {
  for (const char* bad : {"", "10", "s", "-5s", "5 s", "5x", "1..5s", ".s", "5s5", "1e3s", "inf", "5S", "9999999999h"})
    EXPECT_EQ(ParseDuration(bad).code(), StatusCode::kInvalidArgument) << "'" << bad << "'";
  EXPECT_EQ(ParseDuration("10").status().message(),
            "'10' is not a duration; write for example 90s, 20m, 1h30m or 250ms");
}

TEST(Duration, TheExactFormParsesBackToTheSameMillisecond) {
  for (const Duration duration : {Duration(0), Duration(milliseconds(1)), Duration(milliseconds(1500)),
                                  Duration(seconds(5400)), Duration(hours(1000)) + milliseconds(7)})
    EXPECT_EQ(ParseDuration(ExactDuration(duration)).value(), duration) << ExactDuration(duration);
}

TEST(Duration, TheShortFormReadsWell) {
  const std::pair<Duration, const char*> table[] = {
      {milliseconds(250), "250ms"}, {milliseconds(4200), "4.2s"},    {seconds(42), "42s"}, {seconds(1200), "20m"},
      {seconds(1265), "21m05s"},    {minutes(90), "1h30m"},          {hours(2), "2h"},     {milliseconds(9999), "10s"},
      {milliseconds(59'900), "1m"}, {Duration(999'900'000), "1.0s"}, {Duration(0), "0ms"}, {seconds(7199), "1h59m"}};
  for (const auto& [duration, expected] : table) EXPECT_EQ(FormatDuration(duration), expected);
}

TEST(Clock, AManualClockMovesOnlyWhenTold) {
  ManualClock clock;
  const Instant begin = clock.Now();
  EXPECT_EQ(clock.Now(), begin);
  clock.Advance(minutes(5));
  EXPECT_EQ(clock.Now() - begin, minutes(5));
  EXPECT_EQ(FormatUtc(clock.WallNow()), "1970-01-01T00:05:00.000Z");
}

TEST(Clock, TheSystemClockDoesNotRunBackwards) {
  const Instant first = SystemClock().Now();
  EXPECT_GE(SystemClock().Now(), first);
}

TEST(Clock, UtcIsWrittenAsIso8601WithMilliseconds) {
  const auto when = std::chrono::system_clock::time_point(milliseconds(1'795'258'094'123));
  EXPECT_EQ(FormatUtc(when), "2026-11-21T10:48:14.123Z");
}

}  // namespace
}  // namespace consilium
