// NIfTI-1 files as images and label maps; what image_io.h says holds here.  Built without nifticlib, every function
// refuses and says how to get it.
#pragma once

#include <filesystem>

#include "comm/base/status.h"
#include "datasets/image/volume.h"

namespace consilium::datasets {

StatusOr<Image> ReadNiftiImage(const std::filesystem::path& path);
StatusOr<LabelMap> ReadNiftiLabels(const std::filesystem::path& path);
// Compressed when `path` ends in .gz.
Status WriteNiftiImage(const std::filesystem::path& path, const Image& image);
Status WriteNiftiLabels(const std::filesystem::path& path, const LabelMap& labels);

}  // namespace consilium::datasets
