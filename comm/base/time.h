// Time comes in through a Clock, so that machines and tests can be given another one.
#pragma once

#include <chrono>
#include <string>

#include "comm/base/status.h"

namespace consilium {

using Duration = std::chrono::nanoseconds;
// Monotonic; comparable only within one process (or one simulation).
using Instant = std::chrono::time_point<std::chrono::steady_clock, Duration>;

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant Now() const = 0;
  virtual std::chrono::system_clock::time_point WallNow() const = 0;
};

const Clock& SystemClock();

// Stands still until told to move.  Strand-bound.
class ManualClock final : public Clock {
 public:
  Instant Now() const override { return now_; }
  std::chrono::system_clock::time_point WallNow() const override {
    return std::chrono::system_clock::time_point(
        std::chrono::duration_cast<std::chrono::system_clock::duration>(now_.time_since_epoch()));
  }
  void Advance(Duration by) { now_ += by; }

 private:
  Instant now_{};
};

inline double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }
// "90s", "20m", "1h30m", "250ms", "0s"; a bare number is refused because its unit would be a guess.
StatusOr<Duration> ParseDuration(const std::string& text);
// "1h30m", "20m", "4.2s", "250ms".
std::string FormatDuration(Duration duration);
// Parses back to the same duration, to the millisecond: "5400s", "250ms".
std::string ExactDuration(Duration duration);
// 2026-11-21T10:48:14.123Z
std::string FormatUtc(std::chrono::system_clock::time_point when);

}  // namespace consilium
