// Virtual time: events in the order of their instants, and of their making where instants are equal.  Nothing here
// looks at a real clock, so one seed gives one history.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "comm/base/time.h"

namespace consilium::sim {

using Event = std::function<void()>;

// Strand-bound.
class EventQueue {
 public:
  Instant Now() const { return now_; }
  // An instant that is over means now.
  void At(Instant at, Event event);
  void After(Duration after, Event event) { At(now_ + after, std::move(event)); }

  // Moves the time to the next event and runs it; false when there is none.
  bool RunOne();
  // Runs events until `done` holds (asked after each), the next one is later than `until`, or none is left; the time
  // ends at `until` at the latest.
  void RunUntil(Instant until, const std::function<bool()>& done);

  std::uint64_t events_run() const { return run_; }

 private:
  struct Entry {
    Instant at;
    std::uint64_t sequence = 0;
    Event event;
  };
  static bool Later(const Entry& a, const Entry& b) { return a.at != b.at ? a.at > b.at : a.sequence > b.sequence; }

  Instant now_{};
  std::uint64_t made_ = 0, run_ = 0;
  std::vector<Entry> heap_;
};

}  // namespace consilium::sim
