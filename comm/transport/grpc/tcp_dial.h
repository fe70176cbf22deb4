// A TCP connection with a deadline, and each way it can fail in words.
#pragma once

#include <string>

#include "comm/base/time.h"

namespace consilium::transport {

// Owns a socket.  Move-only.
class Socket {
 public:
  explicit Socket(int descriptor) : descriptor_(descriptor) {}
  Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Socket& operator=(Socket&&) = delete;
  ~Socket();
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

// Non-blocking when returned.  Tries each address of `host` in turn.  Errors: Unavailable.
StatusOr<Socket> DialTcp(const std::string& host, int port, Instant deadline);
// False at the deadline.  `events` as for poll(2).
bool WaitFor(const Socket& socket, short events, Instant deadline);

// Whether `address`:`port` can be listened on, in words; gRPC only says that it could not.  Port 0 always can.
Status CheckPortIsFree(const std::string& address, int port);

}  // namespace consilium::transport
