// A machine with one process on it: a name, a clock that is not everybody's, a disk, and lives that end.
//
// What was scheduled in one life does not happen in the next one.  A process does one thing at a time: while it waits
// for its disk, what arrives queues up in order.
#pragma once

#include <deque>
#include <string>

#include "comm/sim/disk.h"
#include "comm/sim/event_queue.h"

namespace consilium::sim {

struct NodeOptions {
  std::string name;
  double clock_rate = 1;  // seconds of its clock per second of the world's
};

// Strand-bound.
class Node {
 public:
  // `queue` outlives the node; the node outlives the queue's last event.
  Node(EventQueue* queue, NodeOptions options) : queue_(queue), options_(std::move(options)) {}
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  const std::string& name() const { return options_.name; }
  Disk& disk() { return disk_; }
  bool alive() const { return alive_; }
  std::uint64_t life() const { return life_; }  // counted from 1

  // A new life, whose clock begins at `epoch`: instants of two lives cannot be compared.
  void Start(Instant epoch);
  // SIGKILL: what is in memory is gone, the disk is as the process left it.
  void Kill();

  // What the process's clock says.
  Instant LocalNow() const;
  // By the process's clock; in this life or not at all.
  void After(Duration local, Event event);
  // Now, or when the process has done what it was told before; in this life or not at all.
  void Deliver(Event event);
  // The process is blocked for so long from now (or from when it is free).
  void Occupy(Duration time);
  // When what the process does now is done: messages leave at this time.
  Instant FreeAt() const { return std::max(free_at_, queue_->Now()); }

 private:
  void Drain(std::uint64_t life);

  EventQueue* queue_;
  NodeOptions options_;
  Disk disk_;
  bool alive_ = false;
  std::uint64_t life_ = 0;
  Instant epoch_{}, started_at_{}, free_at_{};
  std::deque<Event> waiting_;
};

}  // namespace consilium::sim
