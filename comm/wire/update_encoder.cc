#include <cmath>
#include <limits>

#include "comm/wire/update_codec.h"

namespace consilium::wire {
namespace {

using tensor::Compression;
using tensor::DType;

template <typename T>
EncodedTensor Encoded(std::string name, DType dtype, std::vector<std::int64_t> shape, const std::vector<T>& values) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(values.data());
  return {{std::move(name), dtype, std::move(shape)}, Bytes(bytes, bytes + values.size() * sizeof(T))};
}

template <typename T>
std::vector<std::int64_t> Length(const std::vector<T>& values) {
  return {static_cast<std::int64_t>(values.size())};
}

// Each of these appends a tensor's parts and leaves in `values` what decoding will not give back.
void AddHalf(const tensor::TensorSpec& spec, std::span<float> values, std::vector<EncodedTensor>* out) {
  const float scale = tensor::HalfScale(values);
  std::vector<std::uint16_t> halves(values.size());
  tensor::EncodeHalf(values, scale, halves);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] -= tensor::FloatFromHalf(halves[i]) * scale;
  out->push_back(Encoded(spec.name, DType::kF16, spec.shape, halves));
  out->push_back(Encoded("codec.scale." + spec.name, DType::kF32, {}, std::vector<float>{scale}));
}

void AddInt8(const tensor::TensorSpec& spec, std::span<float> values, Rng* dither, std::vector<EncodedTensor>* out) {
  std::vector<std::int8_t> codes(values.size());
  std::vector<float> scales;
  for (std::size_t at = 0; at < values.size(); at += tensor::kInt8BlockValues) {
    const std::span<float> block = values.subspan(at, std::min(tensor::kInt8BlockValues, values.size() - at));
    const float scale = tensor::Int8Scale(block);
    tensor::EncodeInt8(block, scale, dither, std::span(codes).subspan(at));
    for (std::size_t i = 0; i < block.size(); ++i) block[i] -= scale * static_cast<float>(codes[at + i]);
    scales.push_back(scale);
  }
  out->push_back(Encoded(spec.name, DType::kI8, spec.shape, codes));
  out->push_back(Encoded("codec.scale." + spec.name, DType::kF32, Length(scales), scales));
}

Status AddTopK(const tensor::TensorSpec& spec, std::span<float> values, double fraction,
               std::vector<EncodedTensor>* out) {
  if (values.size() > std::numeric_limits<std::int32_t>::max())
    return InvalidArgument("tensor '", spec.name, "' has ", values.size(), " values; topk takes fewer than 2^31");
  const auto wanted = static_cast<std::size_t>(std::ceil(fraction * static_cast<double>(values.size())));
  std::vector<std::uint16_t> indices;
  std::vector<float> kept;
  std::vector<std::int32_t> ends((values.size() + kTopKBlockValues - 1) / kTopKBlockValues);
  for (const std::uint32_t i : tensor::LargestMagnitudes(values, std::min(wanted, values.size()))) {
    indices.push_back(static_cast<std::uint16_t>(i % kTopKBlockValues));
    kept.push_back(values[i]);
    ++ends[i / kTopKBlockValues];
    values[i] = 0;
  }
  for (std::size_t block = 1; block < ends.size(); ++block) ends[block] += ends[block - 1];
  out->push_back(Encoded("codec.index." + spec.name, DType::kU16, Length(indices), indices));
  out->push_back(Encoded("codec.value." + spec.name, DType::kF32, Length(kept), kept));
  out->push_back(Encoded("codec.end." + spec.name, DType::kI32, Length(ends), ends));
  return Status();
}

Status CheckFinite(const tensor::TensorSpec& spec, std::span<const float> values) {
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!std::isfinite(values[i]))
      return InvalidArgument("tensor '", spec.name, "' differs from the global model by ", values[i], " at index ", i,
                             "; training has diverged");
  return Status();
}

}  // namespace

StatusOr<EncodedDelta> EncodeDelta(const tensor::ParameterVector& delta, const tensor::ParameterVector* residual,
                                   const tensor::CompressionSpec& spec, std::uint64_t seed) {
  CONSILIUM_CHECK(spec.scheme != Compression::kNone, "nothing to encode");
  if (residual)
    RETURN_IF_ERROR(Annotate(delta.schema().CheckSame(residual->schema()), "the residual of an earlier round"));
  EncodedDelta encoded;
  tensor::ParameterVector rest = delta;
  for (std::size_t i = 0; residual && i < rest.values().size(); ++i) rest.values()[i] += residual->values()[i];
  for (std::size_t i = 0; i < delta.schema().tensors().size(); ++i) {
    const tensor::TensorSpec& tensor = delta.schema().tensors()[i];
    const std::span<float> values = rest.tensor(i);
    RETURN_IF_ERROR(CheckFinite(tensor, values));
    Rng dither(seed, i);
    switch (spec.scheme) {
      case Compression::kHalf:
        AddHalf(tensor, values, &encoded.tensors);
        break;
      case Compression::kInt8:
        AddInt8(tensor, values, spec.error_feedback ? nullptr : &dither, &encoded.tensors);
        break;
      default:
        RETURN_IF_ERROR(AddTopK(tensor, values, spec.fraction, &encoded.tensors));
    }
  }
  if (spec.error_feedback) encoded.residual = std::move(rest);
  return encoded;
}

}  // namespace consilium::wire
