#include "comm/wire/capability.h"

#include "comm/base/status.h"
#include "comm/wire/job.h"

namespace consilium::wire {

std::set<std::string> FeaturesOfThisBuild() { return {"async", "auxiliary", "validate"}; }

std::set<std::string> FeaturesNeeded(const JobSpec& job) {
  std::set<std::string> needed;
  if (!job.has_federation) return needed;
  return needed;
}

std::string WhyUnfit(const Capability& site, const std::set<std::string>& needed) {
  std::string lacking;
  for (const std::string& feature : needed)
    if (!site.features.contains(feature)) lacking += (lacking.empty() ? "" : ", ") + feature;
  if (lacking.empty()) return "";
  return Concat("its software", site.trainer.empty() ? "" : " (" + site.trainer + ")", " lacks ", lacking);
}

}  // namespace consilium::wire
