#include "coordinator/service/fold_files.h"

#include <algorithm>

#include "comm/tensor/safetensors.h"
#include "coordinator/core/fold.h"

namespace consilium::coordinator {
namespace {

// 64 Ki values: 256 KiB a file and 512 KiB of sums, which stay in the second-level cache.
constexpr std::size_t kTileValues = 1 << 16;

std::span<std::uint8_t> BytesOf(std::span<float> values) {
  return {reinterpret_cast<std::uint8_t*>(values.data()), values.size_bytes()};
}

// Calls `visit(tensor number, first value, number of values)` for each tile of the schema, in order.
template <typename Visit>
Status ForEachTile(const tensor::Schema& schema, Visit visit) {
  for (std::size_t i = 0; i < schema.tensors().size(); ++i) {
    const auto elements = static_cast<std::size_t>(schema.tensors()[i].elements());
    for (std::size_t first = 0; first < elements; first += kTileValues)
      RETURN_IF_ERROR(visit(i, first, std::min(kTileValues, elements - first)));
  }
  return Status();
}

}  // namespace

StatusOr<Digest> FoldFiles(const std::vector<FoldInput>& inputs, const std::filesystem::path& out) {
  CONSILIUM_CHECK(!inputs.empty(), "a fold of nothing");
  std::vector<tensor::SafetensorsFile> files;
  std::vector<double> weights;
  for (const FoldInput& input : inputs) {
    ASSIGN_OR_RETURN(tensor::SafetensorsFile file, tensor::SafetensorsFile::Open(input.file));
    files.push_back(std::move(file));
    weights.push_back(input.weight);
    RETURN_IF_ERROR(Annotate(files.front().schema().CheckSame(files.back().schema()), input.file.string()));
  }
  const tensor::Schema& schema = files.front().schema();
  const std::vector<double> shares = SharesOf(weights);
  ASSIGN_OR_RETURN(tensor::SafetensorsWriter writer, tensor::SafetensorsWriter::Create(out, schema, {{"format", "pt"}}));
  Sha256 digest;
  digest.Update(schema.digest().bytes);
  std::vector<float> tile(kTileValues);
  std::vector<double> sum(kTileValues);
  RETURN_IF_ERROR(ForEachTile(schema, [&](std::size_t i, std::size_t first, std::size_t size) -> Status {
    const std::span<float> values(tile.data(), size);
    const std::span<double> sums(sum.data(), size);
    for (std::size_t k = 0; k < files.size(); ++k) {
      RETURN_IF_ERROR(files[k].Read(i, first * sizeof(float), BytesOf(values)));
      k == 0 ? StartFold(shares[k], values, sums) : AddToFold(shares[k], values, sums);
    }
    FinishFold(sums, values);
    digest.Update(BytesOf(values));
    return writer.Append(BytesOf(values));
  }));
  RETURN_IF_ERROR(writer.Commit());
  return digest.Finish();
}

Status CheckUpdateFile(const std::filesystem::path& file, const tensor::Schema& expected) {
  ASSIGN_OR_RETURN(const tensor::SafetensorsFile update, tensor::SafetensorsFile::Open(file));
  RETURN_IF_ERROR(expected.CheckSame(update.schema()));
  std::vector<float> tile(kTileValues);
  return ForEachTile(expected, [&](std::size_t i, std::size_t first, std::size_t size) -> Status {
    const std::span<float> values(tile.data(), size);
    RETURN_IF_ERROR(update.Read(i, first * sizeof(float), BytesOf(values)));
    if (const auto bad = FirstNotFinite(values))
      return InvalidArgument("tensor '", expected.tensors()[i].name, "' has a value that is not finite, at index ", first + *bad);
    return Status();
  });
}

}  // namespace consilium::coordinator
