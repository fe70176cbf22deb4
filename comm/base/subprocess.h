// A child process that dies with us: for the demo, for doctor's other half, and for tests that start the real programs.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "comm/base/status.h"
#include "comm/base/time.h"

namespace consilium {

struct SubprocessOptions {
  std::vector<std::string> arguments;              // arguments[0] is the program: a path, or a name on PATH
  std::map<std::string, std::string> environment;  // added to ours
  std::vector<int> inherited;                      // descriptors that the child keeps, under the same numbers
  std::filesystem::path output;                    // stdout and stderr are appended here; empty: inherited
};

// How a child ended.
struct ExitResult {
  int exit_code = 0;  // 128 + signal when killed, as a shell says it
  bool signalled = false;
  bool ok() const { return exit_code == 0; }
  std::string ToString() const;  // "exit code 2", "killed by signal 9 (Killed)"
};

// Move-only.  Destroyed while running: SIGTERM, two seconds, SIGKILL.  Strand-bound.
class Subprocess {
 public:
  // The child leads its own process group, so that signals reach its children too; it gets SIGTERM when our process
  // dies.
  static StatusOr<Subprocess> Start(const SubprocessOptions& options);
  Subprocess(Subprocess&& other) noexcept;
  Subprocess& operator=(Subprocess&& other) noexcept;
  ~Subprocess();

  pid_t pid() const { return pid_; }
  // The result once it has ended, nothing while it runs.
  std::optional<ExitResult> Poll();
  // DeadlineExceeded when it still runs after `timeout`.
  StatusOr<ExitResult> Wait(Duration timeout);
  // Sends a signal to the child's whole process group; nothing happens when it has ended.
  void Signal(int signal_number);
  // SIGTERM, up to `grace`, then SIGKILL.
  ExitResult Stop(Duration grace);

 private:
  explicit Subprocess(pid_t pid) : pid_(pid) {}
  pid_t pid_ = -1;
  std::optional<ExitResult> result_;
};

// Where a program of ours is: beside the running executable, else on PATH.  NotFound names both places.
StatusOr<std::filesystem::path> FindProgram(const std::string& name);

}  // namespace consilium
