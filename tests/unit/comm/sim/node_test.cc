#include "comm/sim/node.h"

#include <gtest/gtest.h>

namespace consilium::sim {
namespace {

using std::chrono::seconds;

void RunAll(EventQueue* queue) {
  while (queue->RunOne()) continue;
}

TEST(Node, WhatWasScheduledInOneLifeDoesNotHappenInTheNext) {
  EventQueue queue;
  Node node(&queue, {.name = "a"});
  int rung = 0;
  node.Start({});
  node.After(seconds(2), [&] { ++rung; });
  queue.After(seconds(1), [&] {
    node.Kill();
    node.Start({});
    node.After(seconds(2), [&] { rung += 10; });
  });
  RunAll(&queue);
  EXPECT_EQ(rung, 10);
  EXPECT_EQ(node.life(), 2u);
}

TEST(Node, AFastClockRingsEarlyAndEveryLifeHasItsOwnEpoch) {
  EventQueue queue;
  Node node(&queue, {.name = "a", .clock_rate = 2});
  node.Start(Instant(seconds(1000)));
  Instant rang{};
  node.After(seconds(10), [&] {
    rang = queue.Now();
    EXPECT_EQ(node.LocalNow(), Instant(seconds(1010)));
  });
  RunAll(&queue);
  EXPECT_EQ(rang, Instant(seconds(5)));
}

TEST(Node, ABusyProcessTakesWhatWaitsInOrder) {
  EventQueue queue;
  Node node(&queue, {.name = "a"});
  node.Start({});
  std::string order;
  node.Occupy(seconds(5));
  queue.After(seconds(1), [&] {
    node.Deliver([&] {
      order += 'a';
      node.Occupy(seconds(3));
    });
  });
  queue.After(seconds(2), [&] { node.Deliver([&] { order += 'b'; }); });
  queue.After(seconds(5), [&] { node.Deliver([&] { order += 'c'; }); });
  queue.RunUntil(Instant(seconds(7)), [] { return false; });
  EXPECT_EQ(order, "a");
  RunAll(&queue);
  EXPECT_EQ(order, "abc");
  EXPECT_EQ(queue.Now(), Instant(seconds(8)));
}

}  // namespace
}  // namespace consilium::sim
