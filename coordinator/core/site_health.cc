#include "coordinator/core/site_health.h"

#include <algorithm>

namespace consilium::coordinator {
namespace {

// One bad round happens to everybody; from the second in a row on, a site rests for 1, 2, 4 and then 8 rounds, so that
// one that is gone for days costs the others one deadline in nine.
constexpr std::uint32_t kFlakyAfter = 2;
constexpr std::uint32_t kRestDoublingsMax = 3;

}  // namespace

void SiteHealth::Contributed(double seconds, std::uint64_t update_bytes) {
  ++contributed;
  seconds_mean += (seconds - seconds_mean) / contributed;
  bytes += update_bytes;
  failures_in_row = 0;
  rests_until = Round{};
}

void SiteHealth::Missed(Round round) {
  ++missed;
  last_failure = "it missed a deadline";
  RestAfter(round);
}

void SiteHealth::Failed(Round round, const std::string& message) {
  ++failed;
  last_failure = message;
  RestAfter(round);
}

void SiteHealth::RestAfter(Round round) {
  ++failures_in_row;
  std::uint32_t rounds = 0;
  if (failures_in_row >= kFlakyAfter) rounds = 1u << std::min(failures_in_row - kFlakyAfter, kRestDoublingsMax);
  rests_until = Round(ToInt(round) + 1 + rounds);
}

}  // namespace consilium::coordinator
