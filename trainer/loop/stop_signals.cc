#include "trainer/loop/stop_signals.h"

#include <signal.h>

#include <array>
#include <cstddef>

namespace consilium::trainer {
namespace {

constexpr std::array<int, 3> kSignals = {SIGTERM, SIGINT, SIGUSR1};
volatile sig_atomic_t stop_requested = 0;
std::array<struct sigaction, kSignals.size()> before;

void OnSignal(int) { stop_requested = 1; }

}  // namespace

StopSignals::StopSignals() {
  stop_requested = 0;
  struct sigaction action {};
  action.sa_handler = OnSignal;
  // Once only: the second signal meets the default, for when the first one gets no answer.
  action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;
  for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &action, &before[i]);
}

StopSignals::~StopSignals() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &before[i], nullptr);
}

bool StopSignals::requested() const { return stop_requested != 0; }

}  // namespace consilium::trainer
