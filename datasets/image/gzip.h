// Bytes of a file that may be gzip-compressed, read in order and never trusted.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "comm/base/bytes.h"

namespace consilium::datasets {

// Reads a gzip file's content, or a plain file's bytes as they are.  Strand-bound.  Errors name the file.
class GzipReader {
 public:
  GzipReader(GzipReader&&) noexcept;
  ~GzipReader();
  // kNotFound and so on from the system; a folder or a device is kInvalidArgument.
  static StatusOr<GzipReader> Open(const std::filesystem::path& path);

  // What the content can at most amount to: the file's size, times deflate's largest ratio (1032) when it is
  // compressed.  What announces more is lying, and is refused before any memory is taken.
  std::uint64_t content_bytes_max() const { return content_bytes_max_; }

  // Fills all of `out`; a file that ends before that, or a broken stream, is kInvalidArgument.
  Status Read(std::span<std::uint8_t> out);
  Status Skip(std::uint64_t bytes);
  // Reads what is left, so that gzip's checksum is verified.
  Status Finish();

 private:
  struct Source;  // the open file and zlib's state, which must not move
  GzipReader(std::filesystem::path path, std::unique_ptr<Source> source, std::uint64_t content_bytes_max);
  // How many bytes arrived, at most out.size(); fewer only at the end.
  StatusOr<std::size_t> ReadSome(std::span<std::uint8_t> out);

  std::filesystem::path path_;
  std::unique_ptr<Source> source_;
  std::uint64_t content_bytes_max_;
  std::uint64_t at_ = 0;
};

// Compresses `content` into `path`, whole or not at all.  Equal content gives equal bytes (no time stamp inside).
Status WriteGzip(const std::filesystem::path& path, ByteSpan content);

}  // namespace consilium::datasets
