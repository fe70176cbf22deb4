// What the demo breaks on purpose, to show that it does not matter: the coordinator is killed in the middle of a round,
// later a hospital's client, each with SIGKILL.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "comm/base/json.h"

namespace consilium::demo {

struct Fault {
  std::int64_t round = 0;  // from 0
  std::string victim;      // a process of the federation
  std::string story;       // what to say when it happens
};

// Strand-bound.
class FaultPlan {
 public:
  FaultPlan() = default;  // nothing breaks
  // With at least 3 rounds: the coordinator dies once the first update of a round is in, and `site`'s client some
  // rounds later while it trains.  With fewer rounds nothing breaks.
  static FaultPlan For(std::int64_t rounds, const std::string& coordinator, const std::string& site);

  // The fault that is due now that this event was seen; each comes once.
  std::optional<Fault> Due(const Json& event);
  // Those that happened, in order.
  const std::vector<Fault>& happened() const { return happened_; }

 private:
  std::vector<Fault> planned_, happened_;
};

}  // namespace consilium::demo
