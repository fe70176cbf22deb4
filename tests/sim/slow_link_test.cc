// A hospital behind 10 Mbit/s, 300 ms and 5 % loss.
#include <gtest/gtest.h>

#include <iostream>

#include "federation.h"

namespace consilium::simtest {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Scenario SlowLink() {
  Scenario scenario{.sites = 2, .rounds = 2, .sites_min = 2};
  scenario.model_values = 350'000;  // 1.4 MB
  scenario.unit_bytes = 64 << 10;
  scenario.heartbeat = seconds(3);
  scenario.faults.line = {
      .delay = milliseconds(300), .jitter = milliseconds(20), .loss = 0.05, .bytes_per_second = 1'250'000};
  scenario.faulty_for = std::chrono::hours(2);
  return scenario;
}

TEST(SlowLink, AJobOfAModelOf1400KilobytesEndsAndHeartbeatsAreNotStarved) {
  const Scenario scenario = SlowLink();
  const Outcome outcome = Simulate(scenario);
  ASSERT_TRUE(outcome.violations.empty()) << outcome.violations.front();
  ASSERT_TRUE(outcome.finished && outcome.code == StatusCode::kOk);
  std::cout << "[ link     ] 2 sites, 2 rounds, 1.4 MB: " << FormatDuration(outcome.took)
            << ", longest time without a heartbeat " << FormatDuration(outcome.counters.silence_max) << "\n";
  // A heartbeat waits behind at most a window of units (0.2 s) and what loss does to them.
  EXPECT_LT(outcome.counters.silence_max, 3 * scenario.heartbeat);
  EXPECT_EQ(outcome.transfers.bytes_repeated, 0u);
}

TEST(SlowLink, ByteAfterByteIsSentOnceHoweverOftenTheLineIsCut) {
  Scenario scenario = SlowLink();
  scenario.faults.cut_every = seconds(5);
  const Outcome outcome = Simulate(scenario);
  ASSERT_TRUE(outcome.violations.empty()) << outcome.violations.front();
  ASSERT_TRUE(outcome.finished && outcome.code == StatusCode::kOk);
  EXPECT_GE(outcome.transfers.resumed, 2u);
  EXPECT_EQ(outcome.transfers.bytes_repeated, 0u) << "nothing that had arrived was sent again";
}

}  // namespace
}  // namespace consilium::simtest
