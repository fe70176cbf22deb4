// A site's process: the session machine, the connection, the trainer child, the work folder; one strand.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "client/core/session_machine.h"
#include "comm/transport/kit.h"

namespace consilium::client {

// A site that is a cluster: its trainer is started by mpirun, as so many ranks that train each task together.
struct SiteRanks {
  std::int64_t count = 1;                     // 1: no launcher
  std::string launcher = "mpirun";            // a path, or a name on PATH
  std::vector<std::string> launcher_options;  // between "-np COUNT" and the program, e.g. "--hostfile", "nodes"
};

struct ClientOptions {
  transport::Kit kit;  // with the coordinator's host and port
  std::string proxy;   // as GrpcClientOptions::proxy
  std::filesystem::path data;
  std::filesystem::path state;
  std::filesystem::path trainer;  // the program
  SiteRanks ranks;
  std::int64_t statistics_cases_min = 5;  // nothing is said of fewer cases when sites plan a network together
  SessionOptions session;
};

// Runs until a person has to mend something (Unauthenticated, PermissionDenied: exit code 7), the disk is full
// (Storage), the job is over (when asked to end then), or SIGINT or SIGTERM (Preempted).  Started again with the same
// state folder it goes on where it was.
Status RunClient(const ClientOptions& options);

}  // namespace consilium::client
