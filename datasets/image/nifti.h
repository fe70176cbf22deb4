// The NIfTI-1 header: 348 bytes that are checked field by field before anything is believed.
//
// nifticlib defines the struct, swaps its bytes and makes new ones.  Its whole-file reader is not used: it allocates
// what the header announces and reports to stderr.
#pragma once

#include <filesystem>
#include <string>

#include "comm/base/bytes.h"
#include "datasets/image/volume.h"

namespace consilium::datasets {

inline constexpr std::size_t kNiftiHeaderBytes = 348;
inline constexpr std::uint64_t kNiftiDataOffset = 352;    // of the files that we write
inline constexpr std::int64_t kNiftiVoxelsMax = 1 << 30;  // 4 GiB as f32: more than a whole-body CT

enum class NiftiVoxel { kInt8, kUint8, kInt16, kUint16, kInt32, kUint32, kInt64, kUint64, kFloat32, kFloat64 };
std::size_t VoxelBytes(NiftiVoxel voxel);

struct NiftiHeader {
  Shape3 shape{};
  Geometry geometry;
  NiftiVoxel voxel = NiftiVoxel::kFloat32;
  bool is_swapped = false;                       // the file has the other byte order
  std::uint64_t data_offset = kNiftiDataOffset;  // bytes from the file's begin
  double slope = 1.0, intercept = 0.0;           // value = stored * slope + intercept
};

// kInvalidArgument names `path`, the field, its value, and what was expected.
StatusOr<NiftiHeader> ParseNiftiHeader(ByteSpan bytes, const std::filesystem::path& path);

// The first kNiftiDataOffset bytes of a file.  Extensions and free text of the source, which may name a patient, are
// not carried over.  Edges above 32767 are kInvalidArgument.
StatusOr<Bytes> ComposeNiftiHeader(const NiftiHeader& header, const std::filesystem::path& path);

}  // namespace consilium::datasets
