#include "tests/unit/trainer/loop/synthetic_cases.h"

#include "comm/base/rng.h"

namespace consilium::trainer {
namespace {

// A block of `label` of the given size somewhere in the case.
void PutBlock(datasets::PreparedCase& one, std::int16_t label, float brightness, Rng& rng) {
  const datasets::Shape3 size = {std::min<std::int64_t>(5, one.shape[0]), 5, 5};
  datasets::Shape3 begin{};
  for (std::size_t axis = 0; axis < 3; ++axis)
    begin[axis] = static_cast<std::int64_t>(rng.Below(static_cast<std::uint64_t>(one.shape[axis] - size[axis] + 1)));
  for (std::int64_t z = begin[0]; z < begin[0] + size[0]; ++z)
    for (std::int64_t y = begin[1]; y < begin[1] + size[1]; ++y)
      for (std::int64_t x = begin[2]; x < begin[2] + size[2]; ++x) {
        const auto at = static_cast<std::size_t>((z * one.shape[1] + y) * one.shape[2] + x);
        one.labels[at] = label;
        one.image[at] += brightness;
      }
}

}  // namespace

std::vector<datasets::PreparedCase> SyntheticCases(std::int64_t count, std::uint64_t seed, bool flat) {
  std::vector<datasets::PreparedCase> cases;
  for (std::int64_t i = 0; i < count; ++i) {
    Rng rng(seed, static_cast<std::uint64_t>(i));
    datasets::PreparedCase& one = cases.emplace_back();
    one.id = Concat("case_", i);
    one.channels = 1;
    for (std::size_t axis = 0; axis < 3; ++axis)
      one.shape[axis] = flat && axis == 0 ? 1 : 12 + static_cast<std::int64_t>(rng.Below(5));
    one.original_shape = one.cropped_shape = one.shape;
    const auto voxels = static_cast<std::size_t>(datasets::VoxelCount(one.shape));
    one.image.resize(voxels);
    for (float& voxel : one.image) voxel = static_cast<float>(0.3 * rng.Normal());
    one.labels.assign(voxels, 0);
    PutBlock(one, 1, 2.0F, rng);
    PutBlock(one, 2, -2.0F, rng);
    one.class_locations.resize(kSyntheticClasses - 1);
    for (std::size_t at = 0; at < voxels; ++at)
      if (one.labels[at] > 0)
        one.class_locations[static_cast<std::size_t>(one.labels[at] - 1)].push_back(static_cast<std::uint32_t>(at));
  }
  return cases;
}

wire::JobSpec SyntheticJob(std::int64_t epochs, std::int64_t iterations, bool flat) {
  wire::JobSpec job;
  job.name = "synthetic";
  job.data.dataset = "Dataset901_Synthetic";
  job.data.configuration = flat ? "2d" : "3d_fullres";
  const std::size_t dimension = flat ? 2 : 3;
  job.model.patch_size.assign(dimension, 8);
  job.model.base_features = 2;
  job.model.strides = {std::vector<std::int64_t>(dimension, 1), std::vector<std::int64_t>(dimension, 2)};
  job.model.kernels = {std::vector<std::int64_t>(dimension, 3), std::vector<std::int64_t>(dimension, 3)};
  job.train.epochs = epochs;
  job.train.iterations = iterations;
  job.train.validation_iterations = 2;
  job.train.batch_size = 2;
  job.train.threads = 1;
  return job;
}

}  // namespace consilium::trainer
