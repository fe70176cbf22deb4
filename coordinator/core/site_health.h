// How a site has fared, as the journal tells it: who is flaky is given a rest, and status shows why.
#pragma once

#include <cstdint>
#include <string>

#include "comm/base/ids.h"

namespace consilium::coordinator {

struct SiteHealth {
  std::uint32_t contributed = 0;      // rounds (mode async: updates)
  std::uint32_t missed = 0;           // rounds that closed at their deadline without its answer
  std::uint32_t failed = 0;           // tasks
  std::uint32_t outpaced = 0;         // rounds that closed because enough others had replied; no blame
  std::uint32_t failures_in_row = 0;  // rounds missed or failed since the last contribution
  Round rests_until{};                // it is passed over in rounds before this one
  double seconds_mean = 0;            // from task to update, over `contributed`
  std::uint64_t bytes = 0;            // of all its updates
  std::string last_failure;           // the site's words, or "missed its deadline"

  void Contributed(double seconds, std::uint64_t update_bytes);
  void Missed(Round round);
  void Failed(Round round, const std::string& message);
  void Outpaced() { ++outpaced; }
  bool Rests(Round round) const { return round < rests_until; }
  friend bool operator==(const SiteHealth&, const SiteHealth&) = default;

 private:
  void RestAfter(Round round);
};

}  // namespace consilium::coordinator
