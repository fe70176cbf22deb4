// The model that round 0 starts from, made by a site: the job's seeded weights.
#pragma once

#include <filesystem>

#include "comm/collective/communicator.h"
#include "comm/wire/job.h"
#include "trainer/worker/task_runner.h"

namespace consilium::trainer {

struct InitialTask {
  const wire::JobSpec& job;
  std::filesystem::path data_dir;  // as for datasets::FindDataset; its channels and labels count
  std::filesystem::path output;    // safetensors; the same job gives the same bytes
  collective::Communicator& gang;
};

// Collective; rank 0 alone reads and writes.  Metrics: seconds.  Errors, the same on every rank: InvalidArgument,
// NotFound (the data set, the network), Storage.
StatusOr<TaskResult> MakeInitialModel(const InitialTask& task);

}  // namespace consilium::trainer
