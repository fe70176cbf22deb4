#include "datasets/preprocess/prepared_case.h"

#include <algorithm>
#include <cmath>

#include "datasets/image/image_io.h"
#include "datasets/preprocess/class_locations.h"
#include "datasets/preprocess/crop.h"

namespace consilium::datasets {
namespace {

constexpr double kSpacingTolerance = 0.01;

Status CheckSpacing(const std::string& id, const Image& image, std::span<const double> target) {
  const auto good = [](double mm) { return mm > 0 && std::isfinite(mm); };
  if ((target.size() != 2 && target.size() != 3) || !std::all_of(target.begin(), target.end(), good))
    return InvalidArgument("a spacing to resample to has 2 or 3 lengths above 0, in mm");
  if (!std::all_of(image.geometry.spacing.begin(), image.geometry.spacing.end(), good))
    return InvalidArgument("case ", id, " has voxels of ", image.geometry.spacing[0], " x ", image.geometry.spacing[1],
                           " x ", image.geometry.spacing[2], " mm (z, y, x); correct the header");
  return Status();
}

// From the crop's grid to the prepared one.
ResampleGrid GridFromSource(const Shape3& cropped, const Spacing3& source, const Spacing3& prepared) {
  return {.from = cropped,
          .to = ResampledShape(cropped, source, prepared),
          .separate_axis = SeparateAxis(source, prepared)};
}

Status CheckInput(const std::string& id, const Image& image, const std::optional<LabelMap>& labels,
                  const PrepareOptions& options) {
  const auto channels = static_cast<std::size_t>(image.channels);
  CONSILIUM_CHECK(image.voxels.size() == channels * static_cast<std::size_t>(VoxelCount(image.shape)), id);
  if (!options.normalization.empty() && options.normalization.size() != channels)
    return InvalidArgument("case ", id, " has ", channels, " channels, expected ", options.normalization.size());
  if (!options.ct.empty() && options.ct.size() != channels)
    return InvalidArgument("case ", id, " has ", channels, " channels, but intensities are given for ",
                           options.ct.size());
  if (VoxelCount(image.shape) > UINT32_MAX)
    return ResourceExhausted("case ", id, " has ", VoxelCount(image.shape), " voxels, more than the ", UINT32_MAX,
                             " supported");
  for (std::size_t i = 0; i < image.voxels.size(); ++i)
    if (!std::isfinite(image.voxels[i]))
      return InvalidArgument("case ", id, ": voxel ", i, " is ", image.voxels[i], "; replace NaN and infinite voxels");
  if (!options.spacing.empty()) RETURN_IF_ERROR(CheckSpacing(id, image, options.spacing));
  if (!labels) return Status();
  if (labels->shape != image.shape)
    return InvalidArgument("case ", id, ": image and label differ in shape; run the integrity check (consilium plan)");
  for (const std::int16_t label : labels->labels)
    if (label < 0 || label >= options.num_classes)
      return InvalidArgument("case ", id, ": label value ", label, " is not in 0..", options.num_classes - 1,
                             "; correct the label, or declare it in dataset.json");
  return Status();
}

Status RequireOneSpacing(const std::string& id, const Spacing3& spacing, const Spacing3& expected) {
  for (std::size_t axis = 0; axis < 3; ++axis) {
    if (std::abs(spacing[axis] - expected[axis]) <= kSpacingTolerance * expected[axis]) continue;
    return InvalidArgument("case ", id, " has voxels of ", spacing[0], " x ", spacing[1], " x ", spacing[2],
                           " mm (z, y, x), the first case ", expected[0], " x ", expected[1], " x ", expected[2],
                           ", and the job names no spacing to bring both to: plan the data set (consilium plan) and ",
                           "train with model.architecture: plan, or set data.spacing");
  }
  return Status();
}

}  // namespace

StatusOr<PrepareOptions> PrepareOptionsFor(const DatasetDescription& description) {
  PrepareOptions options{.num_classes = description.num_classes(), .normalization = {}, .ct = {}};
  for (const std::string& name : description.channel_names) {
    options.normalization.push_back(NormalizationFor(name));
    if (options.normalization.back() == Normalization::kCt)
      return FailedPrecondition("channel '", name,
                                "': CT normalisation needs the intensities of the whole data set; run consilium plan ",
                                "and train with model.architecture: plan, or name the channel otherwise for z-scores");
  }
  return options;
}

Spacing3 PreparedSpacing(const Spacing3& source, const PrepareOptions& options) {
  Spacing3 spacing = source;
  std::copy_backward(options.spacing.begin(), options.spacing.end(), spacing.end());
  return spacing;
}

StatusOr<PreparedCase> PrepareCase(std::string id, const Image& image, const std::optional<LabelMap>& labels,
                                   const PrepareOptions& options) {
  RETURN_IF_ERROR(CheckInput(id, image, labels, options));
  const std::vector<std::uint8_t> mask = NonzeroMask(image);
  const Box box = BoundingBox(mask, image.shape);
  if (box.is_empty()) return InvalidArgument("case ", id, ": the image is zero everywhere; leave the case out");

  const Spacing3& source = image.geometry.spacing;
  const Spacing3 spacing = PreparedSpacing(source, options);
  const ResampleGrid grid = GridFromSource(box.shape(), source, spacing);
  if (VoxelCount(grid.to) > UINT32_MAX)
    return ResourceExhausted("case ", id, " would have ", VoxelCount(grid.to),
                             " voxels at the spacing of the network, ", "more than the ", UINT32_MAX, " supported");
  const bool stays = grid.from == grid.to;
  PreparedCase prepared{.id = std::move(id),
                        .channels = image.channels,
                        .shape = grid.to,
                        .spacing = spacing,
                        .crop_begin = box.begin,
                        .cropped_shape = grid.from,
                        .original_shape = image.shape,
                        .geometry = image.geometry};
  std::vector<std::uint8_t> inside = CropArray(mask.data(), image.shape, box);
  if (labels) {
    prepared.labels = CropArray(labels->labels.data(), image.shape, box);
    // What is labelled counts as seen, even where the image is zero.
    for (std::size_t i = 0; i < inside.size(); ++i) {
      if (inside[i] == 0 && prepared.labels[i] == 0) prepared.labels[i] = -1;
      inside[i] = prepared.labels[i] >= 0 ? 1 : 0;
    }
    if (!stays) prepared.labels = ResampleLabels(prepared.labels, grid);
    prepared.class_locations = ClassLocations(prepared.labels, options.num_classes, options.seed);
  }
  const std::int64_t volume = VoxelCount(image.shape);
  prepared.image.reserve(static_cast<std::size_t>(image.channels * VoxelCount(prepared.shape)));
  for (std::int64_t c = 0; c < image.channels; ++c) {
    std::vector<float> channel = CropArray(image.voxels.data() + c * volume, image.shape, box);
    const Normalization scheme =
        options.normalization.empty() ? Normalization::kZScore : options.normalization[static_cast<std::size_t>(c)];
    RETURN_IF_ERROR(
        Annotate(Normalize(scheme, channel,
                           options.normalize_inside_mask_only ? std::span<const std::uint8_t>(inside)
                                                              : std::span<const std::uint8_t>{},
                           options.ct.empty() ? std::nullopt : std::optional(options.ct[static_cast<std::size_t>(c)])),
                 "case ", prepared.id, ", channel ", c));
    if (!stays) channel = ResampleImage(channel, grid, Interpolation::kCubic);
    prepared.image.insert(prepared.image.end(), channel.begin(), channel.end());
  }
  return prepared;
}

StatusOr<std::vector<PreparedCase>> LoadPreparedCases(const RawDataset& dataset, std::span<const std::string> ids,
                                                      const PrepareOptions& options) {
  std::vector<PreparedCase> cases;
  cases.reserve(ids.size());
  for (const std::string& id : ids) {
    ASSIGN_OR_RETURN(const CaseFiles files, FindCase(dataset, id));
    ASSIGN_OR_RETURN(const Image image, ReadCaseImage(files, dataset.description.num_channels()));
    ASSIGN_OR_RETURN(LabelMap labels, ReadLabels(files.label));
    if (!cases.empty() && options.spacing.empty())
      RETURN_IF_ERROR(RequireOneSpacing(id, image.geometry.spacing, cases.front().geometry.spacing));
    ASSIGN_OR_RETURN(PreparedCase prepared, PrepareCase(id, image, std::move(labels), options));
    cases.push_back(std::move(prepared));
  }
  return cases;
}

ResampleGrid GridToSource(const PreparedCase& prepared) {
  return {.from = prepared.shape,
          .to = prepared.cropped_shape,
          .separate_axis = SeparateAxis(prepared.spacing, prepared.geometry.spacing)};
}

LabelMap RestoreGrid(const PreparedCase& prepared, std::span<const std::int16_t> labels) {
  CONSILIUM_CHECK(static_cast<std::int64_t>(labels.size()) == VoxelCount(prepared.cropped_shape), prepared.id, ": ",
                  labels.size());
  const Shape3& full = prepared.original_shape;
  LabelMap restored{.shape = full, .labels = {}, .geometry = prepared.geometry};
  restored.labels.assign(static_cast<std::size_t>(VoxelCount(full)), 0);
  const std::int16_t* next = labels.data();
  for (std::int64_t z = 0; z < prepared.cropped_shape[0]; ++z) {
    for (std::int64_t y = 0; y < prepared.cropped_shape[1]; ++y) {
      const std::int64_t row = (z + prepared.crop_begin[0]) * full[1] + y + prepared.crop_begin[1];
      std::int16_t* out = restored.labels.data() + row * full[2] + prepared.crop_begin[2];
      for (std::int64_t x = 0; x < prepared.cropped_shape[2]; ++x) *out++ = std::max<std::int16_t>(*next++, 0);
    }
  }
  return restored;
}

}  // namespace consilium::datasets
