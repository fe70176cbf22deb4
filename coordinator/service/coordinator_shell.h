// The coordinator's process: transport on one side, the job on the other, one strand between them.
//
// Transport threads only post to the strand; a site that sends faster than we work is disconnected.  State folder:
//   lock, endpoint.json {"host", "port", "coordinator", "pid"}, blobs/ (models and updates), jobs/<name>/
//   (job_folder.h)
#pragma once

#include <filesystem>
#include <memory>

#include "comm/transport/kit.h"
#include "coordinator/core/job_state.h"

namespace consilium::coordinator {

enum class WhenDone { kStay, kExit };

struct CoordinatorOptions {
  transport::Kit kit;
  std::filesystem::path state;
  std::filesystem::path job_file;       // may be empty when the state folder holds a job
  std::filesystem::path initial_model;  // for a new job
  std::string listen_address;           // empty: the kit's
  int listen_port = -1;                 // -1: the kit's; 0: a free one
  WhenDone when_done = WhenDone::kStay;
};

// Runs until the job is over (kExit), SIGINT or SIGTERM (Preempted unless the job is over), or it cannot go on.
// Returns how the job ended with kExit.  Started again with the same state folder, the job goes on.
Status RunCoordinator(const CoordinatorOptions& options);

}  // namespace consilium::coordinator
