// The processes of the demo's federation: one coordinator, one client per hospital.
#pragma once

#include <vector>

#include "comm/base/subprocess.h"
#include "deploy/demo/workspace.h"

namespace consilium::demo {

// Strand-bound.  Destroyed: every process is stopped.
class Federation {
 public:
  // Starts the coordinator on a free port of loopback, waits until it listens, then starts the clients.
  static StatusOr<Federation> Start(const Workspace& workspace);

  int port() const { return port_; }
  // An error when a process ended that should not have: which one, how, and the end of its log.
  Status CheckAlive();
  // The coordinator ends by itself when the job is over, and the clients after it.
  Status WaitForEnd(Duration timeout);

 private:
  struct Member {
    std::string name;
    Subprocess process;
    std::filesystem::path log;
  };
  std::vector<Member> members_;  // the coordinator first
  int port_ = 0;
};

}  // namespace consilium::demo
