#include "privacy/policy/judge.h"

#include <algorithm>
#include <cmath>

#include "comm/wire/job.h"

namespace consilium::policy {
namespace {

std::string Listed(const std::vector<std::string>& names) {
  if (names.empty()) return "nothing";
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// The number at a key of the job, if it is there.
std::optional<double> NumberAt(const Json& json, const char* key) {
  if (!json.is_object() || !json.contains(key) || !json[key].is_number()) return std::nullopt;
  return json[key].get<double>();
}

std::optional<Refusal> JudgeNames(const SitePolicy& policy, const Question& question) {
  const JobFacts& job = question.job;
  if (!MatchesAny(policy.coordinators, question.coordinator))
    return Refusal{RefusalCode::kCoordinatorNotAllowed,
                   Concat("'", question.coordinator, "' may not lead here; the policy ", "allows ",
                          Listed(policy.coordinators), " (coordinators)")};
  if (!MatchesAny(policy.jobs, job.name))
    return Refusal{RefusalCode::kJobNotAllowed,
                   Concat("the job '", job.name, "' is not among ", Listed(policy.jobs), " (jobs.names)")};
  if (!policy.job_digests.empty() && !MatchesAny(policy.job_digests, job.digest.ToHex()))
    return Refusal{RefusalCode::kJobDigestNotAllowed, Concat("the contents of '", job.name, "', digest ",
                                                             job.digest.ToHex(), ", are not among jobs.digests")};
  if (!policy.tasks.contains(question.task.kind))
    return Refusal{RefusalCode::kTaskNotAllowed,
                   Concat("tasks of the kind '", wire::TaskKindName(question.task.kind), "' are not allowed (tasks)")};
  if (!MatchesAny(policy.datasets, job.dataset))
    return Refusal{RefusalCode::kDatasetNotAllowed,
                   Concat("the data set '", job.dataset, "' is not among ", Listed(policy.datasets), " (datasets)")};
  // A job that has no network yet (wire/apply_plan.h) is judged by it as soon as it has one.
  const bool has_none_yet = question.task.kind == wire::TaskKind::kStatistics && job.architecture == "plan";
  if (!has_none_yet && !MatchesAny(policy.architectures, job.architecture))
    return Refusal{RefusalCode::kArchitectureNotAllowed,
                   Concat("the architecture '", job.architecture, "' is not among ", Listed(policy.architectures),
                          " (architectures)")};
  return std::nullopt;
}

std::optional<Refusal> JudgeProtection(const SitePolicy& policy, const Question& question) {
  const JobFacts& job = question.job;
  const std::int64_t cohort = job.cohort_min > 0 ? job.cohort_min : question.sites;
  if (cohort < policy.min_cohort)
    return Refusal{RefusalCode::kCohortTooSmall,
                   Concat("a round of '", job.name, "' may be averaged over ", cohort, " sites, the policy asks for ",
                          policy.min_cohort, " at least (min_cohort; the job's federation.sites.min)")};
  if (policy.secure_aggregation == Demand::kRequired && !job.secure_aggregation)
    return Refusal{RefusalCode::kSecureAggregationRequired,
                   Concat("'", job.name, "' would show this site's update to the coordinator; the policy requires ",
                          "federation.secure_aggregation.enabled")};
  if (policy.differential_privacy == Demand::kRequired && !job.epsilon)
    return Refusal{RefusalCode::kPrivacyRequired,
                   Concat("'", job.name, "' has no differential privacy; the policy requires privacy.records ",
                          "(or privacy.sites)")};
  // What privacy.sites implies for a case is asked for where a case must be protected; elsewhere the job would be
  // allowed without it, and must not be refused because of it.
  const bool asked = !job.epsilon_of_sites || policy.differential_privacy == Demand::kRequired;
  const bool bounded = policy.epsilon_max > 0 && asked;
  // Written so that a NaN is refused.
  if (job.epsilon && bounded && !(*job.epsilon <= policy.epsilon_max && job.delta.value_or(1) <= policy.delta_max))
    return Refusal{RefusalCode::kEpsilonTooLarge,
                   Concat("'", job.name, "' spends epsilon ", *job.epsilon, " at delta ", job.delta.value_or(1),
                          job.epsilon_of_sites ? " on a case (what its privacy.sites implies for one)" : "",
                          ", the policy allows ", policy.epsilon_max, " at ", policy.delta_max)};
  return std::nullopt;
}

std::optional<Refusal> JudgeCounts(const SitePolicy& policy, const Question& question) {
  const std::string& dataset = question.job.dataset;
  if (question.opens_round && question.rounds_spent >= policy.rounds_max)
    return Refusal{RefusalCode::kRoundsSpent,
                   Concat("'", dataset, "' has been trained on in ", question.rounds_spent,
                          " rounds, the policy allows ", policy.rounds_max, " (limits.rounds)")};
  if (question.releases_spent >= policy.releases_max)
    return Refusal{RefusalCode::kReleasesSpent, Concat("of '", dataset, "' ", question.releases_spent,
                                                       " results have left this site, the policy allows ",
                                                       policy.releases_max, " (limits.releases)")};
  return std::nullopt;
}

}  // namespace

std::string_view RefusalCodeName(RefusalCode code) {
  switch (code) {
    case RefusalCode::kNoPolicy:
      return "no_policy";
    case RefusalCode::kPolicyNotSigned:
      return "policy_not_signed";
    case RefusalCode::kPolicyUnreadable:
      return "policy_unreadable";
    case RefusalCode::kPolicyExpired:
      return "policy_expired";
    case RefusalCode::kNoSigningKey:
      return "no_signing_key";
    case RefusalCode::kCoordinatorNotAllowed:
      return "coordinator_not_allowed";
    case RefusalCode::kJobUnreadable:
      return "job_unreadable";
    case RefusalCode::kJobNotAllowed:
      return "job_not_allowed";
    case RefusalCode::kJobDigestNotAllowed:
      return "job_digest_not_allowed";
    case RefusalCode::kTaskNotAllowed:
      return "task_not_allowed";
    case RefusalCode::kDatasetNotAllowed:
      return "dataset_not_allowed";
    case RefusalCode::kArchitectureNotAllowed:
      return "architecture_not_allowed";
    case RefusalCode::kCohortTooSmall:
      return "cohort_too_small";
    case RefusalCode::kSecureAggregationRequired:
      return "secure_aggregation_required";
    case RefusalCode::kPrivacyRequired:
      return "privacy_required";
    case RefusalCode::kEpsilonTooLarge:
      return "epsilon_too_large";
    case RefusalCode::kRoundsSpent:
      return "rounds_spent";
    case RefusalCode::kReleasesSpent:
      return "releases_spent";
    case RefusalCode::kRefusedByPerson:
      return "refused_by_person";
    case RefusalCode::kNotApproved:
      return "not_approved";
  }
  return "unknown";
}

std::string ToText(const Refusal& refusal) {
  return Concat("refused by site policy [", RefusalCodeName(refusal.code), "]: ", refusal.sentence);
}

StatusOr<JobFacts> FactsOf(const std::string& job_json) {
  ASSIGN_OR_RETURN(const ConfigNode root, ConfigNode::Parse(job_json, "the job"));
  ASSIGN_OR_RETURN(const wire::JobSpec job, wire::ParseJob(root));
  const wire::FederationSpec& federation = job.federation;
  JobFacts facts{.name = job.name, .dataset = job.data.dataset, .architecture = job.model.architecture};
  facts.digest = Sha256Of(job_json);
  facts.rounds = federation.rounds;
  if (const wire::RecordPrivacySpec& records = job.record_privacy; records.enabled) {
    facts.epsilon = records.epsilon, facts.delta = records.delta;
  } else if (const wire::SitePrivacySpec& whole = job.site_privacy; whole.enabled) {
    facts.epsilon = 2 * whole.epsilon, facts.delta = std::min(1.0, (1 + std::exp(whole.epsilon)) * whole.delta);
    facts.epsilon_of_sites = true;
  }
  // In mode wait every site of the job is needed; else a round may close with the minimum.
  facts.cohort_min = federation.mode == wire::RoundMode::kWait ? static_cast<std::int64_t>(federation.sites.size())
                                                               : federation.sites_min;
  ASSIGN_OR_RETURN(const Json json, ParseJson(job_json, "the job"));
  const Json* section = json.contains("federation") ? &json["federation"] : nullptr;
  if (section == nullptr || !section->is_object()) return facts;
  if (section->contains("secure_aggregation") && (*section)["secure_aggregation"].is_object()) {
    const Json& secure = (*section)["secure_aggregation"];
    facts.secure_aggregation = secure.contains("enabled") && secure["enabled"].is_boolean() && secure["enabled"];
    if (const std::optional<double> floor = NumberAt(secure, "min_cohort"); facts.secure_aggregation && floor)
      facts.cohort_min = static_cast<std::int64_t>(*floor);
  }
  return facts;
}

std::optional<Refusal> Judge(const SitePolicy& policy, const Question& question) {
  if (policy.until && question.now > *policy.until)
    return Refusal{RefusalCode::kPolicyExpired,
                   Concat("the policy ended on ", pki::FormatSecond(*policy.until), " (until); sign a new one")};
  if (auto refusal = JudgeNames(policy, question)) return refusal;
  if (auto refusal = JudgeProtection(policy, question)) return refusal;
  if (auto refusal = JudgeCounts(policy, question)) return refusal;
  if (question.decision == Decision::kRefused)
    return Refusal{RefusalCode::kRefusedByPerson, Concat("a person at this site refused '", question.job.name, "'")};
  if (policy.approval == Approval::kManual && question.decision != Decision::kApproved)
    return Refusal{RefusalCode::kNotApproved, Concat("'", question.job.name, "' waits for a person at this site: ",
                                                     "consilium site approve ", question.job.name)};
  return std::nullopt;
}

wire::Metrics FilterMetrics(const SitePolicy& policy, const wire::Metrics& metrics,
                            std::vector<std::string>* withheld) {
  const auto cases = metrics.find("cases");
  // Written so that a NaN counts as too few.
  const bool too_few = cases != metrics.end() && !(cases->second >= static_cast<double>(policy.cases_min));
  wire::Metrics left;
  for (const auto& [name, value] : metrics) {
    if (!too_few && MatchesAny(policy.metrics, name))
      left.emplace(name, value);
    else
      withheld->push_back(name);
  }
  return left;
}

}  // namespace consilium::policy
