#include "coordinator/service/site_board.h"

#include <gtest/gtest.h>

#include "stage.h"

namespace consilium::coordinator {
namespace {

wire::Heartbeat Beat(wire::SitePhase phase, double progress) { return {phase, Train(0), progress, {{"loss", 0.5}}}; }

TEST(SiteBoard, OnlyAChangeOfPhaseOrFivePercentAreNews) {
  SiteBoard board;
  const SiteName a("a");
  EXPECT_TRUE(board.Hear(a, Beat(wire::SitePhase::kFetching, 0), Instant{}));
  EXPECT_TRUE(board.Hear(a, Beat(wire::SitePhase::kTraining, 0), Instant{}));
  EXPECT_FALSE(board.Hear(a, Beat(wire::SitePhase::kTraining, 0.03), Instant{}));
  EXPECT_TRUE(board.Hear(a, Beat(wire::SitePhase::kTraining, 0.06), Instant{})) << "small steps add up";
  EXPECT_FALSE(board.Hear(a, Beat(wire::SitePhase::kTraining, 0.06), Instant{}));
}

TEST(SiteBoard, SaysWhoIsConnectedWhoIsAwaitedAndHowFarTheyAre) {
  Stage stage({.mode = "wait"});
  stage.Connect("a").Connect("b").Update("b", 0).Fail("a", Train(0), "out of memory");
  SiteBoard board;
  board.Hear(SiteName("a"), Beat(wire::SitePhase::kTraining, 0.4), Instant{});
  for (const Record& record : stage.journal()) board.Take(record);
  const Json json = board.ToJson(stage.machine(), Instant{} + std::chrono::seconds(7));
  EXPECT_EQ(json["phase"], "collecting");
  EXPECT_EQ(json["awaited"], Json::array({"a", "c"}));
  const Json &a = json["sites"][0], &b = json["sites"][1], &c = json["sites"][2];
  EXPECT_EQ(a["site"], "a");
  EXPECT_EQ(a["phase"], "training");
  EXPECT_EQ(a["progress"], 0.4);
  EXPECT_EQ(a["awaited_seconds"], 7.0);
  EXPECT_EQ(a["failure"], "out of memory");
  EXPECT_FALSE(b["awaited"].get<bool>());
  EXPECT_GT(b["bytes"].get<int>(), 0);
  EXPECT_FALSE(c["connected"].get<bool>());
  EXPECT_EQ(c["phase"], "away");
}

TEST(SiteBoard, ShowsWhatTheTransportCarriedAndTheLongestSilenceOfAConnection) {
  Stage stage({.mode = "wait"});
  SiteBoard board([](const SiteName& site) {
    return transport::Traffic{.bytes_sent = site.value() == "a" ? 3'000'000u : 0u, .send_bytes_per_second = 1.5e6};
  });
  const SiteName a("a");
  const auto at = [](int seconds) { return Instant{} + std::chrono::seconds(seconds); };
  board.Connected(a, at(0));
  board.Hear(a, Beat(wire::SitePhase::kFetching, 0), at(4));
  board.Hear(a, Beat(wire::SitePhase::kFetching, 0), at(11));
  board.Connected(a, at(100));  // it was away, not silent
  board.Hear(a, Beat(wire::SitePhase::kFetching, 0), at(103));
  const Json sites = board.ToJson(stage.machine(), at(103))["sites"];
  EXPECT_EQ(sites[0]["silent_seconds_max"], 7.0);
  EXPECT_EQ(sites[0]["traffic"]["bytes_sent"], 3'000'000);
  EXPECT_EQ(sites[0]["traffic"]["send_bytes_per_second"], 1.5e6);
  EXPECT_EQ(sites[1]["traffic"]["bytes_sent"], 0);
}

TEST(SiteBoard, TellsHealthDropsWhatASiteLacksAndEveryWait) {
  Stage stage({.mode = "close", .more = R"(, "evaluate": {"every": 1})"});
  stage.Connect("a").Connect("b").Connect("c", wire::Capability{.trainer = "0.0.9"});
  stage.Update("a", 0).Update("a", 0);
  SiteBoard board;
  wire::Heartbeat beat = Beat(wire::SitePhase::kTraining, 0.4);
  beat.trouble = "the trainer died: killed by signal 9";
  beat.upload_bytes_per_second = 1e6;
  board.Hear(SiteName("b"), beat, Instant{});
  const Json json = board.ToJson(stage.machine(), stage.now() + std::chrono::seconds(10));
  EXPECT_EQ(json["sites"][0]["drops"]["duplicate"], 1);
  EXPECT_EQ(json["sites"][1]["trouble"], "the trainer died: killed by signal 9");
  EXPECT_EQ(json["sites"][1]["upload_bytes_per_second"], 1e6);
  EXPECT_TRUE(json["sites"][1]["silent"].get<bool>()) << "ten seconds without a heartbeat";
  EXPECT_EQ(json["sites"][2]["unfit"], "its software (0.0.9) lacks validate");
  EXPECT_EQ(json["replies"], 1);
  EXPECT_EQ(json["target"], 2);
  ASSERT_EQ(json["waiting"].size(), 1u);
  EXPECT_EQ(json["waiting"][0]["who"], "b");
  EXPECT_EQ(json["waiting"][0]["seconds_left"], 90.0);
}

}  // namespace
}  // namespace consilium::coordinator
