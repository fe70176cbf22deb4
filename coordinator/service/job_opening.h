// Finds the job that a coordinator is to run: a new one from its file, or the one that its state folder holds.
#pragma once

#include <filesystem>
#include <vector>

#include "coordinator/service/job_runner.h"

namespace consilium::coordinator {

struct JobRequest {
  std::filesystem::path state;          // locked by the caller
  std::filesystem::path job_file;       // may be empty when the state holds a job
  std::filesystem::path initial_model;  // needed for a new job
  std::vector<SiteName> roster;         // the sites that have kits, in name order
};

// A job that the state folder holds goes on from its journal; a job file that says something else is refused.
// Errors: InvalidArgument naming what to mend; DataLoss, Storage from the journal.
StatusOr<std::unique_ptr<JobRunner>> OpenJob(const JobRequest& request, RunnerServices services);

}  // namespace consilium::coordinator
