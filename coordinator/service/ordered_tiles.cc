#include "coordinator/service/ordered_tiles.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace consilium::coordinator {
namespace {

// Which tile is next to be computed and which to be committed.  A worker computes one tile and waits for its turn, so
// at most as many results as threads wait.
class Turns {
 public:
  explicit Turns(std::size_t tiles) : tiles_(tiles) {}

  void Work(TileWorker& worker) {
    for (std::size_t tile = Take(); tile < tiles_; tile = Take()) {
      Status status = worker.Compute(tile);
      std::unique_lock lock(mutex_);
      turn_.wait(lock, [&] { return committed_ == tile || !status_.ok(); });
      if (!status_.ok()) return;
      if (status.ok()) {
        lock.unlock();  // it is this worker's turn, and nobody else's
        status = worker.Commit(tile);
        lock.lock();
      }
      if (status.ok()) {
        ++committed_;
      } else {
        status_ = status;
      }
      turn_.notify_all();
    }
  }
  Status status() const { return status_; }

 private:
  std::size_t Take() {
    const std::lock_guard lock(mutex_);
    return status_.ok() ? taken_++ : tiles_;
  }

  const std::size_t tiles_;
  std::mutex mutex_;
  std::condition_variable turn_;
  std::size_t taken_ = 0, committed_ = 0;
  Status status_;
};

}  // namespace

Status RunInOrder(std::size_t tiles, std::size_t threads, const std::function<std::unique_ptr<TileWorker>()>& make) {
  Turns turns(tiles);
  std::vector<std::unique_ptr<TileWorker>> workers;
  for (std::size_t i = 0; i < std::min(threads, std::max<std::size_t>(tiles, 1)); ++i) workers.push_back(make());
  std::vector<std::jthread> others;
  for (std::size_t i = 1; i < workers.size(); ++i)
    others.emplace_back([&turns, &worker = *workers[i]] { turns.Work(worker); });
  turns.Work(*workers.front());
  others.clear();  // joins
  return turns.status();
}

std::size_t FoldThreads(std::size_t asked) {
  constexpr unsigned kThreadsMax = 4;
  return asked > 0 ? asked : std::clamp(std::thread::hardware_concurrency(), 1u, kThreadsMax);
}

}  // namespace consilium::coordinator
