// The file that a site uploads: its trained weights, or their difference from the global model that it got.
//
// A safetensors file.  Metadata: "consilium.update" = weights | delta, "consilium.compression" = none | fp16 | int8 |
// topk; without them it is plain weights, what a site of protocol 1.0 sends.  Tensors: the shared ones
// (wire/shared_schema.h) under their own names; auxiliary ones, always f32, as "aux.WHAT.TENSOR" (SCAFFOLD:
// aux.control_delta.TENSOR).  A compressed update is a delta; where its bits lie is told in wire/update_codec.h.
#pragma once

#include <map>

#include "comm/wire/shared_schema.h"
#include "comm/wire/strategy.h"
#include "comm/wire/update_codec.h"

namespace consilium::wire {

std::string_view UpdateKindName(UpdateKind kind);  // "weights" | "delta"

// What to write.  All vectors have the shared schema and are borrowed for the call.
struct UpdateContents {
  UpdateKind kind = UpdateKind::kWeights;
  const tensor::ParameterVector* values = nullptr;                  // trained weights, or trained - received global
  std::map<std::string, const tensor::ParameterVector*> auxiliary;  // by WHAT, e.g. "control_delta"
  tensor::CompressionSpec compression;                              // kDelta only
  const tensor::ParameterVector* residual =
      nullptr;             // error feedback: what the last WriteUpdate returned; null at first
  std::uint64_t seed = 0;  // of random rounding: StreamOf({job seed, site, round})
};

// Writes the file (durable, whole or absent) and returns the residual to keep for the next round: empty unless the
// compression has error feedback.  The same contents give the same bytes.  Errors: InvalidArgument (a compressed update
// of weights, vectors of different schemas, values that are not finite when they are compressed), Storage.
StatusOr<std::optional<tensor::ParameterVector>> WriteUpdate(const std::filesystem::path& path,
                                                             const UpdateContents& contents);

// An update as it came from a peer, read tile by tile: memory for one block of one tensor, whatever the file claims.
// Move-only; reads are thread-safe.
class UpdateReader {
 public:
  // The file must hold `shared` (all f32), and each WHAT of `auxiliary` over the same tensors, and nothing else.
  // Errors: NotFound, Storage; DataLoss for anything that is not as announced, naming the tensor.
  static StatusOr<UpdateReader> Open(const std::filesystem::path& path, std::shared_ptr<const tensor::Schema> shared,
                                     const std::vector<std::string>& auxiliary = {});

  UpdateKind kind() const { return kind_; }
  tensor::Compression compression() const { return compression_; }
  const tensor::Schema& shared() const { return *shared_; }

  // Values [offset, offset + out.size()) of tensor number `tensor` of the shared schema, decoded; must lie within it.
  // Values of an uncompressed file are given as they are, NaN too.  Errors: DataLoss, Storage.
  Status ReadTile(std::size_t tensor, std::uint64_t offset, std::span<float> out) const;
  // The same of an auxiliary one, which Open was told of.
  Status ReadAuxiliaryTile(const std::string& what, std::size_t tensor, std::uint64_t offset,
                           std::span<float> out) const;
  // Reads everything: DataLoss names the first tensor and index that is not finite or not decodable.  Once it is OK,
  // all tiles are finite.
  Status Check() const;

 private:
  explicit UpdateReader(tensor::SafetensorsFile file) : file_(std::move(file)) {}

  tensor::SafetensorsFile file_;
  std::shared_ptr<const tensor::Schema> shared_;
  UpdateKind kind_ = UpdateKind::kWeights;
  tensor::Compression compression_ = tensor::Compression::kNone;
  std::vector<TensorDecoder> tensors_;                           // schema order
  std::map<std::string, std::vector<TensorDecoder>> auxiliary_;  // by WHAT, schema order
};

}  // namespace consilium::wire
