#include "comm/sim/network.h"

#include <gtest/gtest.h>

namespace consilium::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A process that writes down what it is told.
struct Party final : Endpoint {
  void OnAccepted(StreamId stream, const std::string& peer, const std::string& purpose) override {
    log.push_back(peer + " dialled for " + purpose);
    accepted = stream;
  }
  void OnConnected(StreamId) override { log.emplace_back("connected"); }
  void OnMessage(StreamId, Bytes message) override { log.emplace_back(AsText(message)); }
  void OnClosed(StreamId, const Status& reason) override { log.push_back(reason.message()); }
  bool Has(const std::string& line) const { return std::find(log.begin(), log.end(), line) != log.end(); }

  std::vector<std::string> log;
  StreamId accepted{};
};

class NetworkTest : public ::testing::Test {
 protected:
  NetworkTest() { Use({}); }
  void Use(NetworkOptions options) {
    network = std::make_unique<Network>(&queue, &trace, options);
    for (auto [node, party] : {std::pair(&site_node, &site), std::pair(&hub_node, &hub)}) {
      if (!node->alive()) node->Start({});
      network->Attach(node, party);
    }
  }
  void Run(Duration time) {
    queue.RunUntil(queue.Now() + time, [] { return false; });
  }
  void SayNumbers(StreamId stream, int count) {
    for (int i = 0; i < count; ++i) {
      const std::string text = std::to_string(i);
      network->Send(stream, "site", Bytes(text.begin(), text.end()));
    }
  }

  EventQueue queue;
  Trace trace{&queue};
  Node site_node{&queue, {.name = "site"}}, hub_node{&queue, {.name = "hub"}};
  Party site, hub;
  std::unique_ptr<Network> network;
};

