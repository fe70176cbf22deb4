#include "datasets/image/nifti.h"

#include <nifti1_io.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <string>

namespace consilium::datasets {
namespace {

static_assert(sizeof(nifti_1_header) == kNiftiHeaderBytes);

constexpr int kNifti2HeaderBytes = 540;

struct VoxelCode {
  NiftiVoxel voxel;
  short code;
  std::size_t bytes;
};
constexpr VoxelCode kVoxelCodes[] = {
    {NiftiVoxel::kInt8, DT_INT8, 1},       {NiftiVoxel::kUint8, DT_UINT8, 1},   {NiftiVoxel::kInt16, DT_INT16, 2},
    {NiftiVoxel::kUint16, DT_UINT16, 2},   {NiftiVoxel::kInt32, DT_INT32, 4},   {NiftiVoxel::kUint32, DT_UINT32, 4},
    {NiftiVoxel::kInt64, DT_INT64, 8},     {NiftiVoxel::kUint64, DT_UINT64, 8}, {NiftiVoxel::kFloat32, DT_FLOAT32, 4},
    {NiftiVoxel::kFloat64, DT_FLOAT64, 8},
};

bool AllFinite(std::span<const float> values) {
  for (const float value : values)
    if (!std::isfinite(value)) return false;
  return true;
}

// Finds the byte order; `raw` is in the host's order afterwards.
StatusOr<bool> SwapIfNeeded(nifti_1_header* raw, const std::string& where) {
  int swapped_size = raw->sizeof_hdr;
  nifti_swap_4bytes(1, &swapped_size);
  if (raw->sizeof_hdr == kNifti2HeaderBytes || swapped_size == kNifti2HeaderBytes)
    return InvalidArgument(where, " is NIfTI-2, which is not read; convert it to NIfTI-1");
  const bool is_swapped = swapped_size == static_cast<int>(kNiftiHeaderBytes);
  if (!is_swapped && raw->sizeof_hdr != static_cast<int>(kNiftiHeaderBytes))
    return InvalidArgument(where, " is not NIfTI: its first field is ", raw->sizeof_hdr, ", expected ",
                           kNiftiHeaderBytes);
  if (std::memcmp(raw->magic, "ni1", 4) == 0)
    return InvalidArgument(where, " is the header of a .hdr/.img pair; convert it to one .nii or .nii.gz file");
  if (std::memcmp(raw->magic, "n+1", 4) != 0)
    return InvalidArgument(where, " is not NIfTI-1: its magic is not \"n+1\" (ANALYZE 7.5 is not read)");
  if (is_swapped) swap_nifti_header(raw, 1);
  return is_swapped;
}

Status ParseShape(const nifti_1_header& raw, const std::string& where, NiftiHeader* header) {
  const int dimensions = raw.dim[0];
  if (dimensions < 2 || dimensions > 7)
    return InvalidArgument(where, ": dim[0] is ", dimensions, ", expected 2 or 3 dimensions");
  for (int i = 1; i <= dimensions; ++i) {
    if (raw.dim[i] < 1) return InvalidArgument(where, ": dim[", i, "] is ", raw.dim[i], ", expected at least 1");
    if (i > 3 && raw.dim[i] > 1)
      return InvalidArgument(where, " has ", raw.dim[i], " volumes (dim[", i,
                             "]); split them into one file a channel: ", "CASE_0000, CASE_0001, ...");
  }
  header->shape = {dimensions >= 3 ? raw.dim[3] : 1, raw.dim[2], raw.dim[1]};
  header->geometry.dimensions = dimensions == 2 ? 2 : 3;
  if (VoxelCount(header->shape) > kNiftiVoxelsMax)
    return InvalidArgument(where, " announces ", raw.dim[1], " x ", raw.dim[2], " x ", header->shape[0],
                           " voxels, more than the ", kNiftiVoxelsMax, " that are read");
  return Status();
}

Status ParseVoxel(const nifti_1_header& raw, const std::string& where, NiftiHeader* header) {
  const VoxelCode* found = nullptr;
  for (const VoxelCode& known : kVoxelCodes)
    if (known.code == raw.datatype) found = &known;
  if (found == nullptr)
    return InvalidArgument(where, ": datatype ", raw.datatype, " (", nifti_datatype_string(raw.datatype),
                           ") is not read; convert the voxels to an integer or float type");
  header->voxel = found->voxel;
  if (raw.bitpix != static_cast<short>(8 * found->bytes))
    return InvalidArgument(where, ": bitpix is ", raw.bitpix, ", but datatype ", nifti_datatype_string(raw.datatype),
                           " has ", 8 * found->bytes, " bits; the header is damaged");
  if (!std::isfinite(raw.vox_offset) || raw.vox_offset < kNiftiDataOffset || raw.vox_offset > 1e9F ||
      raw.vox_offset != std::floor(raw.vox_offset))
    return InvalidArgument(where, ": vox_offset is ", raw.vox_offset, ", expected a whole number of at least ",
                           kNiftiDataOffset);
  header->data_offset = static_cast<std::uint64_t>(raw.vox_offset);
  // 0 and NaN both mean "not scaled": some writers store NaN.
  if (std::isfinite(raw.scl_slope) && raw.scl_slope != 0.0F) {
    header->slope = raw.scl_slope;
    header->intercept = std::isfinite(raw.scl_inter) ? raw.scl_inter : 0.0;
  }
  return Status();
}

Status ParseSpacing(const nifti_1_header& raw, const std::string& where, Geometry* geometry) {
  geometry->xyzt_units = static_cast<unsigned char>(raw.xyzt_units);
  const double unit = MillimetresPerUnit(geometry->xyzt_units);
  double largest = 0.0;
  for (int i = 1; i <= geometry->dimensions; ++i) {
    const float step = raw.pixdim[i];
    if (!std::isfinite(step) || step <= 0.0F)
      return InvalidArgument(where, ": the voxel spacing pixdim[", i, "] is ", step,
                             ", expected a positive number of mm");
    geometry->spacing[3 - i] = step * unit;
    largest = std::max(largest, geometry->spacing[3 - i]);
  }
  if (geometry->dimensions == 2) geometry->spacing[0] = kFlatSpacingFactor * largest;
  return Status();
}

Status ParseOrientation(const nifti_1_header& raw, const std::string& where, Geometry* geometry) {
  geometry->qfac = raw.pixdim[0] < 0.0F ? -1.0F : 1.0F;
  if (raw.qform_code > 0) {
    geometry->qform_code = raw.qform_code;
    geometry->quaternion = {raw.quatern_b, raw.quatern_c, raw.quatern_d};
    geometry->offset = {raw.qoffset_x, raw.qoffset_y, raw.qoffset_z};
    if (!AllFinite(geometry->quaternion) || !AllFinite(geometry->offset))
      return InvalidArgument(where, ": the q-form (quatern_*, qoffset_*) is not finite; set the orientation anew");
  }
  if (raw.sform_code > 0) {
    geometry->sform_code = raw.sform_code;
    const float* rows[] = {raw.srow_x, raw.srow_y, raw.srow_z};
    for (int row = 0; row < 3; ++row) {
      std::memcpy(geometry->srow[row].data(), rows[row], sizeof geometry->srow[row]);
      if (!AllFinite(geometry->srow[row]))
        return InvalidArgument(where, ": the s-form (srow_*) is not finite; set the orientation anew");
    }
    const auto& m = geometry->srow;
    double volume = 0.0, edges = 1.0;  // of one voxel: |det|, and the product of its edges' lengths
    for (int i = 0; i < 3; ++i) {
      const int j = (i + 1) % 3, k = (i + 2) % 3;
      volume += double{m[0][i]} * (double{m[1][j]} * m[2][k] - double{m[1][k]} * m[2][j]);
      edges *= std::hypot(double{m[0][i]}, double{m[1][i]}, double{m[2][i]});
    }
    // Negated, so that NaN from overflow is refused too.
    if (!(std::abs(volume) > 1e-6 * edges))
      return InvalidArgument(where, ": the s-form (srow_*) maps the grid onto a plane; set the orientation anew");
  }
  return Status();
}

void PutGeometry(const Geometry& geometry, nifti_1_header* raw) {
  const double unit = MillimetresPerUnit(geometry.xyzt_units);
  raw->pixdim[0] = geometry.qfac;
  for (int i = 1; i <= raw->dim[0]; ++i) raw->pixdim[i] = static_cast<float>(geometry.spacing[3 - i] / unit);
  raw->xyzt_units = static_cast<char>(geometry.xyzt_units);
  raw->qform_code = static_cast<short>(geometry.qform_code);
  raw->sform_code = static_cast<short>(geometry.sform_code);
  raw->quatern_b = geometry.quaternion[0];
  raw->quatern_c = geometry.quaternion[1];
  raw->quatern_d = geometry.quaternion[2];
  raw->qoffset_x = geometry.offset[0];
  raw->qoffset_y = geometry.offset[1];
  raw->qoffset_z = geometry.offset[2];
  std::memcpy(raw->srow_x, geometry.srow[0].data(), sizeof raw->srow_x);
  std::memcpy(raw->srow_y, geometry.srow[1].data(), sizeof raw->srow_y);
  std::memcpy(raw->srow_z, geometry.srow[2].data(), sizeof raw->srow_z);
}

const VoxelCode& CodeOf(NiftiVoxel voxel) {
  for (const VoxelCode& known : kVoxelCodes)
    if (known.voxel == voxel) return known;
  CONSILIUM_CHECK(false, "voxel type ", static_cast<int>(voxel));
  std::abort();
}

}  // namespace

std::size_t VoxelBytes(NiftiVoxel voxel) { return CodeOf(voxel).bytes; }

StatusOr<NiftiHeader> ParseNiftiHeader(ByteSpan bytes, const std::filesystem::path& path) {
  CONSILIUM_CHECK(bytes.size() == kNiftiHeaderBytes, bytes.size());
  const std::string where = path.string();
  nifti_1_header raw;
  std::memcpy(&raw, bytes.data(), sizeof raw);
  NiftiHeader header;
  ASSIGN_OR_RETURN(header.is_swapped, SwapIfNeeded(&raw, where));
  RETURN_IF_ERROR(ParseShape(raw, where, &header));
  RETURN_IF_ERROR(ParseVoxel(raw, where, &header));
  RETURN_IF_ERROR(ParseSpacing(raw, where, &header.geometry));
  RETURN_IF_ERROR(ParseOrientation(raw, where, &header.geometry));
  return header;
}

StatusOr<Bytes> ComposeNiftiHeader(const NiftiHeader& header, const std::filesystem::path& path) {
  nifti_set_debug_level(0);
  const bool is_flat = header.geometry.dimensions == 2 && header.shape[0] == 1;
  int dim[8] = {is_flat ? 2 : 3, 1, 1, 1, 1, 1, 1, 1};
  for (int axis = 0; axis < 3; ++axis) {
    const std::int64_t edge = header.shape[2 - axis];
    if (edge < 1 || edge > std::numeric_limits<short>::max())
      return InvalidArgument("writing ", path.string(), ": an edge of ", edge,
                             " voxels does not fit NIfTI-1 (1 to 32767)");
    dim[1 + axis] = static_cast<int>(edge);
  }
  const VoxelCode& code = CodeOf(header.voxel);
  const std::unique_ptr<nifti_1_header, void (*)(void*)> raw(nifti_make_new_header(dim, code.code), std::free);
  if (raw == nullptr) return ResourceExhausted("writing ", path.string(), ": no memory for the header");
  raw->vox_offset = static_cast<float>(kNiftiDataOffset);
  raw->scl_slope = static_cast<float>(header.slope);
  raw->scl_inter = static_cast<float>(header.intercept);
  PutGeometry(header.geometry, raw.get());
  Bytes bytes(kNiftiDataOffset, 0);  // the 4 bytes after the header: no extensions
  std::memcpy(bytes.data(), raw.get(), sizeof *raw);
  return bytes;
}

}  // namespace consilium::datasets
