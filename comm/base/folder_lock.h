// At most one process works in a folder: an advisory lock that ends with the process, however it ends.
#pragma once

#include <filesystem>

#include "comm/base/status.h"

namespace consilium {

// Move-only.
class FolderLock {
 public:
  // Makes the folder (mode 0700 when it is new) and `folder`/lock.  FailedPrecondition names the process that holds it.
  static StatusOr<FolderLock> Acquire(const std::filesystem::path& folder);
  FolderLock(FolderLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock();

 private:
  explicit FolderLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace consilium
