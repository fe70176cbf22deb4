#include "datasets/image/nifti_file.h"

namespace consilium::datasets {
namespace {

Status WithoutNifti(const std::filesystem::path& path) {
  return Unimplemented(path.string(),
                       ": this build reads no NIfTI; install libnifti-dev and configure with -DCONSILIUM_NIFTI=ON");
}

}  // namespace

StatusOr<Image> ReadNiftiImage(const std::filesystem::path& path) { return WithoutNifti(path); }
StatusOr<LabelMap> ReadNiftiLabels(const std::filesystem::path& path) { return WithoutNifti(path); }
Status WriteNiftiImage(const std::filesystem::path& path, const Image&) { return WithoutNifti(path); }
Status WriteNiftiLabels(const std::filesystem::path& path, const LabelMap&) { return WithoutNifti(path); }

}  // namespace consilium::datasets
