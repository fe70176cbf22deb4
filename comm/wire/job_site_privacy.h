// The job file's privacy.sites, and its JSON wherever it is kept.
#pragma once

#include "comm/wire/job.h"

namespace consilium::wire {

// `sites: {epsilon: 8, delta: 1e-5, clip: 1, adaptive_clip: true}`.
void ReadSitePrivacy(ConfigReader& privacy, SitePrivacySpec* sites);
// What only the whole job can tell: everything that would release more than the noisy mean is refused with the reason.
// Sets equal weights.  After everything else was resolved.
Status ResolveSitePrivacy(const ConfigNode& root, JobSpec* job);
// What the job file says, defaults included; read back by SitePrivacyFromJson.
Json SitePrivacyToJson(const SitePrivacySpec& sites);
// Of bytes that this program wrote.  Throws Json::exception when they are something else.
SitePrivacySpec SitePrivacyFromJson(const Json& json);

}  // namespace consilium::wire
