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
  std::string select;  // ", \"fraction\": 0.5": more keys of federation.sites
  std::string more;    // ", \"cross_site\": true": more keys of federation
  std::string strategy = "fedavg";
  std::string parameters;  // more keys of federation.strategy
  std::string deadline = "100s";
  std::string model = R"("patch_size": [8, 8, 8])";
};

// The sites plan the network together.
inline constexpr char kPlanTogether[] = R"("architecture": "plan")";

inline JobOptions AsyncJob(int rounds, int buffer, int staleness_max, int sites_min = 1) {
  return {.mode = "async",
          .rounds = rounds,
          .sites_min = sites_min,
          .strategy = "fedbuff",
          .parameters = Concat(R"(, "buffer": )", buffer, R"(, "staleness_max": )", staleness_max)};
}

// A site that can do everything that this build can.
inline wire::Capability AbleSite() { return {4, std::uint64_t{8} << 30, 0, "test", wire::FeaturesOfThisBuild()}; }

// A blob that exists in name only.
inline wire::BlobManifest FakeBlob(const std::string& content) {
  const Digest digest = Sha256Of(content);
  return {digest, content.size(), {digest}};
}

inline JobOpened MakeJob(const JobOptions& options) {
  JobOpened job{.job = JobId("trial")};
  if (options.model != kPlanTogether) job.model = FakeBlob("initial model");
  job.job_json = Concat(R"({"name": "trial", "data": {"dataset": "Dataset001_Toy"}, "model": {)", options.model,
                        R"(}, )", R"("federation": {"rounds": )", options.rounds, R"(, "mode": ")", options.mode,
                        R"(", "sites": {"min": )", options.sites_min, options.select, R"(}, "round_deadline": ")",
                        options.deadline, R"(")", options.more, R"(, "strategy": {"name": ")", options.strategy,
                        R"(", "weighting": ")", options.weighting, R"(")", options.parameters, "}}}");
  for (const std::string& site : options.sites) job.sites.emplace_back(site);
  return job;
}

inline wire::TaskKey Train(int round, int attempt = 0) {
  return {JobId("trial"), Round(static_cast<std::uint32_t>(round)), Attempt(static_cast<std::uint32_t>(attempt)),
          wire::TaskKind::kTrain};
}
inline wire::TaskKey Prepare(const std::string& subject, int attempt = 0) {
  return {JobId("trial"), Round(0), Attempt(static_cast<std::uint32_t>(attempt)), wire::TaskKind::kStatistics, subject};
}
// What a plan makes of a job that asked for one.
inline std::string PlannedJson(JobOptions options) {
  options.model = JobOptions().model;
  return MakeJob(options).job_json;
}
inline wire::TaskKey Validate(int round, const std::string& subject = "", int attempt = 0) {
  return {JobId("trial"), Round(static_cast<std::uint32_t>(round)), Attempt(static_cast<std::uint32_t>(attempt)),
          wire::TaskKind::kValidate, subject};
}
inline wire::TaskKey Evaluate(int round, int attempt = 0) {
  return {JobId("trial"), Round(static_cast<std::uint32_t>(round)), Attempt(static_cast<std::uint32_t>(attempt)),
          wire::TaskKind::kEvaluate};
}

}  // namespace consilium::coordinator
