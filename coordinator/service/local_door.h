// A door for the coordinator's own machine: STATE/control.sock, for who may use the state folder and nobody else.
//
// One line of JSON in, one out: {"error": {"code", "message"}} or what was asked for.
#pragma once

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <functional>
#include <memory>

#include "comm/base/json.h"
#include "comm/base/time.h"

namespace consilium::coordinator {

// Strand-bound.
class LocalDoor {
 public:
  // Called on the loop's thread.
  using Answer = std::function<StatusOr<Json>(const Json& request)>;
  static StatusOr<std::unique_ptr<LocalDoor>> Open(const std::filesystem::path& state, boost::asio::io_context* loop,
                                                   Answer answer);
  ~LocalDoor();

 private:
  struct Impl;
  explicit LocalDoor(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Asks the coordinator that works in `state`.  Blocking.  Errors: Unavailable when none does; DeadlineExceeded; its
// own.
StatusOr<Json> AskLocally(const std::filesystem::path& state, const Json& request, Duration timeout);

}  // namespace consilium::coordinator
