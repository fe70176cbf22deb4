// safetensors files: 8 bytes little-endian header length, a JSON header {name: {dtype, shape, data_offsets}}, then raw
// little-endian tensors.  (https://github.com/huggingface/safetensors, "Format".)  Nothing in it can carry code.
//
// Files written here are canonical: tensors in name order without gaps, header padded with blanks to 8 bytes, so equal
// weights and metadata give equal files.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>

#include "comm/base/file.h"
#include "comm/tensor/parameter_vector.h"

namespace consilium::tensor {

using Metadata = std::map<std::string, std::string>;

// An open file whose header was checked against the file's real size: offsets ascending, within bounds, without
// overlap, equal to dtype x shape.  Move-only; Read is thread-safe (pread).
class SafetensorsFile {
 public:
  // Errors: NotFound, Storage; DataLoss for anything in the file that is not as announced (a header of 10 GB, a tensor
  // beyond the end, overlaps, unknown types).  Never allocates more than `header_bytes_max` on the file's word.
  static StatusOr<SafetensorsFile> Open(const std::filesystem::path& path, std::uint64_t header_bytes_max = 16 << 20);
  SafetensorsFile(SafetensorsFile&& other) noexcept;
  SafetensorsFile& operator=(SafetensorsFile&& other) noexcept;
  ~SafetensorsFile();

  const Schema& schema() const { return *schema_; }
  std::shared_ptr<const Schema> shared_schema() const { return schema_; }
  const Metadata& metadata() const { return metadata_; }
  // Reads bytes [offset, offset + out.size()) of tensor number `i` of the schema; must lie within the tensor.
  Status Read(std::size_t i, std::uint64_t offset, std::span<std::uint8_t> out) const;

 private:
  SafetensorsFile() = default;
  std::filesystem::path path_;
  int descriptor_ = -1;
  std::shared_ptr<const Schema> schema_;
  std::vector<std::uint64_t> offsets_;  // of each tensor in the file, schema order
  Metadata metadata_;
};

// Writes tensors in schema order as their bytes come.  Strand-bound.
class SafetensorsWriter {
 public:
  static StatusOr<SafetensorsWriter> Create(const std::filesystem::path& path, const Schema& schema,
                                            const Metadata& metadata = {});
  // The next bytes of the data section, in schema order.
  Status Append(ByteSpan bytes);
  // Durable and visible after this.  Errors: FailedPrecondition when bytes are missing.
  Status Commit();

 private:
  SafetensorsWriter(AtomicFile file, std::uint64_t remaining) : file_(std::move(file)), remaining_(remaining) {}
  AtomicFile file_;
  std::uint64_t remaining_;
};

// Whole vectors.
Status WriteParameters(const std::filesystem::path& path, const ParameterVector& parameters,
                       const Metadata& metadata = {});
StatusOr<ParameterVector> ReadParameters(const std::filesystem::path& path);

}  // namespace consilium::tensor
