// A few threads for what gRPC's callback threads must not do: wait for a disk, or for the coordinator's permission.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace consilium::transport {

// Jobs run in any order.  Each transfer has at most one job queued, so transfers_per_site_max bounds the queue.
// Thread-safe.
class WorkQueue {
 public:
  explicit WorkQueue(std::size_t threads);
  ~WorkQueue();  // runs what is queued, then joins
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  void Add(std::function<void()> job);

 private:
  void Run();
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace consilium::transport
