// Lets a few events a second through, and counts the others: a client that tries again and again must not fill the
// disk.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "comm/base/time.h"

namespace consilium::transport {

// Thread-safe.
class LogLimiter {
 public:
  // `clock` outlives it.
  explicit LogLimiter(int events_per_second_max, const Clock& clock = SystemClock());

  // Whether to log an event of this kind now; *suppressed is how many of the kind were not, since the last that was.
  // Kinds are counted apart, so that one that floods does not hide another; after the first 64 of them, the rest
  // together.
  bool Admit(const std::string& kind, std::uint64_t* suppressed);

 private:
  struct Window {
    Instant begin{};
    int admitted = 0;
    std::uint64_t suppressed = 0;
  };
  const int events_per_second_max_;
  const Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, Window> windows_;
};

}  // namespace consilium::transport
