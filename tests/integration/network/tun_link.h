// A line between two network namespaces, of two TUN interfaces and a thread that carries the packets from one to the
// other as a slow line would: one after the other at the line's speed, each after the line's delay, some not at all.
// A queue that is longer than a second of the line loses what comes on top, as a router does.
#pragma once

#include <array>
#include <atomic>
#include <thread>

#include "tests/integration/network/link_options.h"
#include "tests/integration/network/network_namespace.h"

namespace consilium::testing {

class TunLink {
 public:
  struct End {
    std::shared_ptr<const NetworkNamespace> where;
    std::string address;
  };
  struct Options {
    std::string interface;
    End ends[2];
    LinkOptions line;
  };
  // Errors: what /dev/net/tun says.
  static StatusOr<std::unique_ptr<TunLink>> Create(const Options& options);
  ~TunLink();

  enum class Passing { kPackets, kNothing };
  void Pass(Passing passing) { passing_ = passing; }

 private:
  explicit TunLink(std::array<int, 2> interfaces) : interfaces_(interfaces) {}
  void Carry(const LinkOptions& line);

  const std::array<int, 2> interfaces_;
  int stop_ = -1;
  std::atomic<Passing> passing_ = Passing::kPackets;
  std::thread carrier_;
};

}  // namespace consilium::testing
