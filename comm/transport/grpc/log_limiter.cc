#include "comm/transport/grpc/log_limiter.h"

#include <utility>

namespace consilium::transport {
namespace {

constexpr std::size_t kKindsMax = 64;

}  // namespace

LogLimiter::LogLimiter(int events_per_second_max, const Clock& clock)
    : events_per_second_max_(events_per_second_max), clock_(clock) {}

bool LogLimiter::Admit(const std::string& kind, std::uint64_t* suppressed) {
  const std::lock_guard lock(mutex_);
  Window& window = windows_[windows_.size() < kKindsMax || windows_.contains(kind) ? kind : std::string()];
  const Instant now = clock_.Now();
  if (window.admitted == 0 || now - window.begin >= std::chrono::seconds(1)) {
    window.begin = now;
    window.admitted = 0;
  }
  if (window.admitted >= events_per_second_max_) {
    ++window.suppressed;
    return false;
  }
  ++window.admitted;
  *suppressed = std::exchange(window.suppressed, 0);
  return true;
}

}  // namespace consilium::transport
