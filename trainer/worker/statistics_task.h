// What a site tells of its data set so that the federation can plan together: additive statistics, never a case.
#pragma once

#include <filesystem>

#include "comm/collective/communicator.h"
#include "comm/wire/job.h"
#include "trainer/worker/task_runner.h"

namespace consilium::trainer {

struct StatisticsTask {
  const wire::JobSpec& job;
  std::filesystem::path data_dir;  // as for datasets::FindDataset
  std::filesystem::path output;    // datasets::EncodeStatistics(); the same data give the same bytes
  std::uint32_t cases_min = 5;     // nothing is said of fewer cases
  collective::Communicator& gang;
};

// Collective; rank 0 alone reads and measures.  Metrics: cases, seconds.  Errors, the same on every rank:
// PermissionDenied (fewer cases than may be spoken of), InvalidArgument (a faulty case, with its name), Cancelled,
// Storage.
StatusOr<TaskResult> RunStatistics(const StatisticsTask& task, TaskMonitor& monitor);

}  // namespace consilium::trainer
