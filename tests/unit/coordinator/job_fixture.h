// A small job for the machine's tests.
#pragma once

#include <string>
#include <vector>

#include "coordinator/core/records.h"

namespace consilium::coordinator {

struct JobOptions {
  std::string mode = "close";
  int rounds = 3;
  int sites_min = 2;
  std::string weighting = "examples";
  std::vector<std::string> sites = {"a", "b", "c"};
};

// A blob that exists in name only.
inline wire::BlobManifest FakeBlob(const std::string& content) {
  const Digest digest = Sha256Of(content);
  return {digest, content.size(), {digest}};
}

inline JobOpened MakeJob(const JobOptions& options) {
  JobOpened job{.job = JobId("trial"), .model = FakeBlob("initial model")};
  job.job_json = Concat(
      R"({"name": "trial", "data": {"dataset": "Dataset001_Toy"}, "model": {"patch_size": [8, 8, 8]}, )",
      R"("federation": {"rounds": )", options.rounds, R"(, "mode": ")", options.mode, R"(", "sites": {"min": )",
      options.sites_min, R"(}, "round_deadline": "100s", "strategy": {"weighting": ")", options.weighting, R"("}}})");
  for (const std::string& site : options.sites) job.sites.emplace_back(site);
  return job;
}

inline wire::TaskKey Train(int round, int attempt = 0) {
  return {JobId("trial"), Round(static_cast<std::uint32_t>(round)), Attempt(static_cast<std::uint32_t>(attempt)),
          wire::TaskKind::kTrain};
}
inline wire::TaskKey Evaluate(int round, int attempt = 0) {
  return {JobId("trial"), Round(static_cast<std::uint32_t>(round)), Attempt(static_cast<std::uint32_t>(attempt)),
          wire::TaskKind::kEvaluate};
}

}  // namespace consilium::coordinator
