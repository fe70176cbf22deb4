// The place of the trainer: whoever sits there does one task at a time.  A child is started when there is work and none
// is there, and kept for the next task; one that ends is reported and its place is empty again.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <optional>
#include <variant>

#include "client/core/session_io.h"
#include "client/service/trainer_process.h"

namespace consilium::client {

using TrainerEvent = std::variant<WorkerProgressed, WorkerFinished, WorkerRefused, WorkerDied>;

// Strand-bound.
class TrainerSeat {
 public:
  // `on_event` is called on the strand, never from inside Run, Cancel or Kill.
  TrainerSeat(TrainerOptions options, boost::asio::io_context* loop, std::function<void(const TrainerEvent&)> on_event);
  ~TrainerSeat();

  // There is no task in hand.  Ends in exactly one of WorkerFinished, WorkerRefused and WorkerDied.
  void Run(const wire::WorkerTask& task);
  // The trainer has ten seconds to stop, then it is ended.
  void Cancel(const wire::TaskKey& task);
  void Kill(const std::string& why);

 private:
  void OnMessage(const wire::WorkerMessage& message);
  void Handle(const wire::WorkerHello& hello);
  void Handle(const wire::WorkerProgress& progress);
  void Handle(const wire::WorkerDone& done);
  void Handle(const wire::WorkerFailed& failed);
  void OnEnd(const std::string& how);
  void Give();
  bool IsInHand(const wire::TaskKey& task) const { return task_ && task_->task == task; }
  void Tell(TrainerEvent event);

  TrainerOptions options_;
  boost::asio::io_context* loop_;
  std::function<void(const TrainerEvent&)> on_event_;
  std::unique_ptr<TrainerProcess> child_;
  bool greeted_ = false;
  std::optional<wire::WorkerTask> task_;  // in hand
  boost::asio::steady_timer cancel_timer_;
  boost::asio::thread_pool hashing_{1};
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // what was posted looks at it first
};

}  // namespace consilium::client
