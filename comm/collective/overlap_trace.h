// When each gradient bucket's all-reduce ran, against the backward pass that was still computing: proof of overlap.
#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <vector>

#include "comm/base/status.h"
#include "comm/base/time.h"

namespace consilium::collective {

// Thread-safe.  Bounded: events beyond kEventsMax are counted, not kept.
class OverlapTrace {
 public:
  static constexpr std::size_t kEventsMax = 200'000;

  struct BucketEvent {
    std::int64_t step = 0;
    std::size_t bucket = 0;  // in the order in which the backward pass fills them
    std::int64_t bytes = 0;
    Instant launched{};
    Instant finished{};  // Gloo: the sum is there.  NCCL: the operation is queued on its stream.
  };
  struct StepEvent {
    std::int64_t step = 0;
    Instant backward_begin{};
    Instant gradients_ready{};  // the last bucket was full: from here on this rank only waits
    Instant backward_end{};     // all sums are in place
  };

  explicit OverlapTrace(int rank, const Clock& clock = SystemClock()) : rank_(rank), clock_(clock) {}

  // Recorded by GradientReducer.
  void BackwardBegan(std::int64_t step);
  void BucketLaunched(std::int64_t step, std::size_t bucket, std::int64_t bytes);
  void BucketFinished(std::int64_t step, std::size_t bucket);
  void BackwardEnded(std::int64_t step);

  std::vector<BucketEvent> buckets() const;
  std::vector<StepEvent> steps() const;
  // Buckets whose all-reduce was launched before the last gradient of their step was there.
  std::int64_t overlapped_buckets() const;

  // Chrome's trace format (chrome://tracing, ui.perfetto.dev): one process a rank, one lane for the backward pass and
  // one a bucket.  Microseconds since the first event.
  Status WriteChromeTrace(const std::filesystem::path& path) const;

 private:
  std::int64_t OverlappedLocked() const;
  const int rank_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::vector<BucketEvent> buckets_;
  std::vector<StepEvent> steps_;
  std::int64_t dropped_ = 0;
};

}  // namespace consilium::collective
