#include "tests/testing/tiny_dataset.h"

#include <cmath>

#include "comm/base/file.h"
#include "comm/base/json.h"
#include "comm/base/rng.h"
#include "datasets/image/image_io.h"

namespace consilium::testing {

namespace fs = std::filesystem;

namespace {

struct Case {
  datasets::Image image;
  datasets::LabelMap labels;
};

Case MakeCase(const TinyDatasetOptions& options, std::uint64_t number) {
  Rng rng(options.seed, number);
  const std::int64_t edge = options.edge;
  Case made;
  made.image.channels = 1;
  made.image.shape = made.labels.shape = {edge, edge, edge};
  made.image.geometry.spacing = {1.0, 1.0, 1.0};
  made.labels.geometry = made.image.geometry;
  const double radius = edge / 5.0;
  double centre[2][3];
  for (int ball = 0; ball < 2; ++ball)
    for (int axis = 0; axis < 3; ++axis)
      centre[ball][axis] = edge / 2.0 + rng.Uniform(-1.0, 1.0) + (axis == 2 ? (ball == 0 ? -radius : radius) : 0.0);
  for (std::int64_t z = 0; z < edge; ++z) {
    for (std::int64_t y = 0; y < edge; ++y) {
      for (std::int64_t x = 0; x < edge; ++x) {
        std::int16_t label = 0;
        for (int ball = 0; ball < 2; ++ball) {
          const double dz = z - centre[ball][0], dy = y - centre[ball][1], dx = x - centre[ball][2];
          if (label == 0 && dz * dz + dy * dy + dx * dx <= radius * radius) label = static_cast<std::int16_t>(ball + 1);
        }
        const double brightness = label == 1 ? 200.0 : label == 2 ? 120.0 : 40.0;
        made.image.voxels.push_back(static_cast<float>(brightness + 8.0 * rng.Normal()));
        made.labels.labels.push_back(label);
      }
    }
  }
  return made;
}

Status WriteCases(const fs::path& images, const fs::path& labels, const TinyDatasetOptions& options, std::int64_t begin,
                  std::int64_t end) {
  RETURN_IF_ERROR(MakeDirectories(images));
  RETURN_IF_ERROR(MakeDirectories(labels));
  for (std::int64_t i = begin; i < end; ++i) {
    const Case made = MakeCase(options, static_cast<std::uint64_t>(i));
    const std::string id = Concat("tiny_", i < 10 ? "00" : "0", i);
    RETURN_IF_ERROR(datasets::WriteImage(images / (id + "_0000.nii.gz"), made.image));
    RETURN_IF_ERROR(datasets::WriteLabels(labels / (id + ".nii.gz"), made.labels));
  }
  return Status();
}

}  // namespace

StatusOr<fs::path> WriteTinyDataset(const fs::path& folder, const TinyDatasetOptions& options) {
  const fs::path dataset = folder / kTinyDatasetName;
  RETURN_IF_ERROR(WriteCases(dataset / "imagesTr", dataset / "labelsTr", options, 0, options.cases));
  if (options.held_out)
    RETURN_IF_ERROR(WriteCases(folder / "heldout/imagesTs", folder / "heldout/labelsTs", options, options.cases,
                               options.cases + 2));
  const Json description = {{"channel_names", {{"0", "MRI"}}},
                            {"labels", {{"background", 0}, {"bright", 1}, {"dim", 2}}},
                            {"numTraining", options.cases},
                            {"file_ending", ".nii.gz"}};
  RETURN_IF_ERROR(WriteJson(dataset / "dataset.json", description));
  return dataset;
}

std::string TinyJobYaml(const std::string& name, std::int64_t epochs, std::int64_t iterations) {
  return Concat(
      "name: ", name, "\ndata: {dataset: ", kTinyDatasetName,
      ", configuration: 3d_fullres, fold: 0}\n"
      "model: {architecture: plain_unet, patch_size: [16, 16, 16], base_features: 4, strides: [[1, 1, 1], [2, 2, 2]]}\n"
      "train: {epochs: ",
      epochs, ", iterations: ", iterations,
      ", validation_iterations: 1, batch_size: 2, seed: 7, threads: 1, learning_rate: 0.02, momentum: 0.9}\n");
}

}  // namespace consilium::testing
