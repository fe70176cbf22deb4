#include "comm/tensor/safetensors.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "comm/base/json.h"
#include "comm/tensor/safetensors_header.h"

namespace consilium::tensor {
namespace {

constexpr char kMetadataKey[] = "__metadata__";

Status ReadExactly(int descriptor, std::uint64_t offset, std::span<std::uint8_t> out) {
  while (!out.empty()) {
    const ssize_t size = ::pread(descriptor, out.data(), out.size(), static_cast<off_t>(offset));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return ErrnoStatus(errno, "reading");
    if (size == 0) return DataLoss("the file ends at byte ", offset);
    out = out.subspan(static_cast<std::size_t>(size));
    offset += static_cast<std::uint64_t>(size);
  }
  return Status();
}

}  // namespace

SafetensorsFile::SafetensorsFile(SafetensorsFile&& other) noexcept { *this = std::move(other); }
SafetensorsFile& SafetensorsFile::operator=(SafetensorsFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(schema_, other.schema_);
  std::swap(offsets_, other.offsets_);
  std::swap(metadata_, other.metadata_);
  return *this;
}
SafetensorsFile::~SafetensorsFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

StatusOr<SafetensorsFile> SafetensorsFile::Open(const std::filesystem::path& path, std::uint64_t header_bytes_max) {
  SafetensorsFile file;
  file.path_ = path;
  file.descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a pipe would wait
  if (file.descriptor_ < 0) return ErrnoStatus(errno, "opening " + path.string());
  struct stat info {};
  if (::fstat(file.descriptor_, &info) != 0) return ErrnoStatus(errno, "opening " + path.string());
  if (!S_ISREG(info.st_mode)) return DataLoss(path.string(), " is not a file");
  const auto size = static_cast<std::uint64_t>(info.st_size);
  std::uint64_t header_bytes = 0;
  if (size < sizeof header_bytes) return DataLoss(path.string(), " is not a safetensors file: only ", size, " bytes");
  RETURN_IF_ERROR(
      Annotate(ReadExactly(file.descriptor_, 0, {reinterpret_cast<std::uint8_t*>(&header_bytes), sizeof header_bytes}),
               path.string()));
  if (header_bytes > size - sizeof header_bytes || header_bytes > header_bytes_max)
    return DataLoss(path.string(), " announces a header of ", header_bytes, " bytes; the file has ", size,
                    " bytes and headers may have ", header_bytes_max);
  std::string header(header_bytes, '\0');
  RETURN_IF_ERROR(Annotate(ReadExactly(file.descriptor_, sizeof header_bytes,
                                       {reinterpret_cast<std::uint8_t*>(header.data()), header.size()}),
                           path.string()));
  const std::uint64_t data_begin = sizeof header_bytes + header_bytes;
  StatusOr<SafetensorsHeader> parsed = ParseSafetensorsHeader(header, size - data_begin);
  if (!parsed.ok()) return Annotate(parsed.status(), path.string());
  file.metadata_ = std::move(parsed->metadata);
  std::vector<TensorSpec> specs;
  for (const HeaderEntry& entry : parsed->entries) specs.push_back(entry.spec);
  const StatusOr<Schema> schema = Schema::Create(std::move(specs));  // also proves that shapes do not overflow
  if (!schema.ok()) return DataLoss(path.string(), ": ", schema.status().message());
  for (const HeaderEntry& entry : parsed->entries) {
    if (entry.spec.bytes() != entry.end - entry.begin)
      return DataLoss(path.string(), ": tensor '", entry.spec.name, "' has ", entry.end - entry.begin,
                      " bytes, its shape needs ", entry.spec.bytes());
    file.offsets_.push_back(data_begin + entry.begin);
  }
  file.schema_ = std::make_shared<const Schema>(*schema);
  return file;
}

Status SafetensorsFile::Read(std::size_t i, std::uint64_t offset, std::span<std::uint8_t> out) const {
  const std::uint64_t bytes = schema_->tensors()[i].bytes();
  CONSILIUM_CHECK(offset <= bytes && out.size() <= bytes - offset, "read beyond tensor ", i);
  return Annotate(ReadExactly(descriptor_, offsets_[i] + offset, out), path_.string());
}

StatusOr<SafetensorsWriter> SafetensorsWriter::Create(const std::filesystem::path& path, const Schema& schema,
                                                      const Metadata& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) header[kMetadataKey] = metadata;
  std::uint64_t at = 0;
  for (const TensorSpec& spec : schema.tensors()) {
    header[spec.name] = {
        {"dtype", DTypeName(spec.dtype)}, {"shape", spec.shape}, {"data_offsets", {at, at + spec.bytes()}}};
    at += spec.bytes();
  }
  std::string text = header.dump(-1, ' ', false, Json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const std::uint64_t header_bytes = text.size();
  ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
  RETURN_IF_ERROR(file.Write({reinterpret_cast<const std::uint8_t*>(&header_bytes), sizeof header_bytes}));
  RETURN_IF_ERROR(file.Write(text));
  return SafetensorsWriter(std::move(file), at);
}

Status SafetensorsWriter::Append(ByteSpan bytes) {
  if (bytes.size() > remaining_) return FailedPrecondition("more tensor bytes were written than the schema has");
  remaining_ -= bytes.size();
  return file_.Write(bytes);
}

Status SafetensorsWriter::Commit() {
  if (remaining_ != 0) return FailedPrecondition(remaining_, " tensor bytes are missing");
  return file_.Commit();
}

Status WriteParameters(const std::filesystem::path& path, const ParameterVector& parameters, const Metadata& metadata) {
  ASSIGN_OR_RETURN(SafetensorsWriter writer, SafetensorsWriter::Create(path, parameters.schema(), metadata));
  RETURN_IF_ERROR(writer.Append(
      {reinterpret_cast<const std::uint8_t*>(parameters.values().data()), parameters.values().size_bytes()}));
  return writer.Commit();
}

StatusOr<ParameterVector> ReadParameters(const std::filesystem::path& path) {
  ASSIGN_OR_RETURN(const SafetensorsFile file, SafetensorsFile::Open(path));
  StatusOr<ParameterVector> parameters = ParameterVector::Zeros(file.shared_schema());
  if (!parameters.ok()) return Annotate(parameters.status(), path.string());
  for (std::size_t i = 0; i < file.schema().tensors().size(); ++i) {
    const std::span<float> values = parameters->tensor(i);
    RETURN_IF_ERROR(file.Read(i, 0, {reinterpret_cast<std::uint8_t*>(values.data()), values.size_bytes()}));
  }
  return parameters;
}

}  // namespace consilium::tensor
