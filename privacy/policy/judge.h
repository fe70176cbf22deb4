// May this task run here?  A pure answer from the policy, the job as the site itself reads it, and what was counted.
#pragma once

#include <optional>

#include "comm/wire/messages.h"
#include "privacy/policy/site_policy.h"

namespace consilium::policy {

// Why not.  The names are stable: people search for them, programs compare them.
enum class RefusalCode {
  kNoPolicy,                   // no_policy
  kPolicyNotSigned,            // policy_not_signed: unsigned, changed since, or by the wrong key
  kPolicyUnreadable,           // policy_unreadable
  kPolicyExpired,              // policy_expired
  kNoSigningKey,               // no_signing_key: the kit's own signing key or roster does not hold
  kCoordinatorNotAllowed,      // coordinator_not_allowed
  kJobUnreadable,              // job_unreadable: this program does not understand the job, so it cannot judge it
  kJobNotAllowed,              // job_not_allowed
  kJobDigestNotAllowed,        // job_digest_not_allowed
  kTaskNotAllowed,             // task_not_allowed
  kDatasetNotAllowed,          // dataset_not_allowed
  kArchitectureNotAllowed,     // architecture_not_allowed
  kCohortTooSmall,             // cohort_too_small
  kSecureAggregationRequired,  // secure_aggregation_required
  kPrivacyRequired,            // privacy_required
  kEpsilonTooLarge,            // epsilon_too_large
  kRoundsSpent,                // rounds_spent
  kReleasesSpent,              // releases_spent
  kRefusedByPerson,            // refused_by_person
  kNotApproved,                // not_approved: waits for a person
};
std::string_view RefusalCodeName(RefusalCode code);

struct Refusal {
  RefusalCode code = RefusalCode::kNoPolicy;
  std::string sentence;
};
// "refused by site policy [cohort_too_small]: ...".
std::string ToText(const Refusal& refusal);

// Of a resolved job, what policies speak of.
struct JobFacts {
  std::string name, dataset, architecture;
  Digest digest;  // of the job's text as the coordinator sent it, the keys in its order
  std::int64_t rounds = 0;
  std::int64_t cohort_min = 0;  // an average may be made of so few sites; 0: all, whose number the job does not say
  bool secure_aggregation = false;
  // Of differential privacy for any one case, when the job has it: privacy.records' own; else what privacy.sites
  // implies.  A site's part with a case and its part without are both one replacement by zeros away from nothing, so
  // (epsilon, delta) for sites is (2 epsilon, (1 + e^epsilon) delta) for cases.
  std::optional<double> epsilon, delta;
  bool epsilon_of_sites = false;  // implied
};
// Errors: InvalidArgument and Unimplemented when this build does not understand the job.
StatusOr<JobFacts> FactsOf(const std::string& job_json);

// What a person said of a job with exactly these contents.
enum class Decision { kNone, kApproved, kRefused };

struct Question {
  std::string coordinator;  // whose certificate was checked
  wire::TaskKey task;
  JobFacts job;
  std::int64_t sites = 0;         // in the roster
  std::int64_t rounds_spent = 0;  // on this data set, this task not counted
  std::int64_t releases_spent = 0;
  bool opens_round = false;  // this task would count as a round of its own
  Decision decision = Decision::kNone;
  pki::WallTime now;
};
// Nothing: it may run.  kNotApproved is the last thing that is asked, so that nobody is asked about what is refused
// anyway.
std::optional<Refusal> Judge(const SitePolicy& policy, const Question& question);

// What of a report may leave: the metrics that the policy names, and nothing at all when "cases" says that it is over
// fewer than metrics.cases_min.  `withheld` gets the names of what stays.
wire::Metrics FilterMetrics(const SitePolicy& policy, const wire::Metrics& metrics, std::vector<std::string>* withheld);

}  // namespace consilium::policy
