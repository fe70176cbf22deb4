// Is a job with privacy.sites worth beginning?  What can be known once its model and its sites are.
#pragma once

#include <filesystem>

#include "coordinator/service/submission.h"

namespace consilium::coordinator {

// `model`: the one that round 0 starts from.  Errors: InvalidArgument when the noise would drown everything
// (private_sum::CheckUse), or no noise is enough; those of reading the model.
Status CheckSiteNoise(const Submission& submission, const std::filesystem::path& model);

}  // namespace consilium::coordinator
