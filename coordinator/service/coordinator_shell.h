// The coordinator's process: transport on one side, the jobs on the other, one strand between them.
//
// Transport threads only post to the strand; a site that sends faster than we work is disconnected.  State folder:
//   lock, endpoint.json {"host", "port", "coordinator", "pid"}, blobs/ (models and updates), jobs/<name>/
//   (job_folder.h), control.sock (local_door.h), pins/ and snapshots/ (of downloads and backups under way)
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "comm/transport/grpc/grpc_server.h"
#include "comm/transport/kit.h"
#include "coordinator/core/job_state.h"

namespace consilium::coordinator {

enum class WhenDone { kStay, kExit };

struct CoordinatorOptions {
  transport::Kit kit;
  std::map<std::string, std::string> revoked;  // certificates, by serial, and why; of the roster
  std::filesystem::path state;
  std::filesystem::path job_file;       // a job to run beside those that operators submit; may be empty
  std::filesystem::path initial_model;  // for a new job_file
  std::string listen_address;           // empty: the kit's
  int listen_port = -1;                 // -1: the kit's; 0: a free one
  std::size_t jobs_max = 4;             // that run at once
  std::uint64_t quota_bytes = 0;        // what jobs may be promised of the disk; 0: the disk alone decides
  WhenDone when_done = WhenDone::kStay;
  // What is listened with; null: gRPC over mutual TLS.  Tests put something before it.
  std::function<StatusOr<std::unique_ptr<transport::CoordinatorTransport>>(transport::GrpcServerOptions,
                                                                           transport::CoordinatorEvents*)>
      listen{};
};

// Goes on with every job in the state folder, and takes what operators submit.  Runs until job_file's job (without one:
// every job) is over (kExit), SIGINT or SIGTERM (Preempted unless those are over), or it cannot go on.  Returns how the
// job ended with kExit.  A job that fails, or whose journal or disk does, ends alone.
Status RunCoordinator(const CoordinatorOptions& options);

}  // namespace consilium::coordinator
