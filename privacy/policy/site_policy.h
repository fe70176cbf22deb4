// What a site allows, in a file that a person reads: policy.yaml in its kit.  Whatever is not allowed is refused.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "comm/base/config.h"
#include "comm/wire/messages.h"
#include "privacy/pki/utc.h"

namespace consilium::policy {

enum class Approval {
  kAutomatic,  // a job that the rest of the policy allows may run
  kManual,     // and a person at the site has approved it, by name and contents
};
enum class Demand { kOptional, kRequired };

// Every list of names may have patterns, in which * stands for anything.  An empty list allows nothing, unless said
// otherwise.
struct SitePolicy {
  std::string project;
  std::vector<std::string> coordinators;  // who may lead
  std::vector<std::string> jobs;          // names
  std::vector<std::string> job_digests;   // SHA-256 of resolved jobs, no patterns; empty: any
  Approval approval = Approval::kManual;
  std::set<wire::TaskKind> tasks;
  std::vector<std::string> datasets;
  std::vector<std::string> architectures;
  std::int64_t min_cohort = 5;  // sites that an average is made of, at least; never below kCohortFloor
                                // unless a person writes it
  Demand secure_aggregation = Demand::kRequired;
  Demand differential_privacy = Demand::kRequired;
  double epsilon_max = 0, delta_max = 0;  // of a job, where it has or must have differential privacy
  std::int64_t rounds_max = 0;            // per data set, over all jobs
  std::int64_t releases_max = 0;          // updates, statistics and reports, per data set, over all jobs
  std::vector<std::string> metrics;       // that may leave
  std::int64_t cases_min = 10;            // results over fewer cases do not leave
  std::optional<pki::WallTime> until;     // then nothing is allowed any more
};

// Errors: InvalidArgument with file, line and key.
StatusOr<SitePolicy> ParsePolicy(const std::string& text, const std::string& where);

struct SampleOptions {
  std::string project, coordinator;
  std::int64_t min_cohort = 3;
  Approval approval = Approval::kAutomatic;
  Demand secure_aggregation = Demand::kOptional;
};
// What a new kit begins with: text with a comment at each key, meant to be read and narrowed.
std::string SamplePolicy(const SampleOptions& options);

// True when `pattern` with its * stands for the whole of `text`.
bool MatchesPattern(const std::string& pattern, const std::string& text);
bool MatchesAny(const std::vector<std::string>& patterns, const std::string& text);

}  // namespace consilium::policy
