#include "coordinator/service/model_file.h"

#include <algorithm>
#include <functional>

#include "comm/wire/shared_schema.h"
#include "comm/wire/update_format.h"
#include "coordinator/core/fold.h"

namespace consilium::coordinator {
namespace {

using tensor::SafetensorsFile;

constexpr std::size_t kTileValues = 64 << 10;  // 256 KiB

struct Tile {
  std::size_t tensor = 0;
  std::uint64_t offset = 0;  // in bytes, within the tensor
  std::size_t values = 0;
};

ByteSpan RawBytes(std::span<const float> values) {
  return {reinterpret_cast<const std::uint8_t*>(values.data()), values.size_bytes()};
}

Status ReadTile(const SafetensorsFile& file, const Tile& tile, std::span<float> out) {
  return file.Read(tile.tensor, tile.offset, {reinterpret_cast<std::uint8_t*>(out.data()), out.size_bytes()});
}

Status ForEachTile(const tensor::Schema& schema, const std::function<Status(const Tile&)>& visit) {
  for (std::size_t i = 0; i < schema.tensors().size(); ++i) {
    const std::uint64_t bytes = schema.tensors()[i].bytes();
    for (std::uint64_t offset = 0; offset < bytes; offset += kTileValues * sizeof(float)) {
      const std::uint64_t left = (bytes - offset) / sizeof(float);
      RETURN_IF_ERROR(visit({i, offset, static_cast<std::size_t>(std::min<std::uint64_t>(left, kTileValues))}));
    }
  }
  return Status();
}

Status CheckAllF32(const tensor::Schema& schema) {
  for (const tensor::TensorSpec& spec : schema.tensors())
    if (spec.dtype != tensor::DType::kF32)
      return InvalidArgument("tensor '", spec.name, "' is ", tensor::DTypeName(spec.dtype),
                             "; a federation averages F32 tensors only");
  return schema.elements() > 0 ? Status() : InvalidArgument("it has no values");
}

Status CheckFinite(const SafetensorsFile& file) {
  std::vector<float> buffer(kTileValues);
  return ForEachTile(file.schema(), [&](const Tile& tile) -> Status {
    const std::span<float> values(buffer.data(), tile.values);
    RETURN_IF_ERROR(ReadTile(file, tile, values));
    const std::optional<std::size_t> bad = FirstNotFinite(values);
    if (!bad) return Status();
    return InvalidArgument("tensor '", file.schema().tensors()[tile.tensor].name, "' has ", values[*bad], " at index ",
                           tile.offset / sizeof(float) + *bad, "; every value must be finite");
  });
}

}  // namespace

Status CheckModelFile(const std::filesystem::path& path) {
  ASSIGN_OR_RETURN(const SafetensorsFile file, SafetensorsFile::Open(path));
  RETURN_IF_ERROR(Annotate(CheckAllF32(file.schema()), path.string()));
  return Annotate(CheckFinite(file), path.string());
}

Status CheckUpdateFile(const std::filesystem::path& update, const std::filesystem::path& model,
                       const UpdateRules& rules) {
  ASSIGN_OR_RETURN(const SafetensorsFile ours, SafetensorsFile::Open(model));
  ASSIGN_OR_RETURN(tensor::Schema shared, wire::SharedSchema(ours.schema(), rules.personal));
  // The site reads this: where we keep things is none of its business.
  const auto as_data_loss = [&](const Status& status) {
    if (status.code() == StatusCode::kStorage) return status;  // our disk, not the site's update
    std::string text = status.message();
    if (const std::size_t at = text.find(update.string()); at != std::string::npos)
      text.replace(at, update.string().size(), "the file");
    return status.ok() ? status : DataLoss("the update is unusable: ", text);
  };
  const auto theirs =
      wire::UpdateReader::Open(update, std::make_shared<const tensor::Schema>(std::move(shared)), rules.auxiliary);
  if (theirs.code() == StatusCode::kNotFound) return DataLoss("the update was announced but never uploaded");
  if (!theirs.ok()) return as_data_loss(theirs.status());
  return as_data_loss(theirs->Check());
}

StatusOr<Digest> ParametersDigest(const std::filesystem::path& path) {
  ASSIGN_OR_RETURN(const SafetensorsFile file, SafetensorsFile::Open(path));
  Sha256 hash;
  hash.Update(file.schema().digest().bytes);
  std::vector<float> buffer(kTileValues);
  RETURN_IF_ERROR(ForEachTile(file.schema(), [&](const Tile& tile) -> Status {
    const std::span<float> values(buffer.data(), tile.values);
    RETURN_IF_ERROR(ReadTile(file, tile, values));
    hash.Update(RawBytes(values));
    return Status();
  }));
  return hash.Finish();
}

}  // namespace consilium::coordinator
