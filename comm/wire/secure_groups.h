// Group secure aggregation: the sites are summed in groups, and a rule that compares updates compares the groups'
// means. Here are the numbers that job file, sites and coordinator share; who is in which group is drawn in
// privacy/secagg/groups.h.
#pragma once

#include <cstdint>
#include <string>

#include "comm/wire/strategy.h"

namespace consilium::wire {

inline constexpr std::int64_t kGroupedSitesMin = 24;  // fewer make no groups that hide a site and can be compared
inline constexpr std::int64_t kGroupsMin = 3;         // the median of two is their mean
inline constexpr std::int64_t kGroupsMax = 8;         // so every group has at least an eighth of the sites
inline constexpr std::int64_t kGroupSitesMin = 5;     // of a group's sum
inline constexpr std::int64_t kGroupSitesMax = 64;    // everybody shares masks with everybody of the group

// The fewest sites whose sum may be released when so many have drawn the groups: 5, the job's min_cohort, or an eighth
// of the sites (rounded down), whichever is most.
std::int64_t GroupFloor(std::int64_t sites, std::int64_t min_cohort);

// "" when so many sites can be put into near-equal groups, else why not and how to mend it.
std::string WhyNoGroups(std::int64_t sites, std::int64_t groups, std::int64_t min_cohort);

// Does the strategy look at single updates, so that it needs groups when they are secret?  (Others work from the sum of
// all, and groups would tell the coordinator more for nothing.)
bool ComparesUpdates(const StrategySpec& spec);
// The fewest group means that such a strategy is given.  Krum's theorem is asked for here: groups cost sites nothing.
UpdatesNeeded GroupsNeededBy(const StrategySpec& spec, const StrategyParameters& parameters);

}  // namespace consilium::wire
