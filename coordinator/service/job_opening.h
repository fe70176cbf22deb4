// Opens one job: a new one from its submission, or one that has begun from its journal.
#pragma once

#include <filesystem>
#include <vector>

#include "coordinator/service/job_runner.h"
#include "coordinator/service/submission.h"

namespace consilium::coordinator {

// A job file and the model that it starts from, on this machine.
struct LocalJob {
  std::filesystem::path job_file;
  std::filesystem::path initial_model;  // needed for a new job
  std::vector<SiteName> roster;         // the sites that have kits, in name order
};

// The submission that `local` amounts to, its model imported into `blobs`.  `there` is the job of that name that the
// coordinator has already, if any: then the model may be left away.  Errors: InvalidArgument naming what to mend.
StatusOr<Submission> SubmissionFromFiles(const LocalJob& local,
                                         const std::function<const Submission*(const JobId&)>& there,
                                         transport::BlobStore* blobs);

// From the journal of a job that was begun before submissions were kept.
StatusOr<Submission> SubmissionFromJournal(const JobFolder& folder);

// Errors: DataLoss, Storage, FailedPrecondition (open elsewhere) from the journal.
StatusOr<std::unique_ptr<JobRunner>> OpenJob(const JobFolder& folder, const Submission& submission,
                                             RunnerServices services);

}  // namespace consilium::coordinator
