// Whole reads and writes at places of an open file: what read(2) and write(2) may do in parts.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "comm/base/bytes.h"

namespace consilium {

// `descriptor` is an open file.  Errors: that of the system call, behind `what` ("writing PATH").
Status WriteAll(int descriptor, ByteSpan bytes, const std::string& what);
Status WriteAt(int descriptor, std::uint64_t offset, ByteSpan bytes, const std::string& what);
// Fills `out` as far as the file goes; how many bytes that were.
StatusOr<std::size_t> ReadAt(int descriptor, std::uint64_t offset, std::span<std::uint8_t> out,
                             const std::string& what);

// A file that is read here and there.  Move-only.  Thread-safe.
class InputFile {
 public:
  static StatusOr<InputFile> Open(std::filesystem::path path);
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&&) = delete;
  ~InputFile();

  // All of `out`.  Errors name the file; DataLoss when it ends before: it has changed since its size was known.
  Status Read(std::uint64_t offset, std::span<std::uint8_t> out) const;

 private:
  InputFile(std::filesystem::path path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  std::filesystem::path path_;
  int descriptor_;
};

}  // namespace consilium
