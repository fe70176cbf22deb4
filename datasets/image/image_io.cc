#include "datasets/image/image_io.h"

#include <algorithm>
#include <cmath>

#include "datasets/image/nifti_file.h"
#include "datasets/image/png_file.h"

namespace consilium::datasets {
namespace {

const std::string kEndings[] = {".nii.gz", ".nii", ".png"};

Status UnknownEnding(const std::filesystem::path& path) {
  return InvalidArgument(path.string(), ": unknown kind of image; expected a file ending in .nii.gz, .nii or .png");
}

Geometry FlatGeometry() {
  Geometry geometry;
  geometry.dimensions = 2;
  return geometry;
}

Image FromPng(const PngPixels& pixels) {
  Image image{
      .channels = pixels.channels, .shape = {1, pixels.height, pixels.width}, .voxels = {}, .geometry = FlatGeometry()};
  const auto channels = static_cast<std::size_t>(pixels.channels);
  const std::size_t plane = pixels.values.size() / channels;
  image.voxels.resize(pixels.values.size());
  for (std::size_t i = 0; i < plane; ++i)  // [h, w, c] -> [c, 1, h, w]
    for (std::size_t c = 0; c < channels; ++c) image.voxels[c * plane + i] = pixels.values[i * channels + c];
  return image;
}

StatusOr<LabelMap> LabelsFromPng(const PngPixels& pixels, const std::filesystem::path& path) {
  LabelMap labels{.shape = {1, pixels.height, pixels.width}, .labels = {}, .geometry = FlatGeometry()};
  const auto channels = static_cast<std::size_t>(pixels.channels);
  labels.labels.reserve(pixels.values.size() / channels);
  for (std::size_t i = 0; i < pixels.values.size(); i += channels) {
    const std::uint16_t value = pixels.values[i];
    if (channels == 3 && (pixels.values[i + 1] != value || pixels.values[i + 2] != value))
      return InvalidArgument(path.string(), " is a colour picture; save labels as gray, the value being the label");
    if (value > INT16_MAX)
      return InvalidArgument(path.string(), ": a label of ", value, "; labels must be 0..", INT16_MAX);
    labels.labels.push_back(static_cast<std::int16_t>(value));
  }
  return labels;
}

template <typename Value>
Status WritePngValues(const std::filesystem::path& path, const Shape3& shape, std::int64_t channels,
                      const std::vector<Value>& values) {
  if (shape[0] != 1)
    return InvalidArgument("writing ", path.string(), ": PNG is flat, the image has ", shape[0], " slices");
  PngPixels pixels{
      .width = shape[2], .height = shape[1], .channels = static_cast<int>(channels), .bits = 8, .values = {}};
  const auto plane = static_cast<std::size_t>(VoxelCount(shape));
  CONSILIUM_CHECK(values.size() == plane * static_cast<std::size_t>(channels), path, ": ", values.size());
  pixels.values.resize(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto value = static_cast<double>(values[i]);
    if (!(value >= 0 && value <= UINT16_MAX && value == std::floor(value)))
      return InvalidArgument("writing ", path.string(), ": PNG holds whole numbers in 0..65535, one value is ", value);
    if (value > UINT8_MAX) pixels.bits = 16;
    pixels.values[i % plane * static_cast<std::size_t>(channels) + i / plane] = static_cast<std::uint16_t>(value);
  }
  return WritePng(path, pixels);
}

}  // namespace

std::span<const std::string> ImageEndings() { return kEndings; }

std::string ImageEndingOf(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  for (const std::string& ending : kEndings)
    if (name.ends_with(ending)) return ending;
  return "";
}

StatusOr<Image> ReadImage(const std::filesystem::path& path) {
  const std::string ending = ImageEndingOf(path);
  if (ending.empty()) return UnknownEnding(path);
  if (ending != ".png") return ReadNiftiImage(path);
  ASSIGN_OR_RETURN(const PngPixels pixels, ReadPng(path));
  return FromPng(pixels);
}

StatusOr<LabelMap> ReadLabels(const std::filesystem::path& path) {
  const std::string ending = ImageEndingOf(path);
  if (ending.empty()) return UnknownEnding(path);
  if (ending != ".png") return ReadNiftiLabels(path);
  ASSIGN_OR_RETURN(const PngPixels pixels, ReadPng(path));
  return LabelsFromPng(pixels, path);
}

Status WriteImage(const std::filesystem::path& path, const Image& image) {
  const std::string ending = ImageEndingOf(path);
  if (ending.empty()) return UnknownEnding(path);
  if (ending != ".png") return WriteNiftiImage(path, image);
  if (image.channels != 1 && image.channels != 3)
    return InvalidArgument("writing ", path.string(), ": PNG takes 1 or 3 channels, the image has ", image.channels);
  return WritePngValues(path, image.shape, image.channels, image.voxels);
}

Status WriteLabels(const std::filesystem::path& path, const LabelMap& labels) {
  const std::string ending = ImageEndingOf(path);
  if (ending.empty()) return UnknownEnding(path);
  if (ending != ".png") return WriteNiftiLabels(path, labels);
  return WritePngValues(path, labels.shape, 1, labels.labels);
}

Status WritePngRgb(const std::filesystem::path& path, std::int64_t width, std::int64_t height,
                   std::span<const std::uint8_t> rgb) {
  PngPixels pixels{.width = width, .height = height, .channels = 3, .bits = 8, .values = {}};
  pixels.values.assign(rgb.begin(), rgb.end());
  return WritePng(path, pixels);
}

}  // namespace consilium::datasets
