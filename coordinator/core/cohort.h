// Who is asked in a round: a pure function of the job's seed, the round and who is there.
//
// Over-selection follows Bonawitz et al., "Towards Federated Learning at Scale", MLSys 2019, section 2.2: more are
// asked than are wanted, and the round ends with the first ones.
#pragma once

#include <functional>
#include <vector>

#include "comm/base/ids.h"

namespace consilium::coordinator {

struct CohortOptions {
  std::uint64_t seed = 1;
  Round round{};
  std::size_t sites_min = 1;
  double fraction = 1;          // in (0, 1]
  std::size_t over_select = 0;  // asked beyond the fraction
};

struct Cohort {
  std::vector<SiteName> sites;  // in name order
  std::size_t target = 0;       // so many updates make the round
};

// Of n `eligible` sites (in name order, each once), ceil(fraction * n) are wanted, at least sites_min, and over_select
// more are asked, as far as there are any.  Each site's place in the draw depends on seed, round and its own name
// alone, so that one site more or less changes the cohort by one.
Cohort SelectCohort(const CohortOptions& options, const std::vector<SiteName>& eligible);

// `sites` without those who `rests`; but when fewer than `sites_min` would be left, all of them.  Keeps the order.
std::vector<SiteName> WithoutResting(const std::vector<SiteName>& sites, std::size_t sites_min,
                                     const std::function<bool(const SiteName&)>& rests);

}  // namespace consilium::coordinator
