// A job as it was handed in: durable before anybody is told that it will run, and what it is opened from.
//
// STATE/jobs/<name>/submission.json; order of submission is kept over restarts.
#pragma once

#include <string>
#include <vector>

#include "comm/base/json.h"
#include "comm/transport/blob_store.h"
#include "comm/wire/job.h"
#include "coordinator/service/job_folder.h"

namespace consilium::coordinator {

struct Submission {
  JobId job;
  std::string job_json;         // resolved (wire/job.h)
  std::vector<SiteName> sites;  // who takes part, in name order
  wire::BlobManifest model;     // what round 0 starts from; none (0 bytes) when the sites plan it
  std::int32_t priority = 0;    // higher ones leave the queue first
  std::uint64_t sequence = 0;   // place in the order of submission
  std::string by;               // the operator's name; "" for --job on the coordinator's machine
  std::string time;             // UTC
  friend bool operator==(const Submission&, const Submission&) = default;
};

// Who takes part in the job: federation.sites.names, or the whole roster.  Everything that can be known to be wrong
// with the job before it begins is refused here.  `where` names the job in errors.  Errors: InvalidArgument.
StatusOr<Submission> SubmissionOf(const wire::JobSpec& job, const std::vector<SiteName>& roster,
                                  const std::string& where);

// What differs between a job of that name that is there and one that is handed in: "federation.rounds is 10 there and 5
// here", or "" when they are the same.
std::string Difference(const Submission& there, const Submission& here);

// Durable when it returns.  Makes the job's folder.
Status WriteSubmission(const JobFolder& folder, const Submission& submission);
// Errors: NotFound when there is none, DataLoss when it is not one that WriteSubmission wrote.
StatusOr<Submission> ReadSubmission(const JobFolder& folder);

// Is there a model where one is needed, and none where the sites plan it?  `how` mends the first.
Status CheckInitialModel(const Submission& submission, const std::string& how);

// What a job can need on the coordinator's disk at most, in models (strategies/models_on_disk.h) and in bytes.
std::size_t ModelsNeeded(const Submission& submission);
std::uint64_t DiskNeeded(const Submission& submission);
// "3.2 GB"
std::string FormatBytes(std::uint64_t bytes);

}  // namespace consilium::coordinator
