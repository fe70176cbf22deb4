#include "datasets/statistics/case_loop.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

namespace consilium::datasets {
namespace {

class CaseLoop {
 public:
  CaseLoop(const RawDataset& dataset, const CaseLoopOptions& options,
           const std::function<Status(std::size_t, MeasuredCase)>& use)
      : dataset_(dataset), options_(options), use_(use) {
    const std::int64_t cores = std::max<std::int64_t>(std::thread::hardware_concurrency(), 1);
    threads_ = std::clamp<std::int64_t>(options.threads > 0 ? options.threads : cores, 1,
                                        std::max<std::int64_t>(static_cast<std::int64_t>(dataset.cases.size()), 1));
  }

  Status Run() {
    std::vector<std::thread> threads;
    for (std::int64_t i = 1; i < threads_; ++i) threads.emplace_back([this] { Work(); });
    Work();
    for (std::thread& thread : threads) thread.join();
    return failure_;
  }

 private:
  // How many cases may be in memory at once: one until its size is known, then as many of the largest as fit.
  std::int64_t places() const {
    if (largest_bytes_ == 0) return 1;
    return std::clamp<std::int64_t>(static_cast<std::int64_t>(options_.memory_bytes / largest_bytes_), 1, threads_);
  }

  Status Handle(std::size_t index, std::uint64_t* bytes) const {
    const CaseFiles& files = dataset_.cases[index];
    try {
      ASSIGN_OR_RETURN(MeasuredCase measured, MeasureCase(files, dataset_.description));
      *bytes = measured.bytes;
      return use_(index, std::move(measured));
    } catch (const std::bad_alloc&) {
      return ResourceExhausted("case ", files.id, " does not fit into this machine's memory");
    }
  }

  void Work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      place_free_.wait(lock, [this] { return is_done() || running_ < places(); });
      if (!is_done() && options_.is_cancelled && options_.is_cancelled())
        Fail(next_, Status(StatusCode::kCancelled, "stopped on request"));
      if (is_done()) return;
      const std::size_t index = next_++;
      ++running_;
      lock.unlock();
      std::uint64_t bytes = 0;
      Status status = Handle(index, &bytes);
      lock.lock();
      --running_;
      largest_bytes_ = std::max(largest_bytes_, bytes);
      if (!status.ok()) Fail(index, std::move(status));
      ++done_;
      if (options_.on_case && failure_.ok())
        options_.on_case(dataset_.cases[index].id, done_, static_cast<std::int64_t>(dataset_.cases.size()));
      place_free_.notify_all();
    }
  }

  bool is_done() const { return !failure_.ok() || next_ >= dataset_.cases.size(); }
  void Fail(std::size_t index, Status status) {
    if (failure_.ok() || index < failed_index_) failure_ = std::move(status), failed_index_ = index;
    place_free_.notify_all();
  }

  const RawDataset& dataset_;
  const CaseLoopOptions& options_;
  const std::function<Status(std::size_t, MeasuredCase)>& use_;
  std::int64_t threads_ = 1;

  std::mutex mutex_;  // guards all below, and calls to on_case
  std::condition_variable place_free_;
  std::size_t next_ = 0, failed_index_ = 0;
  std::int64_t running_ = 0, done_ = 0;
  std::uint64_t largest_bytes_ = 0;
  Status failure_;
};

}  // namespace

StatusOr<CaseLoopOptions> LoopOptionsOf(std::int64_t threads, double memory_gb) {
  if (threads < 0 || threads > 1024) return InvalidArgument("--threads is ", threads, "; expected 0 to 1024");
  if (!(memory_gb > 0 && memory_gb < 1e6)) return InvalidArgument("--memory is ", memory_gb, "; expected GB above 0");
  return CaseLoopOptions{.threads = threads, .memory_bytes = static_cast<std::uint64_t>(memory_gb * 1e9)};
}

Status ForEachMeasuredCase(const RawDataset& dataset, const CaseLoopOptions& options,
                           const std::function<Status(std::size_t index, MeasuredCase measured)>& use) {
  return CaseLoop(dataset, options, use).Run();
}

}  // namespace consilium::datasets
