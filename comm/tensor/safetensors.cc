#include "comm/tensor/safetensors.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "comm/base/json.h"

namespace consilium::tensor {
namespace {

constexpr char kMetadataKey[] = "__metadata__";
constexpr int kRankMax = 16;

struct Entry {
  TensorSpec spec;
  std::uint64_t begin = 0, end = 0;  // in the data section
};

Status ParseEntry(const std::string& name, const Json& value, std::uint64_t data_bytes, Entry* entry) {
  if (!value.is_object() || !value.contains("dtype") || !value.contains("shape") || !value.contains("data_offsets") ||
      !value["dtype"].is_string() || !value["shape"].is_array() || !value["data_offsets"].is_array() ||
      value["data_offsets"].size() != 2)
    return DataLoss("tensor '", name, "' needs dtype, shape and two data_offsets");
  entry->spec.name = name;
  ASSIGN_OR_RETURN(entry->spec.dtype, DTypeFromName(value["dtype"].get<std::string>()));
  if (value["shape"].size() > kRankMax) return DataLoss("tensor '", name, "' has more than ", kRankMax, " dimensions");
  for (const Json& size : value["shape"]) {
    if (!size.is_number_unsigned() || size.get<std::uint64_t>() > std::uint64_t{1} << 48)
      return DataLoss("tensor '", name, "' has a size that is not a sane whole number");
    entry->spec.shape.push_back(size.get<std::int64_t>());
  }
  for (const Json& offset : value["data_offsets"])
    if (!offset.is_number_unsigned())
      return DataLoss("tensor '", name, "' has a data offset that is not a whole number");
  entry->begin = value["data_offsets"][0].get<std::uint64_t>();
  entry->end = value["data_offsets"][1].get<std::uint64_t>();
  if (entry->begin > entry->end || entry->end > data_bytes)
    return DataLoss("tensor '", name, "' announces bytes ", entry->begin, " to ", entry->end, ", the file has ",
                    data_bytes);
  return Status();
}

Status ParseMetadata(const Json& value, Metadata* metadata) {
  if (!value.is_object()) return DataLoss("__metadata__ is not a map");
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string()) return DataLoss("__metadata__ '", key, "' is not text");
    (*metadata)[key] = text.get<std::string>();
  }
  return Status();
}

StatusOr<std::vector<Entry>> ParseHeader(const std::string& text, std::uint64_t data_bytes, Metadata* metadata) {
  const StatusOr<Json> json = ParseJson(text, "header");
  if (!json.ok()) return DataLoss(json.status().message());
  if (!json->is_object()) return DataLoss("the header is not a map");
  std::vector<Entry> entries;
  for (const auto& [name, value] : json->items()) {
    if (name == kMetadataKey) {
      RETURN_IF_ERROR(ParseMetadata(value, metadata));
    } else {
      RETURN_IF_ERROR(ParseEntry(name, value, data_bytes, &entries.emplace_back()));
    }
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
  std::uint64_t at = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != at)
      return DataLoss("tensor '", entry.spec.name, "' begins at byte ", entry.begin, ", expected ", at,
                      ": a gap or an overlap");
    at = entry.end;
  }
  if (at != data_bytes) return DataLoss("the tensors end at byte ", at, ", the file's data at ", data_bytes);
  return entries;
}

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
  file.descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
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
  StatusOr<std::vector<Entry>> entries = ParseHeader(header, size - data_begin, &file.metadata_);
  if (!entries.ok()) return Annotate(entries.status(), path.string());
  std::sort(entries->begin(), entries->end(), [](const Entry& a, const Entry& b) { return a.spec.name < b.spec.name; });
  std::vector<TensorSpec> specs;
  for (const Entry& entry : *entries) specs.push_back(entry.spec);
  const StatusOr<Schema> schema = Schema::Create(std::move(specs));  // also proves that shapes do not overflow
  if (!schema.ok()) return DataLoss(path.string(), ": ", schema.status().message());
  for (const Entry& entry : *entries) {
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
  std::string text = header.dump();
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
