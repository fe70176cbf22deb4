// The job file's privacy section.  Internal to comm/wire.
#pragma once

#include "comm/wire/job.h"

namespace consilium::wire {

// `privacy: {records: {epsilon: 8, delta: 1e-5, clip: 1}}`.
void ReadPrivacy(ConfigReader& root, RecordPrivacySpec* records);
// What only the whole job can tell: what would show more of a case than its noised gradient is refused with the reason.
// After everything else was resolved.
Status ResolvePrivacy(const ConfigNode& root, const JobSpec& job);
Json PrivacyToJson(const RecordPrivacySpec& records);

}  // namespace consilium::wire
