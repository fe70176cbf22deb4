// One plan from what the sites say of their data: the pure part of a job that begins without a network
// (model.architecture: plan without model.plans).
#pragma once

#include <string>
#include <vector>

#include "comm/base/bytes.h"
#include "comm/base/status.h"
#include "comm/wire/messages.h"

namespace consilium::coordinator {

inline constexpr std::size_t kStatementBytesMax = std::size_t{4} << 20;  // a few 10 kB are usual

// What one site said: datasets::EncodeStatistics.
struct SiteStatement {
  SiteName site;
  Bytes statistics;
};

struct PlannedJob {
  std::string job_json;  // resolved (wire/job.h): every site's from now on
  std::string plans;     // nnUNetPlans.json with its keys sorted: its SHA-256 is the plan's digest
  std::uint64_t cases = 0;
  std::uint32_t cases_min = 0;  // the fewest cases that any of the statements speaks of
};

// Are these bytes a statement that can be merged?  Errors: DataLoss.
Status CheckStatistics(ByteSpan statistics);

// The same plan whatever the order of `statements`, and what the plan says is put into the job where the job does not
// say it itself.  Errors: FailedPrecondition naming the site or the key: sites whose channels or labels differ, data
// that no network can be planned for, a plan that does not fit what the job fixes.
StatusOr<PlannedJob> PlanFederation(const std::string& job_json, const std::vector<SiteStatement>& statements);

}  // namespace consilium::coordinator
