// Who is summed with whom, where sites are summed in groups so that the groups' means can be compared.
//
// A coordinator that chose the groups would put one honest site among its colluders, and subtract them.  So the groups
// are a function of the beacon (beacon.h), which no party chose alone, and every site computes its own.
//
// J. So et al., "Securing secure aggregation: mitigating multi-round privacy leakage in federated learning", AAAI 2023:
// where updates change slowly, sums over other sites in every round are equations that can be solved for single sites;
// sums over the same batches of sites, round after round, are not.  And every new draw is a new chance to be among
// liars. So the groups of a job never change.
#pragma once

#include <cstdint>
#include <vector>

#include "comm/base/ids.h"
#include "comm/base/status.h"
#include "privacy/secagg/beacon.h"

namespace consilium::secagg {

struct Grouping {
  std::uint32_t groups = 0;      // wire/secure_groups.h has the bounds
  std::uint32_t sites_min = 0;   // the job's: a beacon of fewer sites draws no groups
  std::uint32_t min_cohort = 3;  // the job's
  friend bool operator==(const Grouping&, const Grouping&) = default;
};

// The sites of each group in name order; every site of the beacon is in exactly one, and no two groups differ by more
// than one site.  The order is drawn from SHA-256 over the beacon and the job.  Errors: InvalidArgument when the
// beacon's sites are not in name order, fewer than sites_min or cannot be grouped (says why).
StatusOr<std::vector<std::vector<SiteName>>> GroupsOf(const Beacon& beacon, const Grouping& grouping, const JobId& job);

// Of every sum of sites of one group.
struct GroupBounds {
  // So many of the group are taken to collude with the coordinator: half of all its members, whoever takes part.  A
  // group is a small draw and may have more liars than its share, and a coordinator may say that honest ones are away.
  std::uint32_t corrupt = 0;
  // Fewer are not summed: wire::GroupFloor, and two beside the corrupt ones, so that at least two honest sites are in.
  std::uint32_t survivors_min = 0;
};
GroupBounds BoundsOf(const Beacon& beacon, const Grouping& grouping, std::size_t members);

}  // namespace consilium::secagg
