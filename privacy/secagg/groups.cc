#include "privacy/secagg/groups.h"

#include <algorithm>

#include "comm/base/bytes.h"
#include "comm/wire/secure_groups.h"
#include "privacy/secagg/permutation.h"

namespace consilium::secagg {
namespace {

Digest SeedOf(const Beacon& beacon, const Grouping& grouping, const JobId& job) {
  ByteWriter writer;
  writer.PutString("consilium secagg groups");
  writer.PutRaw(beacon.value.bytes);
  writer.Put(static_cast<std::uint32_t>(beacon.sites.size()));
  for (const SiteName& site : beacon.sites) writer.PutString(site.value());
  writer.PutString(job.value());
  writer.Put(grouping.groups);
  return Sha256Of(writer.bytes());
}

}  // namespace

StatusOr<std::vector<std::vector<SiteName>>> GroupsOf(const Beacon& beacon, const Grouping& grouping,
                                                      const JobId& job) {
  const std::size_t sites = beacon.sites.size();
  const auto out_of_order = [](const SiteName& a, const SiteName& b) { return !(a < b); };
  if (std::ranges::adjacent_find(beacon.sites, out_of_order) != beacon.sites.end())
    return InvalidArgument("the sites that drew the groups are not in name order, or one is among them twice");
  if (sites < grouping.sites_min)
    return InvalidArgument("the groups are drawn from ", sites, " sites; the job asks for at least ",
                           grouping.sites_min);
  if (const std::string why = wire::WhyNoGroups(static_cast<std::int64_t>(sites), grouping.groups, grouping.min_cohort);
      !why.empty())
    return InvalidArgument(why);
  const std::vector<std::size_t> order = RandomOrder(sites, SeedOf(beacon, grouping, job));
  std::vector<std::vector<SiteName>> groups(grouping.groups);
  for (std::size_t i = 0; i < sites; ++i) groups[i % grouping.groups].push_back(beacon.sites[order[i]]);
  for (std::vector<SiteName>& group : groups) std::ranges::sort(group);
  return groups;
}

GroupBounds BoundsOf(const Beacon& beacon, const Grouping& grouping, std::size_t members) {
  const auto corrupt = static_cast<std::uint32_t>(members / 2);
  const std::int64_t floor = wire::GroupFloor(static_cast<std::int64_t>(beacon.sites.size()), grouping.min_cohort);
  return {corrupt, std::max(static_cast<std::uint32_t>(floor), corrupt + 2)};
}

}  // namespace consilium::secagg
