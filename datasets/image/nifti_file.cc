#include "datasets/image/nifti_file.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>

#include "comm/base/file.h"
#include "datasets/image/gzip.h"
#include "datasets/image/nifti.h"

namespace consilium::datasets {
namespace {

constexpr std::int64_t kChunkVoxels = 1 << 16;

template <typename T>
void Widen(const std::uint8_t* stored, std::span<double> out) {
  for (double& value : out) {
    T raw;
    std::memcpy(&raw, stored, sizeof raw);
    value = static_cast<double>(raw);
    stored += sizeof raw;
  }
}

void ReverseEach(std::span<std::uint8_t> bytes, std::size_t size) {
  for (std::size_t at = 0; at < bytes.size(); at += size) std::reverse(&bytes[at], &bytes[at] + size);
}

void Decode(const NiftiHeader& header, std::span<std::uint8_t> stored, std::span<double> out) {
  if (header.is_swapped) ReverseEach(stored, VoxelBytes(header.voxel));
  switch (header.voxel) {
    case NiftiVoxel::kInt8:
      Widen<std::int8_t>(stored.data(), out);
      break;
    case NiftiVoxel::kUint8:
      Widen<std::uint8_t>(stored.data(), out);
      break;
    case NiftiVoxel::kInt16:
      Widen<std::int16_t>(stored.data(), out);
      break;
    case NiftiVoxel::kUint16:
      Widen<std::uint16_t>(stored.data(), out);
      break;
    case NiftiVoxel::kInt32:
      Widen<std::int32_t>(stored.data(), out);
      break;
    case NiftiVoxel::kUint32:
      Widen<std::uint32_t>(stored.data(), out);
      break;
    case NiftiVoxel::kInt64:
      Widen<std::int64_t>(stored.data(), out);
      break;
    case NiftiVoxel::kUint64:
      Widen<std::uint64_t>(stored.data(), out);
      break;
    case NiftiVoxel::kFloat32:
      Widen<float>(stored.data(), out);
      break;
    case NiftiVoxel::kFloat64:
      Widen<double>(stored.data(), out);
      break;
  }
  if (header.slope != 1.0 || header.intercept != 0.0)
    for (double& value : out) value = value * header.slope + header.intercept;
}

StatusOr<NiftiHeader> ReadHeader(GzipReader* reader, const std::filesystem::path& path) {
  std::array<std::uint8_t, kNiftiHeaderBytes> bytes;
  RETURN_IF_ERROR(reader->Read(bytes));
  ASSIGN_OR_RETURN(const NiftiHeader header, ParseNiftiHeader(bytes, path));
  const std::uint64_t announced =
      header.data_offset + static_cast<std::uint64_t>(VoxelCount(header.shape)) * VoxelBytes(header.voxel);
  if (announced > reader->content_bytes_max())
    return InvalidArgument(path.string(), " announces ", announced, " bytes, but a file of its size holds at most ",
                           reader->content_bytes_max(), ": it is cut off or damaged; copy it again from its source");
  RETURN_IF_ERROR(reader->Skip(header.data_offset - kNiftiHeaderBytes));
  return header;
}

// Calls take(first voxel, values) -> Status with the voxels in file order, x fastest, which is our [z, y, x].  Memory
// grows only as voxels really arrive.
template <typename Take>
Status ReadVoxels(GzipReader* reader, const NiftiHeader& header, const Take& take) {
  const std::int64_t count = VoxelCount(header.shape);
  const std::size_t size = VoxelBytes(header.voxel);
  std::vector<std::uint8_t> stored(static_cast<std::size_t>(std::min(count, kChunkVoxels)) * size);
  std::vector<double> values(stored.size() / size);
  for (std::int64_t at = 0; at < count; at += kChunkVoxels) {
    const auto part = static_cast<std::size_t>(std::min(count - at, kChunkVoxels));
    const std::span<std::uint8_t> raw(stored.data(), part * size);
    RETURN_IF_ERROR(reader->Read(raw));
    Decode(header, raw, std::span(values).first(part));
    RETURN_IF_ERROR(take(at, std::span<const double>(values).first(part)));
  }
  return reader->Finish();
}

StatusOr<Image> ReadImageUnguarded(const std::filesystem::path& path) {
  ASSIGN_OR_RETURN(GzipReader reader, GzipReader::Open(path));
  ASSIGN_OR_RETURN(const NiftiHeader header, ReadHeader(&reader, path));
  Image image{.channels = 1, .shape = header.shape, .voxels = {}, .geometry = header.geometry};
  RETURN_IF_ERROR(ReadVoxels(&reader, header, [&](std::int64_t, std::span<const double> values) {
    for (const double value : values) image.voxels.push_back(static_cast<float>(value));
    return Status();
  }));
  return image;
}

StatusOr<LabelMap> ReadLabelsUnguarded(const std::filesystem::path& path) {
  ASSIGN_OR_RETURN(GzipReader reader, GzipReader::Open(path));
  ASSIGN_OR_RETURN(const NiftiHeader header, ReadHeader(&reader, path));
  LabelMap labels{.shape = header.shape, .labels = {}, .geometry = header.geometry};
  RETURN_IF_ERROR(ReadVoxels(&reader, header, [&](std::int64_t first, std::span<const double> values) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      using Limits = std::numeric_limits<std::int16_t>;
      const double value = values[i];
      // Negated, so that NaN is refused too.
      if (!(value >= Limits::min() && value <= Limits::max() && value == std::floor(value))) {
        const std::int64_t at = first + static_cast<std::int64_t>(i), row = at / header.shape[2];
        return InvalidArgument(path.string(), ": the label at voxel (z ", row / header.shape[1], ", y ",
                               row % header.shape[1], ", x ", at % header.shape[2], ") is ", value,
                               "; labels must be whole numbers in ", Limits::min(), "..", Limits::max(),
                               " (was an image saved in place of the label?)");
      }
      labels.labels.push_back(static_cast<std::int16_t>(value));
    }
    return Status();
  }));
  return labels;
}

