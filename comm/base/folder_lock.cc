#include "comm/base/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "comm/base/file.h"

namespace consilium {

StatusOr<FolderLock> FolderLock::Acquire(const std::filesystem::path& folder) {
  std::error_code error;
  const bool is_new = !std::filesystem::exists(folder, error);
  RETURN_IF_ERROR(MakeDirectories(folder));
  if (is_new) ::chmod(folder.c_str(), 0700);
  const std::filesystem::path file = folder / "lock";
  FolderLock lock(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (lock.descriptor_ < 0) return ErrnoStatus(errno, "opening " + file.string());
  if (::flock(lock.descriptor_, LOCK_EX | LOCK_NB) != 0) {
    char holder[32] = {};
    const ssize_t size = ::pread(lock.descriptor_, holder, sizeof holder - 1, 0);
    return FailedPrecondition(folder.string(), " is in use by process ", size > 0 ? holder : "(unknown)",
                              "; stop it, or choose another folder");
  }
  // For the message above; the lock itself is the kernel's.
  const std::string mine = std::to_string(::getpid());
  if (::ftruncate(lock.descriptor_, 0) != 0 || ::pwrite(lock.descriptor_, mine.data(), mine.size(), 0) < 0)
    return ErrnoStatus(errno, "writing " + file.string());
  return lock;
}

FolderLock::~FolderLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace consilium
