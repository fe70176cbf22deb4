// How one tensor of f32 values lies in an update file, as tensors that say what they are:
//   none   T: F32 [shape]
//   fp16   T: F16 [shape]                    codec.scale.T: F32 [], a power of two that the halves are multiplied by
//   int8   T: I8 [shape]                     codec.scale.T: F32 [blocks of 512 values]
//   topk   codec.index.T: U16 [n], ascending within a block of 65536 values; codec.value.T: F32 [n];
//          codec.end.T: I32 [blocks], how many entries this block and those before it have
// A block can be decoded alone, so a reader holds one block of one tensor, whatever the file's size.
#pragma once

#include <memory>
#include <optional>

#include "comm/tensor/compression.h"
#include "comm/tensor/safetensors.h"

namespace consilium::wire {

inline constexpr std::size_t kTopKBlockValues = 1 << 16;  // as many as a U16 can point at

// A tensor on its way into a file.
struct EncodedTensor {
  tensor::TensorSpec spec;
  Bytes bytes;
};

struct EncodedDelta {
  std::vector<EncodedTensor> tensors;
  // With error feedback: what decoding will not give back, to be added to the next delta.
  std::optional<tensor::ParameterVector> residual;
};

// `delta` + `residual` (null: zeros) encoded by `spec`, whose scheme is not kNone.  A pure function; `seed` is for
// random rounding (StreamOf job seed, site, round), so that repeated work gives equal bytes.  Errors: InvalidArgument
// when a value is not finite, or the residual is of another model.
StatusOr<EncodedDelta> EncodeDelta(const tensor::ParameterVector& delta, const tensor::ParameterVector* residual,
                                   const tensor::CompressionSpec& spec, std::uint64_t seed);

// One tensor of an open file, decoded piece by piece.  Thread-safe; the file outlives it.
class TensorDecoder {
 public:
  // Finds the parts and checks their types and shapes; marks them in `used`, which has one entry for each of the file's
  // tensors.  Errors: DataLoss, naming the tensor.
  static StatusOr<TensorDecoder> Open(const tensor::SafetensorsFile& file, const tensor::TensorSpec& spec,
                                      tensor::Compression compression, std::vector<bool>* used);
  // Values [offset, offset + out.size()) of the tensor.  Errors: DataLoss for what no encoder writes (a scale that is
  // not finite, indices out of order or bounds).
  Status Read(const tensor::SafetensorsFile& file, std::uint64_t offset, std::span<float> out) const;

 private:
  Status ReadHalf(const tensor::SafetensorsFile& file, std::uint64_t offset, std::span<float> out) const;
  Status ReadInt8(const tensor::SafetensorsFile& file, std::uint64_t offset, std::span<float> out) const;
  Status ReadTopK(const tensor::SafetensorsFile& file, std::uint64_t offset, std::span<float> out) const;
  Status ReadTopKBlock(const tensor::SafetensorsFile& file, std::uint64_t block, std::uint64_t offset,
                       std::span<float> out) const;
  Status Bad(const std::string& what) const;

  tensor::Compression compression_ = tensor::Compression::kNone;
  std::string name_;
  std::uint64_t values_ = 0;
  std::uint64_t entries_ = 0;                     // kTopK
  std::size_t data_ = 0, scale_ = 0, index_ = 0;  // tensors of the file; kTopK: data_ the values, scale_ the ends
};

}  // namespace consilium::wire
