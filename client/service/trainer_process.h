// One life of the trainer child: started, greeted over a private Unix socket, heard, and at last buried.
//
// The socket lies in a folder that only we can enter.  A thread accepts and reads; what it reads is posted to the
// strand, in order; `on_end` comes last, after every message that the child managed to send.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "comm/base/subprocess.h"
#include "comm/wire/worker.h"

namespace consilium::client {

struct TrainerOptions {
  std::vector<std::string> command;                     // "worker --socket PATH" is added, then ...
  std::vector<std::string> worker_arguments;            // ... these
  std::filesystem::path socket_folder;                  // private; exists
  std::filesystem::path log;                            // the child's stdout and stderr, appended
  Duration greeting_timeout = std::chrono::minutes(2);  // a cold start reads LibTorch from a slow disk
};

// Strand-bound; the strand's thread must be the one that lives longest, because the child is told to end with it.
class TrainerProcess {
 public:
  struct Handlers {
    std::function<void(wire::WorkerMessage)> on_message;
    // "killed by signal 9 (Killed); its last words: ...".  The object may be destroyed from a later turn of the strand.
    std::function<void(std::string how)> on_end;
  };
  static StatusOr<std::unique_ptr<TrainerProcess>> Start(const TrainerOptions& options, boost::asio::io_context* loop,
                                                         Handlers handlers);
  // Ends the child: the socket closes, SIGTERM, two seconds, SIGKILL.  No handler is called any more.
  ~TrainerProcess();

  // Unavailable when the child is not connected (yet, or any more).
  Status Send(const wire::WorkerRequest& request);
  // SIGKILL; on_end follows and says `why`.
  void Kill(const std::string& why);
  pid_t pid() const { return child_.pid(); }

 private:
  class Channel;  // the socket and its reading thread
  TrainerProcess(const TrainerOptions& options, boost::asio::io_context* loop, Handlers handlers, Subprocess child,
                 std::uint64_t log_begin);
  void Watch();
  void OnGone();
  std::string HowItEnded(const ExitResult& result) const;

  TrainerOptions options_;
  Handlers handlers_;
  Subprocess child_;
  std::uint64_t log_begin_;
  std::shared_ptr<Channel> channel_;
  boost::asio::steady_timer watch_;
  Instant started_;
  std::optional<Instant> gone_since_;  // the socket is closed, the process not yet buried
  std::string killed_because_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // a turn of the strand that was due looks at it first
};

}  // namespace consilium::client