template <typename T>
StatusOr<T> GuardMemory(StatusOr<T> (*read)(const std::filesystem::path&), const std::filesystem::path& path) {
  try {
    return read(path);
  } catch (const std::bad_alloc&) {
    return ResourceExhausted("reading ", path.string(), ": it does not fit into this machine's memory");
  }
}

template <typename Stored, typename Value>
Status Write(const std::filesystem::path& path, const NiftiHeader& header, const std::vector<Value>& values) {
  CONSILIUM_CHECK(static_cast<std::int64_t>(values.size()) == VoxelCount(header.shape), path, ": ", values.size());
  ASSIGN_OR_RETURN(Bytes content, ComposeNiftiHeader(header, path));
  content.resize(kNiftiDataOffset + values.size() * sizeof(Stored));
  std::uint8_t* out = content.data() + kNiftiDataOffset;
  for (const Value value : values) {
    const auto stored = static_cast<Stored>(value);
    std::memcpy(out, &stored, sizeof stored);
    out += sizeof stored;
  }
  return path.extension() == ".gz" ? WriteGzip(path, content) : WriteFileAtomic(path, content);
}

}  // namespace

StatusOr<Image> ReadNiftiImage(const std::filesystem::path& path) { return GuardMemory(&ReadImageUnguarded, path); }
StatusOr<LabelMap> ReadNiftiLabels(const std::filesystem::path& path) {
  return GuardMemory(&ReadLabelsUnguarded, path);
}

Status WriteNiftiImage(const std::filesystem::path& path, const Image& image) {
  if (image.channels != 1)
    return InvalidArgument("writing ", path.string(), ": NIfTI takes one channel a file, the image has ",
                           image.channels);
  return Write<float>(path, {.shape = image.shape, .geometry = image.geometry, .voxel = NiftiVoxel::kFloat32},
                      image.voxels);
}

Status WriteNiftiLabels(const std::filesystem::path& path, const LabelMap& labels) {
  NiftiHeader header{.shape = labels.shape, .geometry = labels.geometry, .voxel = NiftiVoxel::kUint8};
  const bool fits_uint8 =
      std::all_of(labels.labels.begin(), labels.labels.end(), [](auto v) { return v >= 0 && v <= 255; });
  if (fits_uint8) return Write<std::uint8_t>(path, header, labels.labels);
  header.voxel = NiftiVoxel::kInt16;
  return Write<std::int16_t>(path, header, labels.labels);
}

}  // namespace consilium::datasets
