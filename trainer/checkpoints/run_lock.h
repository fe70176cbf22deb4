// One writer a RUN directory: two trainings into the same folder would eat each other's checkpoints.
#pragma once

#include <filesystem>
#include <utility>

#include "comm/base/status.h"

namespace consilium::trainer {

// Held until destroyed or the process ends, however it ends (flock on RUN/.lock; the file stays, with the pid of the
// last holder).
class RunLock {
 public:
  // FailedPrecondition when somebody else holds it, with the pid.
  static StatusOr<RunLock> Acquire(const std::filesystem::path& run);
  RunLock(RunLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  RunLock& operator=(RunLock&&) = delete;
  ~RunLock();

 private:
  explicit RunLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace consilium::trainer
