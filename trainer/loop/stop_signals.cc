#include "trainer/loop/stop_signals.h"

#include <signal.h>
#include <time.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace consilium::trainer {
namespace {

constexpr std::array<int, 3> kSignals = {SIGTERM, SIGINT, SIGUSR1};
constexpr std::int64_t kImpatienceNanoseconds = 1'000'000'000;

// When the first request came, on the monotonic clock; 0: not yet.  Lock-free, so that a handler may touch it.
std::atomic<std::int64_t> requested_at{0};
static_assert(std::atomic<std::int64_t>::is_always_lock_free);
std::array<struct sigaction, kSignals.size()> before;

std::int64_t Now() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * std::int64_t{1'000'000'000} + time.tv_nsec;
}

void OnSignal(int number) {
  const std::int64_t now = Now();
  std::int64_t first = 0;
  if (requested_at.compare_exchange_strong(first, now)) return;
  if (number != SIGINT || now - first < kImpatienceNanoseconds) return;
  ::signal(SIGINT, SIG_DFL);
  ::raise(SIGINT);
}

}  // namespace

StopSignals::StopSignals() {
  requested_at = 0;
  struct sigaction action {};
  action.sa_handler = OnSignal;
  action.sa_flags = SA_RESTART;
  for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &action, &before[i]);
}

StopSignals::~StopSignals() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &before[i], nullptr);
}

bool StopSignals::requested() const { return requested_at != 0; }

}  // namespace consilium::trainer
