// Randomness that no party chose alone: it draws the graph of a sum of many sites (neighbours.h) and the groups of
// group secure aggregation.
//
// Commit, then reveal, once for each job: every site signs a commitment to a nonce of its own; a site says its nonce
// only when it has seen everybody's commitment; the beacon is a hash over all nonces.  One honest nonce makes it
// unpredictable.  All who have committed have to reveal: whoever could drop out after seeing the other nonces could
// choose among several beacons, so a try that lacks one nonce is thrown away, and a site takes part in few tries for a
// job.
#pragma once

#include <vector>

#include "comm/base/digest.h"
#include "comm/base/ids.h"

namespace consilium::secagg {

struct Beacon {
  std::vector<SiteName> sites;  // whose nonces are in it, in name order
  Digest value;
  friend bool operator==(const Beacon&, const Beacon&) = default;
};

}  // namespace consilium::secagg
