#include "comm/sim/event_queue.h"

#include <gtest/gtest.h>

#include "comm/sim/trace.h"

namespace consilium::sim {
namespace {

using std::chrono::seconds;

TEST(EventQueue, RunsEventsByInstantAndThenByTheOrderOfTheirMaking) {
  EventQueue queue;
  std::string order;
  queue.After(seconds(2), [&] { order += 'c'; });
  queue.After(seconds(1), [&] { order += 'a'; });
  queue.After(seconds(1), [&] {
    order += 'b';
    queue.At(Instant(), [&] { order += '!'; });  // an instant that is over means now
  });
  while (queue.RunOne()) continue;
  EXPECT_EQ(order, "ab!c");
  EXPECT_EQ(queue.Now(), Instant(seconds(2)));
}

TEST(EventQueue, RunUntilStopsAtItsInstantWithLaterEventsLeft) {
  EventQueue queue;
  int runs = 0;
  for (int i = 1; i <= 5; ++i) queue.After(seconds(i), [&] { ++runs; });
  queue.RunUntil(Instant(seconds(3)), [] { return false; });
  EXPECT_EQ(runs, 3);
  queue.RunUntil(Instant(seconds(9)), [&] { return runs == 4; });
  EXPECT_EQ(runs, 4);
  EXPECT_EQ(queue.Now(), Instant(seconds(4)));
}

TEST(Trace, EqualHistoriesHaveEqualHashesAndOthersDoNot) {
  EventQueue queue;
  const auto hash = [&](auto... parts) {
    Trace trace(&queue);
    trace.Note(parts...);
    return trace.hash();
  };
  EXPECT_EQ(hash("a", 1u), hash("a", 1u));
  EXPECT_NE(hash("a", 1u), hash("a", 2u));
  EXPECT_NE(hash("ab", "c"), hash("a", "bc"));
}

}  // namespace
}  // namespace consilium::sim
