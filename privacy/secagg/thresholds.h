// How many sites must answer for a secure sum, and how many may lie.
#pragma once

#include <cstddef>

#include "comm/base/status.h"

namespace consilium::secagg {

// Everybody shares with everybody.  A lying coordinator that shows two halves of the honest sites different worlds
// needs `threshold` shares from each: impossible when 2 threshold > sites + corrupt (K. Bonawitz et al., CCS 2017,
// section 6.2).
struct CompleteThreshold {
  std::size_t threshold = 0;      // t = floor((sites + corrupt) / 2) + 1
  std::size_t drops_allowed = 0;  // sites - t
};
// Errors: InvalidArgument unless 3 <= sites and corrupt < sites.
StatusOr<CompleteThreshold> ThresholdFor(std::size_t sites, std::size_t corrupt);
// floor(sites / 3): how many liars beside the coordinator are assumed when nobody says otherwise.
std::size_t DefaultCorrupt(std::size_t sites);

}  // namespace consilium::secagg
