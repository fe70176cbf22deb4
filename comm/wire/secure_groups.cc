#include "comm/wire/secure_groups.h"

#include <algorithm>

#include "comm/base/status.h"

namespace consilium::wire {

std::int64_t GroupFloor(std::int64_t sites, std::int64_t min_cohort) {
  return std::max({kGroupSitesMin, min_cohort, sites / kGroupsMax});
}

std::string WhyNoGroups(std::int64_t sites, std::int64_t groups, std::int64_t min_cohort) {
  if (groups < kGroupsMin || groups > kGroupsMax)
    return Concat(groups, " groups; ", kGroupsMin, " to ", kGroupsMax, " are possible");
  if (sites < kGroupedSitesMin)
    return Concat("groups need at least ", kGroupedSitesMin, " sites, found ", sites,
                  ": fewer make no groups that hide a site and can be compared");
  const std::int64_t least = sites / groups, most = (sites + groups - 1) / groups,
                     floor = GroupFloor(sites, min_cohort);
  if (least < floor)
    return Concat(sites, " sites in ", groups, " groups make groups of ", least, "; at least ", floor,
                  " sites are to be in a sum: take at least ", floor * groups, " sites",
                  sites / floor < kGroupsMin ? std::string() : Concat(", or at most ", sites / floor, " groups"));
  if (most > kGroupSitesMax)
    return Concat(sites, " sites in ", groups, " groups make groups of ", most, "; at most ", kGroupSitesMax,
                  " are possible: take more groups");
  return "";
}

bool ComparesUpdates(const StrategySpec& spec) {
  static constexpr std::string_view kThese[] = {"median", "trimmed_mean",     "krum",         "multi_krum",
                                                "bulyan", "geometric_median", "norm_clipping"};
  return std::ranges::find(kThese, spec.name) != std::end(kThese);
}

UpdatesNeeded GroupsNeededBy(const StrategySpec& spec, const StrategyParameters& parameters) {
  UpdatesNeeded needed = UpdatesNeededBy(spec, parameters);
  if (spec.name == "krum" || spec.name == "multi_krum") {
    const auto byzantine = static_cast<std::size_t>(parameters.at("byzantine"));
    const UpdatesNeeded theorem{2 * byzantine + 3, Concat("2f + 3 with byzantine: ", byzantine)};
    if (needed.count < theorem.count) needed = theorem;
  }
  const auto least = static_cast<std::size_t>(kGroupsMin);
  return needed.count < least ? UpdatesNeeded{least, "the middle one of fewer is a mean"} : needed;
}

}  // namespace consilium::wire
