// A RUN directory as its one writer sees it: what it was started with, its checkpoints, its metrics.  No torch.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "comm/wire/job.h"
#include "trainer/checkpoints/checkpoint_store.h"
#include "trainer/checkpoints/run_lock.h"

namespace consilium::trainer {

enum class RunStart { kFresh, kResume };

// In which keys two jobs differ that decide the trained weights, as "train.epochs (100, now 200)".  How and where a job
// runs (cluster, train.threads, train.checkpoint_every) is no difference.
std::vector<std::string> JobDifferences(const wire::JobSpec& before, const wire::JobSpec& now);

// Where `train` writes when nobody said: $nnUNet_results/DATASET/JOB__CONFIGURATION/fold_F when that variable is set,
// else runs/JOB.
std::filesystem::path DefaultRunFolder(const wire::JobSpec& job);

// OK when Open() would accept this job; touches nothing.
Status CheckRun(const std::filesystem::path& path, const wire::JobSpec& job, RunStart start);

// Holds the RUN's lock while it lives.  Strand-bound.
class RunDirectory {
 public:
  // `job` is resolved, as for CheckRun.  kFresh: refused when a training was begun there (AlreadyExists, with the
  // mend).  kResume: a fresh start when there is nothing yet; refused when the job differs (InvalidArgument, with the
  // keys).
  static StatusOr<std::unique_ptr<RunDirectory>> Open(const std::filesystem::path& path, const wire::JobSpec& job,
                                                      RunStart start);

  const std::filesystem::path& path() const { return path_; }
  CheckpointStore& checkpoints() { return checkpoints_; }

 private:
  RunDirectory(std::filesystem::path path, RunLock lock, CheckpointStore checkpoints)
      : path_(std::move(path)), lock_(std::move(lock)), checkpoints_(std::move(checkpoints)) {}
  std::filesystem::path path_;
  RunLock lock_;
  CheckpointStore checkpoints_;
};

}  // namespace consilium::trainer
