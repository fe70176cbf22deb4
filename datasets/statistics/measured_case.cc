#include "datasets/statistics/measured_case.h"

#include <cmath>

#include "datasets/image/image_io.h"
#include "datasets/preprocess/crop.h"

namespace consilium::datasets {
namespace {

Status CheckVoxels(const CaseFiles& files, const Image& image, const LabelMap& labels) {
  if (labels.shape != image.shape)
    return InvalidArgument("case ", files.id, ": image and label differ in shape; run the integrity check");
  for (std::size_t i = 0; i < image.voxels.size(); ++i)
    if (!std::isfinite(image.voxels[i]))
      return InvalidArgument("case ", files.id, ": voxel ", i, " is ", image.voxels[i],
                             "; replace NaN and infinite voxels, or leave the case out");
  for (std::size_t axis = 0; axis < 3; ++axis)
    if (!(std::isfinite(image.geometry.spacing[axis]) && image.geometry.spacing[axis] > 0))
      return InvalidArgument("case ", files.id, ": the spacing of axis ", axis, " is ", image.geometry.spacing[axis],
                             " mm; correct the header");
  return Status();
}

}  // namespace

StatusOr<MeasuredCase> MeasureCase(const CaseFiles& files, const DatasetDescription& description) {
  ASSIGN_OR_RETURN(const Image image, ReadCaseImage(files, description.num_channels()));
  ASSIGN_OR_RETURN(const LabelMap labels, ReadLabels(files.label));
  RETURN_IF_ERROR(CheckVoxels(files, image, labels));
  const Box box = BoundingBox(NonzeroMask(image), image.shape);
  if (box.is_empty()) return InvalidArgument("case ", files.id, ": the image is zero everywhere; leave the case out");

  MeasuredCase measured{.spacing = image.geometry.spacing, .shape_after_crop = box.shape()};
  const bool is_flat = image.geometry.dimensions == 2;
  measured.voxel_size = (is_flat ? 1 : measured.spacing[0]) * measured.spacing[1] * measured.spacing[2];
  const std::int64_t volume = VoxelCount(image.shape);
  measured.relative_size = static_cast<double>(VoxelCount(box.shape())) / static_cast<double>(volume);
  measured.label_voxels.assign(static_cast<std::size_t>(description.num_classes()), 0);
  for (const std::int16_t label : labels.labels) {
    if (label < 0 || label >= description.num_classes())
      return InvalidArgument("case ", files.id, ": label value ", label, " is not in 0..",
                             description.num_classes() - 1, "; correct the label, or declare it in dataset.json");
    ++measured.label_voxels[static_cast<std::size_t>(label)];
  }
  std::vector<std::int64_t> foreground;  // flat indices
  for (std::int64_t z = box.begin[0]; z < box.end[0]; ++z)
    for (std::int64_t y = box.begin[1]; y < box.end[1]; ++y)
      for (std::int64_t x = box.begin[2]; x < box.end[2]; ++x) {
        const std::int64_t at = (z * image.shape[1] + y) * image.shape[2] + x;
        if (labels.labels[static_cast<std::size_t>(at)] > 0) foreground.push_back(at);
      }
  for (std::int64_t c = 0; c < image.channels; ++c) {
    std::vector<float>& values = measured.foreground.emplace_back();
    values.reserve(foreground.size());
    for (const std::int64_t at : foreground) values.push_back(image.voxels[static_cast<std::size_t>(c * volume + at)]);
  }
  // The image, one channel being read, the label, the mask, and the foreground with its sorted copy.
  measured.bytes = static_cast<std::uint64_t>(volume) * (4 * static_cast<std::uint64_t>(image.channels + 1) + 3) +
                   foreground.size() * (8 + 8 * static_cast<std::uint64_t>(image.channels));
  return measured;
}

}  // namespace consilium::datasets
