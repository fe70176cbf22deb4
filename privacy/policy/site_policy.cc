#include "privacy/policy/site_policy.h"

#include <algorithm>
#include <cmath>

#include "comm/base/digest.h"

namespace consilium::policy {
namespace {

constexpr std::int64_t kManyMax = 1'000'000'000;
constexpr wire::TaskKind kKinds[] = {wire::TaskKind::kTrain, wire::TaskKind::kEvaluate, wire::TaskKind::kValidate,
                                     wire::TaskKind::kStatistics};

void ReadTasks(ConfigReader* reader, std::set<wire::TaskKind>* tasks) {
  std::vector<std::string> names;
  reader->Read("tasks", &names);
  for (const std::string& name : names) {
    const auto* kind = std::find_if(std::begin(kKinds), std::end(kKinds),
                                    [&](wire::TaskKind candidate) { return wire::TaskKindName(candidate) == name; });
    if (kind == std::end(kKinds)) return reader->Refuse("tasks", "a list of train, evaluate, validate and statistics");
    tasks->insert(*kind);
  }
}

Demand ReadDemand(ConfigReader* reader, const std::string& key) {
  std::string text = "required";
  reader->Read(key, &text, OneOf({"required", "optional"}));
  return text == "required" ? Demand::kRequired : Demand::kOptional;
}

void ReadJobs(ConfigReader& jobs, SitePolicy* policy) {
  std::string approval = "manual";
  jobs.Require("names");
  jobs.Read("names", &policy->jobs);
  jobs.Read("digests", &policy->job_digests);
  jobs.Read("approval", &approval, OneOf({"automatic", "manual"}));
  policy->approval = approval == "manual" ? Approval::kManual : Approval::kAutomatic;
  for (const std::string& digest : policy->job_digests)
    if (!Digest::FromHex(digest).ok()) return jobs.Refuse("digests", "64 hexadecimal digits each");
}

}  // namespace

StatusOr<SitePolicy> ParsePolicy(const std::string& text, const std::string& where) {
  ASSIGN_OR_RETURN(const ConfigNode root, ConfigNode::Parse(text, where));
  SitePolicy policy;
  std::int64_t version = 0;
  std::string until;
  ConfigReader reader(root);
  // What is left out must not mean "anything": the keys that allow are asked for.
  for (const char* key : {"version", "project", "coordinators", "jobs", "tasks", "datasets", "architectures",
                          "min_cohort", "limits", "metrics"})
    reader.Require(key);
  reader.Read("version", &version, Between<std::int64_t>(1, 1));
  reader.Read("project", &policy.project);
  reader.Read("coordinators", &policy.coordinators);
  reader.ReadMap("jobs", [&](ConfigReader& jobs) { ReadJobs(jobs, &policy); });
  ReadTasks(&reader, &policy.tasks);
  reader.Read("datasets", &policy.datasets);
  reader.Read("architectures", &policy.architectures);
  reader.Read("min_cohort", &policy.min_cohort, Between<std::int64_t>(1, 100000));
  policy.secure_aggregation = ReadDemand(&reader, "secure_aggregation");
  reader.ReadMap("differential_privacy", [&](ConfigReader& privacy) {
    policy.differential_privacy = ReadDemand(&privacy, "demand");
    const Rule<double> positive = [](const double& value) {
      return std::isfinite(value) && value > 0 ? std::string() : std::string("a number above 0");
    };
    privacy.Read("epsilon_max", &policy.epsilon_max, positive);
    privacy.Read("delta_max", &policy.delta_max, positive);
  });
  reader.ReadMap("limits", [&](ConfigReader& limits) {
    limits.Require("rounds"), limits.Require("releases");
    limits.Read("rounds", &policy.rounds_max, Between<std::int64_t>(0, kManyMax));
    limits.Read("releases", &policy.releases_max, Between<std::int64_t>(0, kManyMax));
  });
  reader.ReadMap("metrics", [&](ConfigReader& metrics) {
    metrics.Require("allowed");
    metrics.Read("allowed", &policy.metrics);
    metrics.Read("cases_min", &policy.cases_min, Between<std::int64_t>(1, kManyMax));
  });
  reader.Read("until", &until);
  if (!until.empty()) {
    const StatusOr<pki::WallTime> when = pki::ParseSecond(until);
    if (when.ok()) policy.until = *when;
    if (!when.ok()) reader.Refuse("until", "a day such as 2027-06-30");
  }
  if (reader.status().ok() && policy.differential_privacy == Demand::kRequired &&
      !(policy.epsilon_max > 0 && policy.delta_max > 0))
    reader.Refuse("differential_privacy", "epsilon_max and delta_max, since it is required (or demand: optional)");
  RETURN_IF_ERROR(reader.Finish());
  return policy;
}

std::string SamplePolicy(const SampleOptions& options) {
  return Concat(
      "# What this site lets a coordinator do. Whatever is not allowed here is refused, with a code and a reason, and\n"
      "# noted in the audit log. Made by `consilium provision`: read it, narrow it, then sign it again:\n"
      "#   consilium site policy --kit KIT --sign\n"
      "version: 1\n"
      "project: ",
      options.project,
      "\n"
      "coordinators: [",
      options.coordinator,
      "]  # who may lead\n"
      "jobs:\n"
      "  names: [\"*\"]            # patterns; * stands for anything\n"
      "  # digests: []           # SHA-256 of the resolved job: only exactly these (consilium site jobs shows them)\n"
      "  approval: ",
      options.approval == Approval::kManual ? "manual" : "automatic",
      "     # manual: each job waits for `consilium site approve JOB`\n"
      "tasks: [train, evaluate, validate, statistics]\n"
      "datasets: [\"*\"]\n"
      "architectures: [plain_unet]\n"
      "min_cohort: ",
      options.min_cohort,
      "              # an average is made of at least so many sites; 5 is advisable\n"
      "secure_aggregation: ",
      options.secure_aggregation == Demand::kRequired ? "required" : "optional",
      "  # required: the coordinator never sees this site's update alone\n"
      "differential_privacy:\n"
      "  demand: optional         # required: jobs without it are refused\n"
      "  epsilon_max: 8           # of a job that has it\n"
      "  delta_max: 1e-5\n"
      "limits:                    # per data set, over all jobs, counted on this site's disk\n"
      "  rounds: 10000\n"
      "  releases: 100000         # updates, statistics and reports of metrics\n"
      "metrics:\n"
      "  allowed: [\"*\"]\n"
      "  cases_min: 1             # results over fewer cases stay here; 10 is advisable for real patients\n"
      "# until: 2027-06-30        # after this day nothing is allowed\n");
}

bool MatchesPattern(const std::string& pattern, const std::string& text) {
  // Greedy with one step back to the last star: linear for one star, never exponential.
  std::size_t p = 0, t = 0, star = std::string::npos, after = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      after = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p, ++t;
    } else if (star != std::string::npos) {
      p = star + 1;
      t = ++after;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool MatchesAny(const std::vector<std::string>& patterns, const std::string& text) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return MatchesPattern(pattern, text); });
}

}  // namespace consilium::policy
