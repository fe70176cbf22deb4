#include "coordinator/core/federation_planner.h"

#include <optional>

#include "comm/wire/apply_plan.h"
#include "datasets/planner/federated_plan.h"

namespace consilium::coordinator {
namespace {

static_assert(kStatementBytesMax == datasets::kStatisticsBytesMax);

// Whatever is wrong with the statements or the plan, another try gives the same.
Status CannotPlan(const Status& status) {
  return FailedPrecondition("the sites' statistics give no plan: ", status.message());
}

}  // namespace

Status CheckStatistics(ByteSpan statistics) {
  const StatusOr<datasets::SiteStatistics> read = datasets::DecodeStatistics(statistics);
  return read.ok() ? Status() : DataLoss("these are no statistics: ", read.status().message());
}

StatusOr<PlannedJob> PlanFederation(const std::string& job_json, const std::vector<SiteStatement>& statements) {
  std::optional<datasets::SiteStatistics> sum;
  for (const SiteStatement& statement : statements) {
    StatusOr<datasets::SiteStatistics> one = datasets::DecodeStatistics(statement.statistics);
    if (!one.ok()) return CannotPlan(Annotate(one.status(), statement.site));
    if (!sum) {
      sum = *std::move(one);
    } else if (const Status merged = datasets::Merge(*one, &*sum); !merged.ok()) {
      return CannotPlan(Annotate(merged, statement.site, " beside ", statements.front().site));
    }
  }
  if (!sum) return FailedPrecondition("no site sent statistics");
  ASSIGN_OR_RETURN(const ConfigNode root, ConfigNode::Parse(job_json, "job"));
  ASSIGN_OR_RETURN(const wire::JobSpec job, wire::ParseJob(root));
  const StatusOr<Json> plans = datasets::PlanFromStatistics(*sum, job.data.dataset);
  if (!plans.ok()) return CannotPlan(plans.status());
  const StatusOr<wire::JobSpec> planned = wire::ApplyPlan(job, *plans, "the plan");
  if (!planned.ok()) return CannotPlan(planned.status());
  return PlannedJob{.job_json = wire::JobToJson(*planned).dump(),
                    .plans = nlohmann::json(*plans).dump(),
                    .cases = sum->cases,
                    .cases_min = sum->cases_min};
}

}  // namespace consilium::coordinator
