#include "trainer/checkpoints/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace consilium::trainer {

StatusOr<RunLock> RunLock::Acquire(const std::filesystem::path& run) {
  const std::filesystem::path path = run / ".lock";
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) return ErrnoStatus(errno, "opening " + path.string());
  RunLock lock(descriptor);
  int result;
  do result = ::flock(descriptor, LOCK_EX | LOCK_NB);
  while (result != 0 && errno == EINTR);
  if (result != 0 && errno == EWOULDBLOCK) {
    char pid[32] = {};
    const ssize_t size = ::pread(descriptor, pid, sizeof pid - 1, 0);
    return FailedPrecondition(run.string(), " is in use by another training",
                              size > 0 ? Concat(" (pid ", pid, ")") : std::string(),
                              "; wait for it, stop it, or give another --output");
  }
  if (result != 0) return ErrnoStatus(errno, "locking " + path.string());
  // The pid is for people; a full disk must not keep a run from resuming, so a failure to write it is none.
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(descriptor, 0) != 0 || ::pwrite(descriptor, pid.data(), pid.size(), 0) < 0) errno = 0;
  return lock;
}

RunLock::~RunLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace consilium::trainer
