// The job file's federation.secure_aggregation.  Internal to comm/wire.
#pragma once

#include "comm/wire/job.h"

namespace consilium::wire {

// `secure_aggregation: {enabled: true, min_cohort: 3}`.
void ReadSecure(ConfigReader& federation, SecureSpec* secure);
// What only the whole job can tell: secure aggregation goes with mode secure, and what needs to look at single updates
// is refused with the reason.
Status ResolveSecure(const ConfigNode& root, JobSpec* job);
Json SecureToJson(const SecureSpec& secure);

}  // namespace consilium::wire
