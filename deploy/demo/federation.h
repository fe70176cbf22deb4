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
  // kill -9 of the coordinator or of a site's client, as a power cut would, and a start of the same command.  A
  // coordinator listens on the port that it had.
  Status KillAndRestart(const std::string& name);
  // kill -9 of a site's client, which does not come back.
  Status KillForGood(const std::string& name);
  // The coordinator ends by itself when the job is over, and the clients after it.
  Status WaitForEnd(Duration timeout);

 private:
  struct Member {
    std::string name;
    std::vector<std::string> command;
    std::filesystem::path log;
    Subprocess process;
  };
  Status Start(const std::string& name, std::vector<std::string> command, const std::filesystem::path& log);
  StatusOr<ExitResult> Kill(Member* member);
  StatusOr<Member*> Find(const std::string& name);
  Status AwaitPort(const std::filesystem::path& state);

  std::vector<Member> members_;  // the coordinator first
  int port_ = 0;
};

}  // namespace consilium::demo
