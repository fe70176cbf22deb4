#include "comm/sim/event_queue.h"

#include <algorithm>

namespace consilium::sim {

void EventQueue::At(Instant at, Event event) {
  heap_.push_back({std::max(at, now_), made_++, std::move(event)});
  std::push_heap(heap_.begin(), heap_.end(), Later);
}

bool EventQueue::RunOne() {
  if (heap_.empty()) return false;
  std::pop_heap(heap_.begin(), heap_.end(), Later);
  Entry entry = std::move(heap_.back());
  heap_.pop_back();
  now_ = entry.at;
  ++run_;
  entry.event();
  return true;
}

void EventQueue::RunUntil(Instant until, const std::function<bool()>& done) {
  while (!done() && !heap_.empty() && heap_.front().at <= until) RunOne();
  if (!done()) now_ = std::max(now_, until);
}

}  // namespace consilium::sim
