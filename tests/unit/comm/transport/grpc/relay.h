// A TCP relay in front of the coordinator, to cut the line at a chosen byte.
#pragma once

#include <atomic>
#include <thread>
#include <vector>

#include "comm/transport/grpc/tcp_dial.h"

namespace consilium::transport::testing {

// Serves several connections at a time, on loopback.
class Relay {
 public:
  explicit Relay(int target_port);
  ~Relay();
  int port() const { return port_; }
  // The line is cut, with all that is connected, when one of the next connections has carried so many bytes, both ways
  // together; who connects after that passes again, as many bytes.
  void CutAfter(std::uint64_t bytes) { cut_after_ = bytes; }

 private:
  void Run();
  void Carry(const Socket& near, const Socket& far);
  const int target_port_;
  int listener_ = -1, port_ = 0;
  std::atomic<std::uint64_t> cut_after_{~std::uint64_t{0}};
  std::atomic<std::uint64_t> cuts_{0};
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> carriers_;  // of the thread below
  std::thread thread_;
};

}  // namespace consilium::transport::testing
