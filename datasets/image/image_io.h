// Reads and writes images and label maps: NIfTI-1 (.nii, .nii.gz) and PNG (.png), chosen by the file's ending.
//
// Files come from strangers: every field is checked before memory is taken, a file cannot make us take more memory than
// its own size justifies, and bad bytes are kInvalidArgument with the file, the fault and the mend.  A missing file is
// kNotFound. Written files appear whole or not at all.  Functions are free of shared state: call them from any thread.
#pragma once

#include <filesystem>
#include <span>
#include <string>

#include "comm/base/status.h"
#include "datasets/image/volume.h"

namespace consilium::datasets {

// The endings that are read, longest first: {".nii.gz", ".nii", ".png"}.
std::span<const std::string> ImageEndings();
// ".nii.gz" for "a/b.nii.gz"; "" when the ending is not one of ImageEndings().
std::string ImageEndingOf(const std::filesystem::path& path);

// One channel from NIfTI or gray PNG, three from colour PNG (alpha is dropped).  Voxels may be NaN or infinite if the
// file says so; CheckIntegrity() reports that.
StatusOr<Image> ReadImage(const std::filesystem::path& path);
// Values must be whole and fit int16.
StatusOr<LabelMap> ReadLabels(const std::filesystem::path& path);

// NIfTI: float32, one channel.  PNG: 8 or 16 bit, so values must be whole and 0..65535; one channel or three.
Status WriteImage(const std::filesystem::path& path, const Image& image);
// uint8 when every value is 0..255, else int16 (PNG: uint16, negative values are refused).
Status WriteLabels(const std::filesystem::path& path, const LabelMap& labels);

// 8-bit colour, for pictures that people look at.  `rgb` is [height, width, 3].
Status WritePngRgb(const std::filesystem::path& path, std::int64_t width, std::int64_t height,
                   std::span<const std::uint8_t> rgb);

}  // namespace consilium::datasets
