#include "coordinator/core/cohort.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "comm/base/digest.h"

namespace consilium::coordinator {

Cohort SelectCohort(const CohortOptions& options, const std::vector<SiteName>& eligible) {
  const std::size_t count = eligible.size();
  // 0.1 * 30 is a little more than 3 in f64 and must not become 4.
  const auto share = static_cast<std::size_t>(std::ceil(options.fraction * static_cast<double>(count) - 1e-9));
  Cohort cohort{.sites = {}, .target = std::min(std::max(share, options.sites_min), count)};
  const std::size_t asked = std::min(cohort.target + options.over_select, count);
  if (asked == count) {
    cohort.sites = eligible;
    return cohort;
  }
  std::vector<std::pair<Digest, SiteName>> draw;
  for (const SiteName& site : eligible)
    draw.emplace_back(Sha256Of(Concat("cohort/", options.seed, "/", options.round, "/", site)), site);
  std::sort(draw.begin(), draw.end(), [](const auto& a, const auto& b) { return a.first.bytes < b.first.bytes; });
  for (std::size_t i = 0; i < asked; ++i) cohort.sites.push_back(draw[i].second);
  std::sort(cohort.sites.begin(), cohort.sites.end());
  return cohort;
}

std::vector<SiteName> WithoutResting(const std::vector<SiteName>& sites, std::size_t sites_min,
                                     const std::function<bool(const SiteName&)>& rests) {
  std::vector<SiteName> fresh;
  std::copy_if(sites.begin(), sites.end(), std::back_inserter(fresh),
               [&](const SiteName& site) { return !rests(site); });
  return fresh.size() < sites_min ? sites : fresh;
}

}  // namespace consilium::coordinator
