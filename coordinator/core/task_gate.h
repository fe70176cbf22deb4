// Whether a site's answer to a task counts, and why not.
#pragma once

#include <string>

#include "coordinator/core/job_state.h"

namespace consilium::coordinator {

struct Verdict {
  wire::DropReason reason = wire::DropReason::kNone;
  std::string detail;  // for people; "" when it counts
  bool counts() const { return reason == wire::DropReason::kNone; }
};

// Total: any site, any key, any state.  kNone exactly when `site` is in the open cohort and `task` is the work that it
// has in hand.
Verdict JudgeAnswer(const JobState& state, const SiteName& site, const wire::TaskKey& task);

}  // namespace consilium::coordinator
