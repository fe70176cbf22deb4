#include "comm/collective/overlap_trace.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "comm/base/file.h"
#include "comm/base/json.h"

namespace consilium::collective {
namespace {

constexpr auto kTick = std::chrono::microseconds(10);

TEST(OverlapTrace, WritesEachBucketBesideTheBackwardPassThatItOverlaps) {
  ManualClock clock;
  OverlapTrace trace(1, clock);
  trace.BackwardBegan(5);
  clock.Advance(kTick);
  trace.BucketLaunched(5, 0, 4096);
  clock.Advance(kTick);
  trace.BucketFinished(5, 0);
  trace.BucketLaunched(5, 1, 100);
  clock.Advance(kTick);
  trace.BucketFinished(5, 1);
  trace.BackwardEnded(5);
  EXPECT_EQ(trace.overlapped_buckets(), 1);  // the last one starts when there is nothing left to overlap with

  const std::filesystem::path path = std::filesystem::path(testing::TempDir()) / Concat("trace-", ::getpid(), ".json");
  ASSERT_TRUE(trace.WriteChromeTrace(path).ok());
  const StatusOr<Json> json = ReadJson(path);
  std::filesystem::remove(path);
  ASSERT_TRUE(json.ok()) << json.status();
  const auto slice = [&](const std::string& name, int lane) -> Json {
    for (const Json& event : json.value()["traceEvents"])
      if (event["ph"] == "X" && event["name"] == name && event["tid"] == lane) return event;
    return nullptr;
  };
  const Json backward = slice("backward", 0), wait = slice("wait for all-reduce", 0);
  const Json first = slice("all-reduce", 1), second = slice("all-reduce", 2);
  ASSERT_TRUE(backward.is_object() && wait.is_object() && first.is_object() && second.is_object());
  EXPECT_EQ(backward["pid"], 1);
  EXPECT_EQ(backward["ts"], 0.0);
  EXPECT_EQ(backward["dur"], 20.0);
  EXPECT_EQ(wait["ts"], 20.0);
  EXPECT_EQ(wait["dur"], 10.0);
  EXPECT_EQ(first["ts"], 10.0);
  EXPECT_EQ(first["dur"], 10.0);
  EXPECT_EQ(first["args"]["bytes"], 4096);
  EXPECT_EQ(first["args"]["step"], 5);
  EXPECT_EQ(second["ts"], 20.0);
  EXPECT_EQ(json.value()["otherData"]["overlapped_buckets"], 1);
}

TEST(OverlapTrace, KeepsNoMoreThanItsBoundAndSaysHowManyWereDropped) {
  ManualClock clock;
  OverlapTrace trace(0, clock);
  trace.BackwardBegan(0);
  for (std::size_t i = 0; i < OverlapTrace::kEventsMax + 3; ++i) trace.BucketLaunched(0, i, 1);
  EXPECT_EQ(trace.buckets().size(), OverlapTrace::kEventsMax);
}

}  // namespace
}  // namespace consilium::collective
