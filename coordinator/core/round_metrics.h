// metrics.jsonl as a view of the journal: one line a round, the same whether it is made live or from a restored
// journal.
#pragma once

#include <map>
#include <optional>

#include "comm/base/json.h"
#include "coordinator/core/records.h"

namespace consilium::coordinator {

// Strand-bound.
class RoundMetrics {
 public:
  // Feed every record in journal order; a line comes when a round's model is published.
  // {"round", "contributors", "missing", "closed", "weight", "model", "parameters", "mean": {...}, "sites": {name:
  // {"weight", "bytes", "seconds", "metrics"}}, "strategy": {...}} "mean" weighs each metric by the sites' weights over
  // the sites that report it; "strategy" is what the strategy noted, absent when nothing.  Of a secure sum "weight" and
  // "mean" come out of the sum, and of a site only bytes and seconds are known; under privacy.sites there is no "mean",
  // where sites are summed in groups, "groups" has what each group's sum says, or why there is none; and "privacy"
  // tells what the rounds have cost so far, the clip, and the share of the sites below it.
  std::optional<Json> Apply(const Record& record);

 private:
  std::map<std::pair<SiteName, wire::TaskKey>, UpdateAccepted> updates_;
  std::map<SiteName, MaskedVector> masked_, unmasking_;  // in sums of the round; in the one in hand
  RoundClosed closed_;
};

}  // namespace consilium::coordinator
