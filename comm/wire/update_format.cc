#include "comm/wire/update_format.h"

#include <algorithm>
#include <cmath>

namespace consilium::wire {
namespace {

using tensor::Compression;
using tensor::ParameterVector;
using tensor::TensorSpec;

constexpr char kKindKey[] = "consilium.update";
constexpr char kCompressionKey[] = "consilium.compression";
constexpr std::size_t kCheckValues = kTopKBlockValues;

// A tensor of the file, and where its bytes are.
struct Section {
  TensorSpec spec;
  ByteSpan bytes;
};

std::string AuxiliaryName(const std::string& what, const std::string& name) { return "aux." + what + "." + name; }

void AddSections(const ParameterVector& values, const std::string* what, std::vector<Section>* sections) {
  for (std::size_t i = 0; i < values.schema().tensors().size(); ++i) {
    TensorSpec spec = values.schema().tensors()[i];
    if (what) spec.name = AuxiliaryName(*what, spec.name);
    const std::span<const float> tensor = values.tensor(i);
    sections->push_back({std::move(spec), {reinterpret_cast<const std::uint8_t*>(tensor.data()), tensor.size_bytes()}});
  }
}

Status WriteSections(const std::filesystem::path& path, std::vector<Section> sections,
                     const tensor::Metadata& metadata) {
  std::sort(sections.begin(), sections.end(),
            [](const Section& a, const Section& b) { return a.spec.name < b.spec.name; });
  std::vector<TensorSpec> specs;
  for (const Section& section : sections) specs.push_back(section.spec);
  ASSIGN_OR_RETURN(const tensor::Schema schema, tensor::Schema::Create(std::move(specs)));
  ASSIGN_OR_RETURN(tensor::SafetensorsWriter writer, tensor::SafetensorsWriter::Create(path, schema, metadata));
  for (const Section& section : sections) RETURN_IF_ERROR(writer.Append(section.bytes));
  return writer.Commit();
}

Status CheckFinite(const TensorSpec& spec, const TensorDecoder& decoder, const tensor::SafetensorsFile& file) {
  std::vector<float> buffer(kCheckValues);
  const auto values = static_cast<std::uint64_t>(spec.elements());
  for (std::uint64_t at = 0; at < values; at += buffer.size()) {
    const std::span<float> tile(buffer.data(), std::min<std::uint64_t>(buffer.size(), values - at));
    RETURN_IF_ERROR(decoder.Read(file, at, tile));
    const auto bad = std::find_if_not(tile.begin(), tile.end(), [](float value) { return std::isfinite(value); });
    if (bad != tile.end())
      return DataLoss("tensor '", spec.name, "' has ", *bad, " at index ",
                      at + static_cast<std::uint64_t>(bad - tile.begin()), "; every value must be finite");
  }
  return Status();
}

}  // namespace

std::string_view UpdateKindName(UpdateKind kind) { return kind == UpdateKind::kDelta ? "delta" : "weights"; }

StatusOr<std::optional<ParameterVector>> WriteUpdate(const std::filesystem::path& path,
                                                     const UpdateContents& contents) {
  const bool compressed = contents.compression.scheme != Compression::kNone;
  if (compressed && contents.kind != UpdateKind::kDelta)
    return InvalidArgument("a compressed update must be a delta: weights do not bear rounding");
  std::vector<Section> sections;
  EncodedDelta encoded;
  if (compressed) {
    ASSIGN_OR_RETURN(encoded, EncodeDelta(*contents.values, contents.residual, contents.compression, contents.seed));
    for (const EncodedTensor& part : encoded.tensors) sections.push_back({part.spec, part.bytes});
  } else {
    AddSections(*contents.values, nullptr, &sections);
  }
  for (const auto& [what, values] : contents.auxiliary) {
    RETURN_IF_ERROR(Annotate(contents.values->schema().CheckSame(values->schema()), "auxiliary ", what));
    AddSections(*values, &what, &sections);
  }
  RETURN_IF_ERROR(
      WriteSections(path, std::move(sections),
                    {{kKindKey, std::string(UpdateKindName(contents.kind))},
                     {kCompressionKey, std::string(tensor::CompressionName(contents.compression.scheme))}}));
  return std::move(encoded.residual);
}

StatusOr<UpdateReader> UpdateReader::Open(const std::filesystem::path& path,
                                          std::shared_ptr<const tensor::Schema> shared,
                                          const std::vector<std::string>& auxiliary) {
  ASSIGN_OR_RETURN(tensor::SafetensorsFile file, tensor::SafetensorsFile::Open(path));
  UpdateReader reader(std::move(file));
  reader.shared_ = std::move(shared);
  const tensor::Metadata& metadata = reader.file_.metadata();
  if (const auto kind = metadata.find(kKindKey); kind != metadata.end()) {
    if (kind->second != "weights" && kind->second != "delta")
      return DataLoss(path.string(), ": ", kKindKey, " is '", kind->second.substr(0, 32),
                      "', expected weights or delta");
    reader.kind_ = kind->second == "delta" ? UpdateKind::kDelta : UpdateKind::kWeights;
  }
  if (const auto name = metadata.find(kCompressionKey); name != metadata.end()) {
    const StatusOr<Compression> compression = tensor::CompressionFromName(name->second);
    if (!compression.ok()) return DataLoss(path.string(), ": ", kCompressionKey, ": ", compression.status().message());
    reader.compression_ = *compression;
  }
  if (reader.compression_ != Compression::kNone && reader.kind_ != UpdateKind::kDelta)
    return DataLoss(path.string(), ": weights that are compressed; a compressed update is a delta");

  std::vector<bool> used(reader.file_.schema().tensors().size());
  for (const TensorSpec& spec : reader.shared_->tensors()) {
    auto decoder = TensorDecoder::Open(reader.file_, spec, reader.compression_, &used);
    if (!decoder.ok()) return Annotate(decoder.status(), path.string());
    reader.tensors_.push_back(std::move(*decoder));
    for (const std::string& what : auxiliary) {
      const TensorSpec named{AuxiliaryName(what, spec.name), spec.dtype, spec.shape};
      auto auxiliary_decoder = TensorDecoder::Open(reader.file_, named, Compression::kNone, &used);
      if (!auxiliary_decoder.ok()) return Annotate(auxiliary_decoder.status(), path.string());
      reader.auxiliary_[what].push_back(std::move(*auxiliary_decoder));
    }
  }
  if (const auto unknown = std::find(used.begin(), used.end(), false); unknown != used.end())
    return DataLoss(path.string(), ": tensor '",
                    reader.file_.schema().tensors()[static_cast<std::size_t>(unknown - used.begin())].name,
                    "' is not known here");
  return reader;
}

Status UpdateReader::ReadTile(std::size_t tensor, std::uint64_t offset, std::span<float> out) const {
  return tensors_[tensor].Read(file_, offset, out);
}

Status UpdateReader::ReadAuxiliaryTile(const std::string& what, std::size_t tensor, std::uint64_t offset,
                                       std::span<float> out) const {
  const auto found = auxiliary_.find(what);
  CONSILIUM_CHECK(found != auxiliary_.end(), "auxiliary ", what, " was not asked for when the update was opened");
  return found->second[tensor].Read(file_, offset, out);
}

Status UpdateReader::Check() const {
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    const TensorSpec& spec = shared_->tensors()[i];
    RETURN_IF_ERROR(CheckFinite(spec, tensors_[i], file_));
    for (const auto& [what, decoders] : auxiliary_)
      RETURN_IF_ERROR(CheckFinite({AuxiliaryName(what, spec.name), spec.dtype, spec.shape}, decoders[i], file_));
  }
  return Status();
}

}  // namespace consilium::wire
