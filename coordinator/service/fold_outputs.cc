#include "coordinator/service/fold_outputs.h"

#include <algorithm>

namespace consilium::coordinator {
namespace {

constexpr char kStrategyKey[] = "consilium.strategy";
constexpr char kTensorsKey[] = "consilium.state";
constexpr char kMemoryKey[] = "consilium.memory";

ByteSpan RawBytes(std::span<const float> values) {
  return {reinterpret_cast<const std::uint8_t*>(values.data()), values.size_bytes()};
}

StatusOr<tensor::Schema> StateSchema(const tensor::Schema& shared, std::size_t tensors) {
  std::vector<tensor::TensorSpec> specs;
  for (tensor::TensorSpec spec : shared.tensors()) {
    if (tensors > 1) spec.shape.push_back(static_cast<std::int64_t>(tensors));
    if (tensors > 0) specs.push_back(std::move(spec));
  }
  return tensor::Schema::Create(std::move(specs));
}

std::string NamesOf(const std::vector<StateTensor>& tensors) {
  std::string names;
  for (const StateTensor& tensor : tensors) names += (names.empty() ? "" : ",") + std::string(tensor.name);
  return names;
}

}  // namespace

StatusOr<ModelOutput> ModelOutput::Create(const std::filesystem::path& path, const tensor::SafetensorsFile& like) {
  ASSIGN_OR_RETURN(tensor::SafetensorsWriter writer,
                   tensor::SafetensorsWriter::Create(path, like.schema(), like.metadata()));
  ModelOutput output(path, std::move(writer));
  output.hash_->Update(like.schema().digest().bytes);
  return output;
}

Status ModelOutput::Append(std::span<const float> values) {
  hash_->Update(RawBytes(values));
  return writer_.Append(RawBytes(values));
}

StatusOr<Digest> ModelOutput::Commit() {
  RETURN_IF_ERROR(writer_.Commit());
  return hash_->Finish();
}

StatusOr<StateFile> StateFile::Open(const std::filesystem::path& path, const Strategy& strategy,
                                    const tensor::Schema& shared) {
  StateFile state;
  state.strategy_ = strategy.spec().name;
  state.tensors_ = strategy.state();
  ASSIGN_OR_RETURN(state.schema_, StateSchema(shared, state.tensors_.size()));
  if (path.empty()) return state;
  ASSIGN_OR_RETURN(tensor::SafetensorsFile file, tensor::SafetensorsFile::Open(path));
  const auto value = [&](const char* key) {
    const auto found = file.metadata().find(key);
    return found == file.metadata().end() ? std::string() : found->second;
  };
  if (value(kStrategyKey) != state.strategy_ || value(kTensorsKey) != NamesOf(state.tensors_))
    return DataLoss(path.string(), " keeps '", value(kTensorsKey), "' of strategy '", value(kStrategyKey),
                    "', expected '", NamesOf(state.tensors_), "' of '", state.strategy_, "'");
  RETURN_IF_ERROR(Annotate(file.schema().CheckSame(state.schema_), path.string(), " is no state of this model"));
  if (const std::string memory = value(kMemoryKey); !memory.empty()) {
    state.memory_ = Json::parse(memory, nullptr, /*allow_exceptions=*/false);
    if (!state.memory_.is_object()) return DataLoss(path.string(), ": ", kMemoryKey, " is damaged");
  }
  state.file_ = std::move(file);
  return state;
}

Status StateFile::Read(std::size_t tensor, std::uint64_t offset, std::span<float> raw,
                       std::span<const std::span<double>> state) const {
  const std::size_t count = tensors_.size();
  if (count == 0) return Status();  // a file of memory alone
  if (!file_) {
    for (std::size_t k = 0; k < count; ++k) std::ranges::fill(state[k], static_cast<float>(tensors_[k].initial));
    return Status();
  }
  RETURN_IF_ERROR(file_->Read(tensor, offset * count * sizeof(float),
                              {reinterpret_cast<std::uint8_t*>(raw.data()), raw.size_bytes()}));
  for (std::size_t k = 0; k < count; ++k)
    for (std::size_t i = 0; i < state[k].size(); ++i) state[k][i] = raw[i * count + k];
  return Status();
}

StatusOr<tensor::SafetensorsWriter> StateFile::Create(const std::filesystem::path& path, const Json& memory) const {
  tensor::Metadata metadata = {{kStrategyKey, strategy_}, {kTensorsKey, NamesOf(tensors_)}};
  if (!memory.is_null()) metadata[kMemoryKey] = memory.dump();
  return tensor::SafetensorsWriter::Create(path, schema_, metadata);
}

}  // namespace consilium::coordinator
