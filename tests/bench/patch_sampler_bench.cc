// How many training patches one core makes, beside the plain copy of as many voxels: the cost of augmentation as a
// ratio.
#include <cstdio>
#include <cstring>
#include <vector>

#include "comm/base/rng.h"
#include "comm/base/time.h"
#include "datasets/sampling/patch_sampler.h"

namespace consilium::datasets {
namespace {

constexpr Shape3 kPatch = {40, 56, 40};
constexpr std::int64_t kPatches = 2000;

PreparedCase MakeCase() {
  PreparedCase made;
  made.channels = 1;
  made.shape = {36, 50, 35};
  Rng rng(1);
  // Two touching ellipsoids, as large as the real ones.
  for (std::int64_t i = 0; i < VoxelCount(made.shape); ++i) {
    const std::int64_t z = i / (50 * 35) - 18, y = i / 35 % 50 - 25, x = i % 35 - 17;
    const bool in = z * z * 2 + y * y + x * x * 2 < 240;
    made.image.push_back(static_cast<float>(rng.Normal()));
    made.labels.push_back(static_cast<std::int16_t>(!in ? 0 : y < 0 ? 1 : 2));
  }
  made.class_locations.resize(2);
  for (std::uint32_t i = 0; i < made.labels.size(); ++i)
    if (made.labels[i] > 0) made.class_locations[made.labels[i] - 1].push_back(i);
  return made;
}

double SecondsPerPatch(const PatchSampler& sampler) {
  std::vector<float> image(static_cast<std::size_t>(sampler.patch_voxels()));
  std::vector<std::int16_t> labels(image.size());
  const Instant begin = SystemClock().Now();
  for (std::int64_t i = 0; i < kPatches; ++i) sampler.Sample(i / 2, i % 2, image, labels);
  return Seconds(SystemClock().Now() - begin) / kPatches;
}

void Run() {
  const std::vector<PreparedCase> cases = {MakeCase()};
  SamplerOptions options{.patch_size = {kPatch[0], kPatch[1], kPatch[2]}, .seed = 1};
  options.augmentation = {.mirror = false, .intensity = false};
  const double plain = SecondsPerPatch(PatchSampler(cases, options));
  options.augmentation = {.mirror = true, .intensity = true};
  const double augmented = SecondsPerPatch(PatchSampler(cases, options));
  options.augmentation = {.mirror = true, .intensity = true, .spatial = true, .blur = true, .low_resolution = true};
  const double everything = SecondsPerPatch(PatchSampler(cases, options));
  std::printf("patches of %lldx%lldx%lld f32, one thread, %lld of each kind\n", static_cast<long long>(kPatch[0]),
              static_cast<long long>(kPatch[1]), static_cast<long long>(kPatch[2]), static_cast<long long>(kPatches));
  std::printf("  cropped and padded     %8.0f patches/s\n", 1 / plain);
  std::printf("  mirrored and altered   %8.0f patches/s   %.1f times the time of a plain crop\n", 1 / augmented,
              augmented / plain);
  std::printf("  turned, scaled, blurred %7.0f patches/s   %.1f times the time of a plain crop: nnU-Net's default\n",
              1 / everything, everything / plain);
  std::printf(
      "  a reference pipeline, batchgeneratorsv2 with its spatial transforms on one such core: 106 patches/s\n");
}

}  // namespace
}  // namespace consilium::datasets

int main() { consilium::datasets::Run(); }
