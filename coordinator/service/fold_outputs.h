// The files that a fold writes: models tile by tile, and what a strategy keeps.  For aggregate.cc.
#pragma once

#include <optional>
#include <vector>

#include "comm/tensor/safetensors.h"
#include "coordinator/strategies/strategy.h"

namespace consilium::coordinator {

// A model file in the making: tiles in the order of the file.  Strand-bound.
class ModelOutput {
 public:
  static StatusOr<ModelOutput> Create(const std::filesystem::path& path, const tensor::SafetensorsFile& like);
  Status Append(std::span<const float> values);
  // Durable after this; returns the ParametersDigest (model_file.h).
  StatusOr<Digest> Commit();
  const std::filesystem::path& path() const { return path_; }

 private:
  ModelOutput(std::filesystem::path path, tensor::SafetensorsWriter writer)
      : path_(std::move(path)), writer_(std::move(writer)), hash_(std::make_unique<Sha256>()) {}
  std::filesystem::path path_;
  tensor::SafetensorsWriter writer_;
  std::unique_ptr<Sha256> hash_;
};

// A strategy's state: for each shared tensor its values' state numbers, side by side (shape [..., K]; K = 1: the
// tensor's own shape, so that SCAFFOLD's state is what its sites read), and the strategy's memory in the metadata.
class StateFile {
 public:
  // The state of the last round at `path`, or the initial one when it is empty.  Errors: DataLoss.
  static StatusOr<StateFile> Open(const std::filesystem::path& path, const Strategy& strategy,
                                  const tensor::Schema& shared);
  const Json& memory() const { return memory_; }
  std::size_t tensors() const { return tensors_.size(); }
  // Values [offset, ...) of shared tensor `tensor`: state[k] gets those of state tensor k.  `raw` is scratch of
  // tensors() times as many values.  Thread-safe.
  Status Read(std::size_t tensor, std::uint64_t offset, std::span<float> raw,
              std::span<const std::span<double>> state) const;
  StatusOr<tensor::SafetensorsWriter> Create(const std::filesystem::path& path, const Json& memory) const;

 private:
  StateFile() = default;
  std::string strategy_;
  std::vector<StateTensor> tensors_;
  tensor::Schema schema_;
  std::optional<tensor::SafetensorsFile> file_;
  Json memory_;
};

}  // namespace consilium::coordinator
