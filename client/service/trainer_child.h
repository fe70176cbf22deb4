// The supervised `consilium-trainer worker`.  Started when the first task needs it, kept between tasks, started anew
// after a death.
//
// They talk over a socket pair (comm/wire/frame.h, comm/wire/worker.h).  A thread reads; everything else happens on the
// strand of the client, which also hears of everything there.
#pragma once

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <thread>

#include "comm/base/subprocess.h"
#include "comm/wire/worker.h"

namespace consilium::client {

struct TrainerChildOptions {
  std::filesystem::path program;  // consilium-trainer
  std::filesystem::path log;      // its stdout and stderr
};

// Strand-bound, but for the reading thread inside.
class TrainerChild {
 public:
  struct Events {
    std::function<void(wire::WorkerMessage)> on_message;
    // It ended (or never started): "killed by signal 9 (Killed); its last words: ...".
    std::function<void(std::string how)> on_death;
  };

  // `strand` runs on one thread, which must be the one that calls; it outlives this object.
  TrainerChild(boost::asio::io_context& strand, TrainerChildOptions options, Events events);
  ~TrainerChild();  // ends the child
  TrainerChild(const TrainerChild&) = delete;
  TrainerChild& operator=(const TrainerChild&) = delete;

  // Starts the child if it does not run.  A failure to start or to write is told through on_death.
  void Send(const wire::WorkerRequest& request);
  // SIGKILL; on_death follows.  Nothing when it does not run.
  void Kill();

 private:
  struct Running;
  Status Start();
  void OnClosed(std::uint64_t generation);
  std::string LastWords() const;

  boost::asio::io_context& strand_;
  const TrainerChildOptions options_;
  const Events events_;
  std::uint64_t generation_ = 0;  // of the child that runs; what an older one says is ignored
  std::unique_ptr<Running> running_;
};

}  // namespace consilium::client
