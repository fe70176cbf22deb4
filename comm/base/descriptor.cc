#include "comm/base/descriptor.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace consilium {

Status WriteAll(int descriptor, ByteSpan bytes, const std::string& what) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoStatus(errno, what);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return Status();
}

Status WriteAt(int descriptor, std::uint64_t offset, ByteSpan bytes, const std::string& what) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(descriptor, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoStatus(errno, what);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
  return Status();
}

StatusOr<std::size_t> ReadAt(int descriptor, std::uint64_t offset, std::span<std::uint8_t> out,
                             const std::string& what) {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t size = ::pread(descriptor, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return ErrnoStatus(errno, what);
    if (size == 0) break;
    done += static_cast<std::size_t>(size);
  }
  return done;
}

StatusOr<InputFile> InputFile::Open(std::filesystem::path path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return ErrnoStatus(errno, "opening " + path.string());
  return InputFile(std::move(path), descriptor);
}

InputFile::InputFile(InputFile&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

InputFile::~InputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Status InputFile::Read(std::uint64_t offset, std::span<std::uint8_t> out) const {
  ASSIGN_OR_RETURN(const std::size_t size, ReadAt(descriptor_, offset, out, "reading " + path_.string()));
  if (size < out.size())
    return DataLoss(path_.string(), " ends at byte ", offset + size, ", expected ", offset + out.size(),
                    " or more: it has changed since its size was known");
  return Status();
}

}  // namespace consilium
