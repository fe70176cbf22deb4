// Watches a journal for what must never happen, whatever the sites, the network and kills do: an update that counts
// twice or is lost, a round of fewer than the minimum.
#pragma once

#include <map>
#include <set>
#include <utility>

#include "coordinator/core/federation_plan.h"
#include "coordinator/core/machine_io.h"

namespace consilium::coordinator {

class RoundAudit {
 public:
  // In journal order.  Fails the test that is running.
  void Take(const Record& record);
  // What is folded is exactly what was accepted for the round that is closed.
  void Take(const FoldRound& fold) const;
  std::size_t updates_used() const { return used_; }

 private:
  using Update = std::pair<SiteName, wire::TaskKey>;
  FederationPlan plan_;
  bool preparing_ = false;
  std::set<Update> open_;        // accepted, in no published model yet
  std::set<SiteName> unmasked_;  // of the sum in hand
  std::set<Update> spent_;
  std::size_t used_ = 0;
};

}  // namespace consilium::coordinator
