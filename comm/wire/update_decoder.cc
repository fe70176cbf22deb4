#include <algorithm>
#include <bit>
#include <cmath>

#include "comm/wire/update_codec.h"

namespace consilium::wire {
namespace {

using tensor::Compression;
using tensor::DType;
using tensor::SafetensorsFile;
using tensor::TensorSpec;

constexpr std::size_t kPieceValues = 16 << 10;  // what is read at a time: bounds memory whatever the caller asks for

StatusOr<std::size_t> Find(const SafetensorsFile& file, const std::string& name, std::vector<bool>* used) {
  const auto& specs = file.schema().tensors();
  const auto found = std::lower_bound(specs.begin(), specs.end(), name,
                                      [](const TensorSpec& spec, const std::string& key) { return spec.name < key; });
  if (found == specs.end() || found->name != name) return DataLoss("tensor '", name, "' is missing");
  const auto i = static_cast<std::size_t>(found - specs.begin());
  (*used)[i] = true;
  return i;
}

StatusOr<std::size_t> Find(const SafetensorsFile& file, const TensorSpec& expected, std::vector<bool>* used) {
  ASSIGN_OR_RETURN(const std::size_t i, Find(file, expected.name, used));
  if (file.schema().tensors()[i] == expected) return i;
  ASSIGN_OR_RETURN(const tensor::Schema wanted, tensor::Schema::Create({expected}));
  ASSIGN_OR_RETURN(const tensor::Schema found, tensor::Schema::Create({file.schema().tensors()[i]}));
  return DataLoss(wanted.CheckSame(found).message());
}

template <typename T>
Status ReadValues(const SafetensorsFile& file, std::size_t tensor, std::uint64_t at, std::span<T> out) {
  return file.Read(tensor, at * sizeof(T), {reinterpret_cast<std::uint8_t*>(out.data()), out.size_bytes()});
}

}  // namespace

Status TensorDecoder::Bad(const std::string& what) const { return DataLoss("tensor '", name_, "' ", what); }

StatusOr<TensorDecoder> TensorDecoder::Open(const SafetensorsFile& file, const TensorSpec& spec,
                                            Compression compression, std::vector<bool>* used) {
  TensorDecoder decoder;
  decoder.compression_ = compression;
  decoder.name_ = spec.name;
  decoder.values_ = static_cast<std::uint64_t>(spec.elements());
  const auto blocks = [&](std::size_t size) { return static_cast<std::int64_t>((decoder.values_ + size - 1) / size); };
  const auto find = [&](const std::string& prefix, DType dtype, std::vector<std::int64_t> shape) {
    return Find(file, TensorSpec{prefix + spec.name, dtype, std::move(shape)}, used);
  };
  switch (compression) {
    case Compression::kNone: {
      ASSIGN_OR_RETURN(decoder.data_, find("", DType::kF32, spec.shape));
      break;
    }
    case Compression::kHalf: {
      ASSIGN_OR_RETURN(decoder.data_, find("", DType::kF16, spec.shape));
      ASSIGN_OR_RETURN(decoder.scale_, find("codec.scale.", DType::kF32, {}));
      break;
    }
    case Compression::kInt8: {
      ASSIGN_OR_RETURN(decoder.data_, find("", DType::kI8, spec.shape));
      ASSIGN_OR_RETURN(decoder.scale_, find("codec.scale.", DType::kF32, {blocks(tensor::kInt8BlockValues)}));
      break;
    }
    case Compression::kTopK: {
      ASSIGN_OR_RETURN(decoder.index_, Find(file, "codec.index." + spec.name, used));
      const std::int64_t entries = file.schema().tensors()[decoder.index_].elements();
      decoder.entries_ = static_cast<std::uint64_t>(entries);
      if (decoder.entries_ > decoder.values_)
        return decoder.Bad(Concat("has ", decoder.values_, " values, and ", entries, " entries for them"));
      ASSIGN_OR_RETURN(decoder.index_, find("codec.index.", DType::kU16, {entries}));
      ASSIGN_OR_RETURN(decoder.data_, find("codec.value.", DType::kF32, {entries}));
      ASSIGN_OR_RETURN(decoder.scale_, find("codec.end.", DType::kI32, {blocks(kTopKBlockValues)}));
      if (decoder.values_ == 0 && entries == 0) break;
      std::int32_t end = 0;
      RETURN_IF_ERROR(ReadValues<std::int32_t>(file, decoder.scale_,
                                               static_cast<std::uint64_t>(blocks(kTopKBlockValues)) - 1, {&end, 1}));
      if (end != entries) return decoder.Bad(Concat("has ", entries, " entries, and ", end, " in its blocks"));
    }
  }
  return decoder;
}

Status TensorDecoder::Read(const SafetensorsFile& file, std::uint64_t offset, std::span<float> out) const {
  CONSILIUM_CHECK(offset <= values_ && out.size() <= values_ - offset, "read beyond tensor ", name_);
  switch (compression_) {
    case Compression::kNone:
      return ReadValues(file, data_, offset, out);
    case Compression::kHalf:
      return ReadHalf(file, offset, out);
    case Compression::kInt8:
      return ReadInt8(file, offset, out);
    case Compression::kTopK:
      return ReadTopK(file, offset, out);
  }
  return Status();
}

Status TensorDecoder::ReadHalf(const SafetensorsFile& file, std::uint64_t offset, std::span<float> out) const {
  float scale = 0;
  RETURN_IF_ERROR(ReadValues<float>(file, scale_, 0, {&scale, 1}));
  if (!tensor::IsHalfScale(scale)) return Bad(Concat("has the scale ", scale, ", which is no power of two in range"));
  std::vector<std::uint16_t> halves(std::min(out.size(), kPieceValues));
  for (std::size_t at = 0; at < out.size(); at += halves.size()) {
    const std::span<std::uint16_t> piece(halves.data(), std::min(halves.size(), out.size() - at));
    RETURN_IF_ERROR(ReadValues(file, data_, offset + at, piece));
    for (std::size_t i = 0; i < piece.size(); ++i) {
      if ((piece[i] & 0x7c00u) == 0x7c00u)
        return Bad(Concat("has a value at index ", offset + at + i, " that is not finite"));
      out[at + i] = tensor::FloatFromHalf(piece[i]) * scale;
    }
  }
  return Status();
}

Status TensorDecoder::ReadInt8(const SafetensorsFile& file, std::uint64_t offset, std::span<float> out) const {
  constexpr std::size_t kBlock = tensor::kInt8BlockValues;
  std::vector<std::int8_t> codes(std::min(out.size(), kPieceValues));
  std::vector<float> scales(codes.size() / kBlock + 2);
  for (std::size_t at = 0; at < out.size(); at += codes.size()) {
    const std::span<std::int8_t> piece(codes.data(), std::min(codes.size(), out.size() - at));
    const std::uint64_t first = (offset + at) / kBlock, last = (offset + at + piece.size() - 1) / kBlock;
    const std::span<float> piece_scales(scales.data(), last - first + 1);
    RETURN_IF_ERROR(ReadValues(file, data_, offset + at, piece));
    RETURN_IF_ERROR(ReadValues(file, scale_, first, piece_scales));
    for (const float scale : piece_scales)
      if (!(scale >= 0) || !std::isfinite(scale * 127)) return Bad(Concat("has the scale ", scale));
    for (std::size_t i = 0; i < piece.size(); ++i) {
      if (piece[i] == -128) return Bad(Concat("has the code -128 at index ", offset + at + i));
      out[at + i] = piece_scales[(offset + at + i) / kBlock - first] * static_cast<float>(piece[i]);
    }
  }
  return Status();
}

Status TensorDecoder::ReadTopK(const SafetensorsFile& file, std::uint64_t offset, std::span<float> out) const {
  std::fill(out.begin(), out.end(), 0.0f);
  for (std::uint64_t block = offset / kTopKBlockValues; block * kTopKBlockValues < offset + out.size(); ++block)
    RETURN_IF_ERROR(ReadTopKBlock(file, block, offset, out));
  return Status();
}

Status TensorDecoder::ReadTopKBlock(const SafetensorsFile& file, std::uint64_t block, std::uint64_t offset,
                                    std::span<float> out) const {
  std::int32_t ends[2] = {0, 0};  // of the block before this one, and of this one
  RETURN_IF_ERROR(ReadValues(file, scale_, block == 0 ? 0 : block - 1, std::span(ends).last(block == 0 ? 1 : 2)));
  const std::uint64_t block_begin = block * kTopKBlockValues;
  const std::uint64_t block_values = std::min<std::uint64_t>(kTopKBlockValues, values_ - block_begin);
  if (ends[0] < 0 || ends[1] < ends[0] || static_cast<std::uint64_t>(ends[1]) > entries_ ||
      static_cast<std::uint64_t>(ends[1] - ends[0]) > block_values)
    return Bad(Concat("has entries ", ends[0], " to ", ends[1], " of ", entries_, " in a block of ", block_values));
  const auto count = static_cast<std::size_t>(ends[1] - ends[0]);
  std::vector<std::uint16_t> indices(count);
  std::vector<float> values(count);
  RETURN_IF_ERROR(ReadValues(file, index_, static_cast<std::uint64_t>(ends[0]), std::span(indices)));
  RETURN_IF_ERROR(ReadValues(file, data_, static_cast<std::uint64_t>(ends[0]), std::span(values)));
  for (std::size_t i = 0; i < count; ++i) {
    if (indices[i] >= block_values || (i > 0 && indices[i] <= indices[i - 1]))
      return Bad(Concat("has indices out of order or bounds in block ", block));
    const std::uint64_t at = block_begin + indices[i];
    if (at >= offset && at < offset + out.size()) out[at - offset] = values[i];
  }
  return Status();
}

}  // namespace consilium::wire
