// One writer a RUN directory: two trainings into the same folder would eat each other's checkpoints.
#pragma once

#include <filesystem>

#include "comm/base/status.h"

namespace consilium::trainer {

// Held until destroyed or the process ends, however it ends (flock on RUN/.lock, which stays as an empty file).
class RunLock {
 public:
  // FailedPrecondition when another process holds it, with its pid where that can be told.
  static StatusOr<RunLock> Acquire(const std::filesystem::path& run);
  RunLock(RunLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  RunLock& operator=(RunLock&&) = delete;
  ~RunLock();

 private:
  explicit RunLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace consilium::trainer
