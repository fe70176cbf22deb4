// What a line between two networks is like.
#pragma once

#include <string>

#include "comm/base/time.h"

namespace consilium::testing {

struct LinkOptions {
  double bits_per_second = 10e6;
  Duration delay = std::chrono::milliseconds(150);  // one way
  double loss = 0.05;                               // of the packets of each direction
  std::string congestion = "";                      // TCP's, at both ends: "cubic"; "": the machine's
  std::uint64_t seed = 1;                           // of the losses, where this process makes them
};

std::string ToString(const LinkOptions& options);  // "10 Mbit/s, 300 ms round trip, ..."

}  // namespace consilium::testing
