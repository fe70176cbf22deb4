// What the running client and a person at the site tell each other, in STATE/site (mode 0700):
//
//   jobs.json       written by the client: the jobs that asked for work here, and what became of them
//   decisions.json  written by `consilium site approve|refuse`: what a person said of a job with exactly these contents
//   releases.jsonl  what of each data set has left (privacy/policy/release_ledger.h)
//
// Both JSON files are replaced whole, so that neither side ever reads half of one.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "comm/base/digest.h"
#include "comm/base/json.h"
#include "privacy/policy/judge.h"

namespace consilium::client {

// A job as the site saw it.
struct SeenJob {
  Digest digest;  // of its contents, which a decision is about
  std::string first_seen;
  std::string coordinator, dataset, architecture;
  std::int64_t rounds = 0, cohort_min = 0;
  std::string stand;           // "allowed", "refused", "waits"
  std::string code, sentence;  // of a refusal or a wait
  friend bool operator==(const SeenJob&, const SeenJob&) = default;
};
using SeenJobs = std::map<std::string, SeenJob>;

struct NotedDecision {
  Digest digest;
  policy::Decision decision = policy::Decision::kNone;
  std::string by, when, reason;
  friend bool operator==(const NotedDecision&, const NotedDecision&) = default;
};
using Decisions = std::map<std::string, NotedDecision>;

class SiteFolder {
 public:
  explicit SiteFolder(std::filesystem::path state) : folder_(state / "site"), audit_(state / "audit.jsonl") {}

  Status Make() const;
  std::filesystem::path releases() const { return folder_ / "releases.jsonl"; }
  const std::filesystem::path& audit() const { return audit_; }

  // Empty when there is none yet.  Errors: DataLoss for a file that no client wrote.
  StatusOr<SeenJobs> ReadJobs() const;
  Status WriteJobs(const SeenJobs& jobs) const;
  StatusOr<Decisions> ReadDecisions() const;
  Status WriteDecisions(const Decisions& decisions) const;

 private:
  std::filesystem::path folder_, audit_;
};

}  // namespace consilium::client
