// Images and label maps in memory, and where their grid lies in the world.
//
// Arrays are in array order (z, y, x), the reverse of NIfTI's (x, y, z); a 2D image has z = 1.  Plain values: copies
// are deep, reading from several threads is safe.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace consilium::datasets {

using Shape3 = std::array<std::int64_t, 3>;  // voxels, (z, y, x)
using Spacing3 = std::array<double, 3>;      // mm, (z, y, x), positive

inline std::int64_t VoxelCount(const Shape3& shape) { return shape[0] * shape[1] * shape[2]; }

// A flat image has no z extent to speak of; its z spacing is set far above the others (999 times the largest), as
// nnU-Net does, so that no rule ever takes z for an axis along which one may pool or resample.
inline constexpr double kFlatSpacingFactor = 999.0;

// What a file says about its grid, kept in the file's own terms (and in f32, as NIfTI stores it) so that a prediction
// written back carries the source's orientation bit for bit.  Source: nifti1.h, "3D image (volume) orientation and
// location".
struct Geometry {
  Spacing3 spacing{kFlatSpacingFactor, 1.0, 1.0};  // absolute
  int dimensions = 3;                              // of the file: 2 or 3

  // Below: NIfTI's fields, axes in its order (x, y, z).  Codes are NIFTI_XFORM_*; 0 = this form is not given.
  int qform_code = 0;
  int sform_code = 0;
  float qfac = 1.0F;                           // pixdim[0]: -1 = the z axis of the rotation is flipped
  std::array<float, 3> quaternion{};           // quatern_b, c, d
  std::array<float, 3> offset{};               // qoffset_x, y, z, mm
  std::array<std::array<float, 4>, 3> srow{};  // srow_x, y, z, mm
  int xyzt_units = 2;                          // of everything in the file; 2 = mm; `spacing` is in mm always

  friend bool operator==(const Geometry&, const Geometry&) = default;
};

// What one unit of `xyzt_units` is in mm: metre 1000, micron 0.001; unknown is taken for mm, as everybody does.
double MillimetresPerUnit(int xyzt_units);

// Row r, column c: the mm along world axis r (x, y, z: right, anterior, superior) of one voxel along file axis c (x, y,
// z); column 3 is the centre of voxel 0.  From the s-form if given, else the q-form, else the spacing alone.
using Affine = std::array<std::array<double, 4>, 3>;
Affine AffineOf(const Geometry& geometry);

// Equal spacing to 1e-3 of itself.
bool SameSpacing(const Spacing3& a, const Spacing3& b);
// Equal spacing, orientation and origin, all to within 1e-3 of the smallest voxel edge.
bool SameGrid(const Geometry& a, const Geometry& b);

struct Image {
  std::int64_t channels = 0;
  Shape3 shape{};
  std::vector<float> voxels;  // [C, z, y, x]
  Geometry geometry;
};

struct LabelMap {
  Shape3 shape{};
  std::vector<std::int16_t> labels;  // [z, y, x]
  Geometry geometry;
};

}  // namespace consilium::datasets
