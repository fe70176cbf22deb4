// The job file's privacy section.  Internal to comm/wire.
#pragma once

#include "comm/wire/job.h"

namespace consilium::wire {

// `privacy: {records: {epsilon: 8, delta: 1e-5, clip: 1}, sites: {...}}`.
void ReadPrivacy(ConfigReader& root, JobSpec* job);
// The keys that records and sites have alike; `epsilon` must be there.
void ReadBudget(ConfigReader& reader, double* epsilon, double* delta, double* noise_multiplier);
// What only the whole job can tell: what would show more of a case than its noised gradient, or of a site than the
// noisy mean, is refused with the reason.
// After everything else was resolved.
Status ResolvePrivacy(const ConfigNode& root, JobSpec* job);
// An empty object without any.
Json PrivacyToJson(const JobSpec& job);

}  // namespace consilium::wire
