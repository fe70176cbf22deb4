#include "comm/transport/traffic.h"

#include <gtest/gtest.h>

namespace consilium::transport {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kChunk = 1 << 20;

TEST(TrafficTest, TheRateIsBytesOverTimeAndStaysAfterTheTransfer) {
  RateMeter meter;
  EXPECT_EQ(meter.BytesPerSecond(), 0);
  Instant now{};
  meter.Begin(now);
  for (int i = 0; i < 5; ++i) meter.Add(kChunk, now += milliseconds(500));
  EXPECT_DOUBLE_EQ(meter.BytesPerSecond(), 2.0 * kChunk);
}

TEST(TrafficTest, AnHourBetweenTwoTransfersDoesNotCount) {
  RateMeter meter;
  Instant now{};
  meter.Begin(now);
  meter.Add(kChunk, now += seconds(1));
  meter.Begin(now += seconds(3600));
  EXPECT_DOUBLE_EQ(meter.BytesPerSecond(), 1.0 * kChunk);  // of the last one, until there is news
  meter.Add(kChunk, now += seconds(2));
  EXPECT_DOUBLE_EQ(meter.BytesPerSecond(), 0.5 * kChunk);
}

TEST(TrafficTest, OnlyTheLastTenSecondsCount) {
  RateMeter meter;
  Instant now{};
  meter.Begin(now);
  for (int i = 0; i < 60; ++i) meter.Add(10 * kChunk, now += seconds(1));
  for (int i = 0; i < 12; ++i) meter.Add(kChunk, now += seconds(1));
  EXPECT_DOUBLE_EQ(meter.BytesPerSecond(), 1.0 * kChunk);
}

TEST(TrafficTest, AThousandChunksInOneInstantAreNoDivisionByZero) {
  TrafficMeter meter;
  meter.BeginSending(Instant{});
  for (int i = 0; i < 1000; ++i) meter.Sent(kChunk, Instant{});
  EXPECT_EQ(meter.Read(), (Traffic{.bytes_sent = 1000 * kChunk, .chunks_sent = 1000}));
}

TEST(TrafficTest, TheTwoDirectionsAreApart) {
  TrafficMeter meter;
  meter.BeginSending(Instant{});
  meter.BeginReceiving(Instant{});
  meter.Sent(100, Instant{} + seconds(1));
  meter.Received(30, Instant{} + seconds(1));
  EXPECT_EQ(meter.Read(), (Traffic{100, 30, 1, 1, 100.0, 30.0}));
}

}  // namespace
}  // namespace consilium::transport
