// Files that are either whole or absent.  All errors name the file; a full disk is kStorage.
#pragma once

#include <filesystem>
#include <string>

#include "comm/base/bytes.h"

namespace consilium {

// Writes to a file without a name in the same folder; Commit() fsyncs it, names it, renames it over `path` and fsyncs
// the folder.  Destroyed without Commit(), or the process killed before it: nothing remains.  (Where a file system has
// no nameless files, a neighbour "path.tmp.*" is written instead, and SIGKILL can leave that behind.)  After a failed
// Write() Commit() fails too, so that a truncated file never takes the name.  Strand-bound.
class AtomicFile {
 public:
  static StatusOr<AtomicFile> Create(std::filesystem::path path, int mode = 0644);
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  Status Write(ByteSpan bytes);
  Status Write(std::string_view text) { return Write(AsBytes(text)); }
  Status Commit();

 private:
  AtomicFile(std::filesystem::path path, std::filesystem::path temporary, int descriptor);
  Status NameIt();
  std::filesystem::path path_, temporary_;  // temporary_ is empty while the file has no name
  int descriptor_;
  Status failure_;
};

Status WriteFileAtomic(const std::filesystem::path& path, ByteSpan bytes, int mode = 0644);
inline Status WriteFileAtomic(const std::filesystem::path& path, std::string_view text, int mode = 0644) {
  return WriteFileAtomic(path, AsBytes(text), mode);
}
// Refuses a file larger than `size_max` (kResourceExhausted), so that nobody's huge file fills our memory.
StatusOr<std::string> ReadFile(const std::filesystem::path& path, std::size_t size_max = std::size_t{64} << 20);
Status MakeDirectories(const std::filesystem::path& path);
Status SyncDirectory(const std::filesystem::path& path);

}  // namespace consilium
