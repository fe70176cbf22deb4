#include "coordinator/service/local_model.h"

#include <algorithm>

#include "comm/wire/shared_schema.h"
#include "comm/wire/update_format.h"

namespace consilium::coordinator {
namespace {

constexpr std::uint64_t kTileValues = 64 << 10;

std::span<std::uint8_t> RawBytes(std::span<float> values) {
  return {reinterpret_cast<std::uint8_t*>(values.data()), values.size_bytes()};
}

}  // namespace

Status WriteLocalModel(const std::filesystem::path& update, const std::filesystem::path& base, const UpdateRules& rules,
                       const std::filesystem::path& output) {
  ASSIGN_OR_RETURN(const tensor::SafetensorsFile ours, tensor::SafetensorsFile::Open(base));
  ASSIGN_OR_RETURN(tensor::Schema schema, wire::SharedSchema(ours.schema(), rules.personal));
  const auto shared = std::make_shared<const tensor::Schema>(std::move(schema));
  ASSIGN_OR_RETURN(const wire::UpdateReader theirs, wire::UpdateReader::Open(update, shared, rules.auxiliary));
  ASSIGN_OR_RETURN(tensor::SafetensorsWriter writer,
                   tensor::SafetensorsWriter::Create(output, ours.schema(), ours.metadata()));
  std::vector<float> model(kTileValues), moved(kTileValues);
  const auto& tensors = ours.schema().tensors();
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto found = std::find_if(shared->tensors().begin(), shared->tensors().end(),
                                    [&](const auto& tensor) { return tensor.name == tensors[i].name; });
    const auto number = static_cast<std::size_t>(found - shared->tensors().begin());
    const auto count = static_cast<std::uint64_t>(tensors[i].elements());
    for (std::uint64_t at = 0; at < count; at += kTileValues) {
      const std::uint64_t values = std::min(kTileValues, count - at);
      const std::span<float> tile = std::span(model).first(values);
      RETURN_IF_ERROR(ours.Read(i, at * sizeof(float), RawBytes(tile)));
      if (found != shared->tensors().end()) {
        const std::span<float> said = std::span(moved).first(values);
        RETURN_IF_ERROR(theirs.ReadTile(number, at, said));
        for (std::size_t k = 0; k < values; ++k)
          tile[k] = theirs.kind() == wire::UpdateKind::kDelta ? tile[k] + said[k] : said[k];
      }
      RETURN_IF_ERROR(writer.Append(RawBytes(tile)));
    }
  }
  return writer.Commit();
}

}  // namespace consilium::coordinator
