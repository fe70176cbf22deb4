#include "comm/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "comm/base/descriptor.h"

namespace consilium {

namespace fs = std::filesystem;

namespace {

// Another name each time; a crashed process of the same pid may have left one behind, so callers try the next on
// EEXIST.
fs::path TemporaryName(const fs::path& path) {
  static std::atomic<unsigned> counter{0};
  return path.string() + Concat(".tmp.", ::getpid(), ".", counter.fetch_add(1));
}

}  // namespace

AtomicFile::AtomicFile(fs::path path, fs::path temporary, int descriptor)
    : path_(std::move(path)), temporary_(std::move(temporary)), descriptor_(descriptor) {}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      descriptor_(std::exchange(other.descriptor_, -1)),
      failure_(std::move(other.failure_)) {}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

StatusOr<AtomicFile> AtomicFile::Create(fs::path path, int mode) {
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  if (::access("/proc/self/fd", X_OK) == 0) {  // through which NameIt() links it
    const int descriptor = ::open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, mode);
    if (descriptor >= 0) return AtomicFile(std::move(path), "", descriptor);
  }
  for (;;) {
    const fs::path temporary = TemporaryName(path);
    const int descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (descriptor >= 0) return AtomicFile(std::move(path), temporary, descriptor);
    if (errno != EEXIST) return ErrnoStatus(errno, "creating " + path.string());
  }
}

Status AtomicFile::Write(ByteSpan bytes) {
  if (failure_.ok()) failure_ = WriteAll(descriptor_, bytes, "writing " + path_.string());
  return failure_;
}

Status AtomicFile::NameIt() {
  const std::string nameless = Concat("/proc/self/fd/", descriptor_);
  for (;;) {
    const fs::path temporary = TemporaryName(path_);
    if (::linkat(AT_FDCWD, nameless.c_str(), AT_FDCWD, temporary.c_str(), AT_SYMLINK_FOLLOW) == 0) {
      temporary_ = temporary;
      return Status();
    }
    if (errno != EEXIST) return ErrnoStatus(errno, "naming " + path_.string());
  }
}

Status AtomicFile::Commit() {
  RETURN_IF_ERROR(failure_);
  if (::fsync(descriptor_) != 0) return ErrnoStatus(errno, "syncing " + path_.string());
  if (temporary_.empty()) RETURN_IF_ERROR(NameIt());
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) return ErrnoStatus(errno, "renaming onto " + path_.string());
  temporary_.clear();
  ::close(std::exchange(descriptor_, -1));
  return SyncDirectory(path_.parent_path());
}

Status SyncDirectory(const fs::path& path) {
  const fs::path folder = path.empty() ? "." : path;
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return ErrnoStatus(errno, "opening " + folder.string());
  const int result = ::fsync(descriptor);
  const int error = errno;
  ::close(descriptor);
  // Some network file systems refuse to fsync a folder; there the rename is as durable as it gets.
  if (result != 0 && error != EINVAL) return ErrnoStatus(error, "syncing " + folder.string());
  return Status();
}

Status WriteFileAtomic(const fs::path& path, ByteSpan bytes, int mode) {
  ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path, mode));
  RETURN_IF_ERROR(file.Write(bytes));
  return file.Commit();
}

StatusOr<std::string> ReadFile(const fs::path& path, std::size_t size_max) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return ErrnoStatus(errno, "opening " + path.string());
  struct Closer {
    int descriptor;
    ~Closer() { ::close(descriptor); }
  } closer{descriptor};
  std::string content;
  char buffer[1 << 16];
  for (;;) {
    const ssize_t size = ::read(descriptor, buffer, sizeof buffer);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return ErrnoStatus(errno, "reading " + path.string());
    if (size == 0) return content;
    if (content.size() + static_cast<std::size_t>(size) > size_max)
      return ResourceExhausted(path.string(), " is larger than the ", size_max, " bytes allowed");
    content.append(buffer, static_cast<std::size_t>(size));
  }
}

Status MakeDirectories(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  return error ? ErrnoStatus(error.value(), "creating folder " + path.string()) : Status();
}

}  // namespace consilium
