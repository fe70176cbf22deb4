#include "trainer/worker/worker_session.h"

#include <sys/socket.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <new>
#include <thread>

#include "comm/base/log.h"
#include "comm/wire/fields.h"
#include "comm/wire/frame.h"

namespace consilium::trainer {
namespace {

constexpr std::size_t kQueueMax = 16;
constexpr std::size_t kReasonBytesMax = wire::kTextBytesMax - 64;  // leaves room for the ellipsis
constexpr std::size_t kLoggedBytesMax = 1000;

std::string Shortened(std::string text, std::size_t bytes_max) {
  if (text.size() > bytes_max) text = text.substr(0, bytes_max) + " ...";
  return text;
}

// What the reading thread hands to the working one.
class Inbox {
 public:
  struct Item {
    wire::WorkerTask task;
    std::uint64_t number = 0;
  };

  Status Put(wire::WorkerTask task) {
    const std::lock_guard lock(mutex_);
    if (tasks_.size() >= kQueueMax)
      return ResourceExhausted("the client sent ", kQueueMax, " tasks without waiting for an answer");
    tasks_.push_back({std::move(task), ++received_});
    changed_.notify_one();
    return {};
  }
  // Everything received so far is unwanted.
  void Cancel() {
    const std::lock_guard lock(mutex_);
    cancelled_up_to_ = received_;
  }
  void Close(Status reason) {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    closed_because_ = std::move(reason);
    changed_.notify_one();
  }
  // The next task; nothing when the client is gone, also when tasks are left, or when `patience` ran out.
  std::optional<Item> Take(Duration patience) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, patience, [this] { return closed_ || !tasks_.empty(); });
    if (closed_ || tasks_.empty()) return std::nullopt;
    Item item = std::move(tasks_.front());
    tasks_.pop_front();
    return item;
  }
  bool Unwanted(std::uint64_t number) const { return closed_ || number <= cancelled_up_to_; }
  bool closed() const { return closed_; }
  Status closed_because() const {
    const std::lock_guard lock(mutex_);
    return closed_because_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> tasks_;
  std::uint64_t received_ = 0;
  std::atomic<std::uint64_t> cancelled_up_to_ = 0;
  std::atomic<bool> closed_ = false;
  Status closed_because_;
};

Status ReadRequests(int descriptor, Inbox& inbox) {
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<Bytes> frame, wire::ReadFrame(descriptor, wire::kMessageBytesMax));
    if (!frame) return {};
    ASSIGN_OR_RETURN(wire::WorkerRequest request, wire::DecodeWorkerRequest(*frame));
    if (auto* task = std::get_if<wire::WorkerTask>(&request))
      RETURN_IF_ERROR(inbox.Put(std::move(*task)));
    else
      inbox.Cancel();
  }
}

class Monitor final : public TaskMonitor {
 public:
  Monitor(int descriptor, const Inbox& inbox, const Inbox::Item& item, const SessionOptions& options)
      : descriptor_(descriptor), inbox_(inbox), item_(item), options_(options) {}

  void Report(double progress, const wire::Metrics& metrics) override {
    const Instant now = options_.clock->Now();
    if (sent_ && now - *sent_ < options_.progress_interval) return;
    sent_ = now;
    // A failure to write is the reader's to see as the end of the stream.
    const wire::WorkerMessage message = wire::WorkerProgress{item_.task.task, progress, metrics};
    if (const Status status = wire::WriteFrame(descriptor_, wire::Encode(message)); !status.ok())
      Log(LogLevel::kWarning, "progress_not_sent", {{"task", item_.task.task}, {"reason", status}});
  }
  bool cancelled() const override { return inbox_.Unwanted(item_.number); }

 private:
  const int descriptor_;
  const Inbox& inbox_;
  const Inbox::Item& item_;
  const SessionOptions& options_;
  std::optional<Instant> sent_;
};

StatusOr<TaskResult> RunGuarded(TaskRunner& runner, const wire::WorkerTask& task, TaskMonitor& monitor) {
  if (monitor.cancelled()) return Cancelled("cancelled before it began");
  try {
    return runner.Run(task, monitor);
  } catch (const std::bad_alloc&) {
    return ResourceExhausted("out of memory; take a smaller batch or patch");
  } catch (const std::exception& error) {
    return Failed(error.what());
  } catch (...) {
    return Failed("an exception without a text");
  }
}

wire::WorkerMessage Answer(const wire::WorkerTask& task, const StatusOr<TaskResult>& result) {
  if (!result.ok())
    return wire::WorkerFailed{task.task, result.code(), Shortened(result.status().message(), kReasonBytesMax)};
  wire::WorkerDone done{task.task, result->weight, result->metrics};
  // More could not be read on the other side; the first ones in name order stay.
  while (done.metrics.size() > wire::kMetricsMax) done.metrics.erase(std::prev(done.metrics.end()));
  return done;
}

Status Work(int descriptor, TaskRunner& runner, Inbox& inbox, const SessionOptions& options) {
  RETURN_IF_ERROR(wire::WriteFrame(
      descriptor, wire::Encode(wire::WorkerMessage(wire::WorkerHello{wire::kWorkerProtocol, options.build}))));
  while (!inbox.closed()) {
    const std::optional<Inbox::Item> item = inbox.Take(options.idle_interval);
    if (!item) {
      if (!inbox.closed()) RETURN_IF_ERROR(runner.Idle());
      continue;
    }
    Log(LogLevel::kInfo, "task_started", {{"task", item->task.task}});
    Monitor monitor(descriptor, inbox, *item, options);
    const StatusOr<TaskResult> result = RunGuarded(runner, item->task, monitor);
    Log(result.ok() ? LogLevel::kInfo : LogLevel::kWarning, result.ok() ? "task_done" : "task_failed",
        {{"task", item->task.task},
         {"reason", result.ok() ? "" : Shortened(result.status().ToString(), kLoggedBytesMax)}});
    if (const Status broken = runner.broken(); !broken.ok()) return broken;
    if (inbox.closed()) break;  // nobody to tell
    RETURN_IF_ERROR(wire::WriteFrame(descriptor, wire::Encode(Answer(item->task, result))));
  }
  return inbox.closed_because();
}

}  // namespace

Status Serve(int descriptor, TaskRunner& runner, const SessionOptions& options) {
  Inbox inbox;
  std::thread reader([&] { inbox.Close(ReadRequests(descriptor, inbox)); });
  const Status status = Work(descriptor, runner, inbox, options);
  ::shutdown(descriptor, SHUT_RDWR);  // wakes the reader when it was the writing that failed
  reader.join();
  return status;
}

}  // namespace consilium::trainer