TEST_F(NetworkTest, AStreamKeepsItsOrderAndLosesNothingHoweverManySegmentsAreLost) {
  Use({.line = {.jitter = milliseconds(50), .loss = 0.2}});
  const StreamId stream = network->Dial("site", "hub", "control", Delivery::kOrdered);
  Run(seconds(10));
  ASSERT_TRUE(site.Has("connected"));
  SayNumbers(stream, 100);
  Run(seconds(300));
  ASSERT_EQ(hub.log.size(), 101u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(hub.log[static_cast<std::size_t>(i) + 1], std::to_string(i));
  EXPECT_GT(network->stats().segments_lost, 5u);
}

TEST_F(NetworkTest, AnUnrulyStreamDropsRepeatsAndReordersButNeverItsFirstMessage) {
  Use({.line = {.message_loss = 0.2, .message_repetition = 0.2, .message_reordering = 0.2}});
  const StreamId stream = network->Dial("site", "hub", "control", Delivery::kUnruly);
  Run(seconds(1));
  SayNumbers(stream, 200);
  Run(seconds(10));
  const auto count = [&](int number) { return std::count(hub.log.begin(), hub.log.end(), std::to_string(number)); };
  EXPECT_EQ(count(0), 1);
  int lost = 0, repeated = 0;
  for (int i = 1; i < 200; ++i) lost += count(i) == 0, repeated += count(i) > 1;
  EXPECT_GT(lost, 10);
  EXPECT_GT(repeated, 10);
  EXPECT_FALSE(std::is_sorted(hub.log.begin() + 1, hub.log.end(),
                              [](const auto& a, const auto& b) { return std::stoi(a) < std::stoi(b); }));
}

TEST_F(NetworkTest, ABandwidthIsAsSlowAsItSaysInBothUse) {
  Use({.line = {.delay = milliseconds(150), .jitter = {}, .bytes_per_second = 1'250'000}});
  const StreamId stream = network->Dial("site", "hub", "control", Delivery::kOrdered);
  Run(seconds(1));
  const Instant start = queue.Now();
  network->Send(stream, "site", Bytes(1'250'000));
  network->Send(stream, "site", Bytes{'x'});
  queue.RunUntil(start + seconds(10), [&] { return hub.Has("x"); });
  EXPECT_NEAR(Seconds(queue.Now() - start), 1.15, 0.001);
}

TEST_F(NetworkTest, APartitionHoldsMessagesBackAndAShortOneLosesNone) {
  const StreamId stream = network->Dial("site", "hub", "control", Delivery::kOrdered);
  Run(seconds(1));
  network->Block("site", "hub");
  SayNumbers(stream, 3);
  Run(seconds(5));
  EXPECT_EQ(hub.log.size(), 1u);
  network->UnblockAll();
  SayNumbers(stream, 1);
  Run(seconds(5));
  EXPECT_EQ(hub.log, (std::vector<std::string>{"site dialled for control", "0", "1", "2", "0"}));
}

TEST_F(NetworkTest, ALongPartitionEndsTheStreamAtBothEndsEachInItsOwnTime) {
  const StreamId stream = network->Dial("site", "hub", "control", Delivery::kOrdered);
  Run(seconds(1));
  network->Block("hub", "site");
  Run(seconds(13));
  EXPECT_FALSE(site.Has("no sign of life") || hub.Has("no sign of life"));
  Run(seconds(20));
  EXPECT_TRUE(site.Has("no sign of life") && hub.Has("no sign of life"));
  network->Dial("site", "hub", "again", Delivery::kOrdered);
  Run(seconds(10));
  EXPECT_EQ(site.log.back(), "no answer within 5.0s");
  network->UnblockAll();
  network->Dial("site", "hub", "again", Delivery::kOrdered);
  Run(seconds(10));
  EXPECT_EQ(site.log.back(), "connected");
  SayNumbers(stream, 1);  // the old stream is gone, which is no error
}

TEST_F(NetworkTest, ADeadProcessIsNoticedAtOnceAndADeadMachineOnlyByItsSilence) {
  network->Dial("site", "hub", "control", Delivery::kOrdered);
  Run(seconds(1));
  hub_node.Kill();
  network->Detach("hub", Death::kProcess);
  Run(seconds(1));
  EXPECT_EQ(site.log.back(), "the connection was closed");
  network->Dial("site", "hub", "control", Delivery::kOrdered);
  Run(seconds(1));
  EXPECT_EQ(site.log.back(), "connection refused");

  hub_node.Start({});
  network->Attach(&hub_node, &hub);
  const StreamId stream = network->Dial("site", "hub", "control", Delivery::kOrdered);
  Run(seconds(1));
  hub_node.Kill();
  network->Detach("hub", Death::kMachine);
  Run(seconds(5));
  EXPECT_EQ(site.log.back(), "connected");
  hub_node.Start({});  // rebooted: whoever speaks to the old process is told
  network->Attach(&hub_node, &hub);
  SayNumbers(stream, 1);
  Run(seconds(1));
  EXPECT_EQ(site.log.back(), "the connection was reset");
}

TEST_F(NetworkTest, WhatWasSentBeforeAnOrderlyCloseArrivesAlsoAtABusyPeer) {
  const StreamId stream = network->Dial("site", "hub", "control", Delivery::kOrdered);
  Run(seconds(1));
  hub_node.Occupy(seconds(3));
  SayNumbers(stream, 2);
  network->Close(stream, "site");
  Run(seconds(5));
  EXPECT_EQ(hub.log, (std::vector<std::string>{"site dialled for control", "0", "1", "the peer closed the stream"}));
  EXPECT_EQ(site.log, std::vector<std::string>{"connected"});
}

TEST_F(NetworkTest, ABusyEndIsToldOfTheBreakOnceHoweverManyReasonsThereAre) {
  network->Dial("site", "hub", "control", Delivery::kOrdered);
  Run(seconds(1));
  site_node.Occupy(seconds(5));
  hub_node.Kill();
  network->Detach("hub", Death::kProcess);
  network->Cut("hub", "site");
  Run(seconds(10));
  EXPECT_EQ(site.log, (std::vector<std::string>{"connected", "the connection was closed"}));
}

TEST_F(NetworkTest, ACutIsToldToBothEndsAndNothingArrivesAfterIt) {
  const StreamId stream = network->Dial("site", "hub", "control", Delivery::kOrdered);
  Run(seconds(1));
  network->Cut("hub", "site");
  SayNumbers(stream, 5);
  Run(seconds(5));
  EXPECT_EQ(site.log.back(), "the connection was reset");
  EXPECT_EQ(hub.log, (std::vector<std::string>{"site dialled for control", "the connection was reset"}));
}

}  // namespace
}  // namespace consilium::sim
