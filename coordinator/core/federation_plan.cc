#include "coordinator/core/federation_plan.h"

#include "comm/wire/apply_plan.h"
#include "comm/wire/capability.h"

namespace consilium::coordinator {
namespace {

constexpr std::int64_t kRoundsMax = 1'000'000;

RoundMode ModeOf(wire::RoundMode mode) {
  switch (mode) {
    case wire::RoundMode::kWait:
      return RoundMode::kWait;
    case wire::RoundMode::kAsync:
      return RoundMode::kAsync;
    case wire::RoundMode::kSecure:
      return RoundMode::kSecure;
    case wire::RoundMode::kClose:
      break;
  }
  return RoundMode::kClose;
}

}  // namespace

std::string_view RoundModeName(RoundMode mode) {
  static constexpr std::string_view kNames[] = {"close", "wait", "async", "secure"};
  return kNames[static_cast<std::size_t>(mode)];
}

StatusOr<FederationPlan> PlanOf(const std::string& job_json) {
  ASSIGN_OR_RETURN(const ConfigNode root, ConfigNode::Parse(job_json, "job"));
  ASSIGN_OR_RETURN(const wire::JobSpec job, wire::ParseJob(root));
  if (!job.has_federation)
    return InvalidArgument("job '", job.name, "' has no 'federation' part; add one, e.g. federation: {rounds: 10}");
  const wire::FederationSpec& federation = job.federation;
  if (federation.rounds > kRoundsMax)
    return InvalidArgument("federation.rounds is ", federation.rounds, "; at most ", kRoundsMax, " are possible");
  FederationPlan plan{.rounds = Round(static_cast<std::uint32_t>(federation.rounds)),
                      .mode = ModeOf(federation.mode),
                      .sites_min = static_cast<std::size_t>(federation.sites_min),
                      .round_deadline = federation.round_deadline,
                      .weighting = federation.weighting == "equal" ? Weighting::kEqual : Weighting::kExamples,
                      .seed = static_cast<std::uint64_t>(job.train.seed),
                      .fraction = federation.sites_fraction,
                      .over_select = static_cast<std::size_t>(federation.sites_over_select),
                      .enough = static_cast<std::size_t>(federation.sites_enough),
                      .evaluate_every = static_cast<std::uint32_t>(federation.evaluate_every),
                      .evaluate_heldout = federation.evaluate_on == wire::EvaluateOn::kHeldout,
                      .metric = federation.evaluate_metric,
                      .patience = static_cast<std::uint32_t>(federation.early_stop_patience),
                      .min_delta = federation.early_stop_min_delta,
                      .cross_site = federation.cross_site,
                      .plans = wire::NeedsPlan(job),
                      .min_cohort = static_cast<std::uint32_t>(federation.secure.min_cohort),
                      .clip = federation.secure.clip,
                      .secure = federation.secure,
                      .site_privacy = job.site_privacy,
                      .features = wire::FeaturesNeeded(job)};
  if (plan.mode == RoundMode::kAsync) {
    plan.buffer = static_cast<std::size_t>(wire::ParameterOf(federation, "buffer"));
    if (plan.buffer == 0) plan.buffer = plan.sites_min;
    plan.staleness_max = static_cast<std::uint32_t>(wire::ParameterOf(federation, "staleness_max"));
  }
  return plan;
}

}  // namespace consilium::coordinator
