// A TCP relay in front of the coordinator, to cut connections at a chosen byte.
#pragma once

#include <atomic>
#include <thread>

#include "comm/transport/grpc/tcp_dial.h"

namespace consilium::transport::testing {

// Serves one connection at a time, on loopback.
class Relay {
 public:
  explicit Relay(int target_port);
  ~Relay();
  int port() const { return port_; }
  // The next connection is cut when it has carried so many bytes, both ways together.
  void CutAfter(std::uint64_t bytes) { cut_after_ = bytes; }

 private:
  void Run();
  void Carry(const Socket& near, const Socket& far);
  const int target_port_;
  int listener_ = -1, port_ = 0;
  std::atomic<std::uint64_t> cut_after_{~std::uint64_t{0}};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace consilium::transport::testing
