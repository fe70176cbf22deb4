#include "datasets/sampling/patch_sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <thread>
#include <vector>

#include "comm/base/rng.h"
#include "datasets/sampling/patch_bounds.h"

namespace consilium::datasets {
namespace {

struct Patch {
  std::vector<float> image;
  std::vector<std::int16_t> labels;
  bool operator==(const Patch&) const = default;
};

Patch Draw(const PatchSampler& sampler, std::int64_t step, std::int64_t index) {
  Patch patch;
  patch.image.assign(static_cast<std::size_t>(sampler.channels() * sampler.patch_voxels()), -99.0f);
  patch.labels.assign(static_cast<std::size_t>(sampler.patch_voxels()), -99);
  sampler.Sample(step, index, patch.image, patch.labels);
  return patch;
}

// Voxel i of channel c holds 1 + i + 10^6 c; the labels come from `label_of(flat index)`.
template <typename LabelOf>
PreparedCase MakeCase(const std::string& id, const Shape3& shape, std::int64_t channels, int classes,
                      const LabelOf& label_of) {
  PreparedCase made;
  made.id = id;
  made.channels = channels;
  made.shape = shape;
  made.class_locations.resize(static_cast<std::size_t>(classes));
  const std::int64_t voxels = VoxelCount(shape);
  for (std::int64_t channel = 0; channel < channels; ++channel)
    for (std::int64_t i = 0; i < voxels; ++i) made.image.push_back(static_cast<float>(1 + i + 1000000 * channel));
  for (std::int64_t i = 0; i < voxels; ++i) {
    const int label = label_of(i);
    made.labels.push_back(static_cast<std::int16_t>(label));
    if (label > 0) made.class_locations[static_cast<std::size_t>(label - 1)].push_back(static_cast<std::uint32_t>(i));
  }
  return made;
}

int NoLabel(std::int64_t) { return 0; }

std::vector<PreparedCase> ThreeCases() {
  std::vector<PreparedCase> cases;
  Rng rng(3);
  for (const Shape3& shape : {Shape3{20, 30, 25}, Shape3{9, 14, 40}, Shape3{33, 7, 12}})
    cases.push_back(MakeCase("case", shape, 2, 2, [&](std::int64_t) {
      const std::uint64_t draw = rng.Below(40);
      return draw == 0 ? 1 : draw == 1 ? 2 : draw == 2 ? -1 : 0;
    }));
  return cases;
}

SamplerOptions Options(std::vector<std::int64_t> patch, std::int64_t batch) {
  return {.patch_size = std::move(patch), .seed = 17, .batch_size = batch};
}

TEST(PatchSampler, ASampleIsAFunctionOfSeedStepAndIndexInAnyOrderAndOnAnyThread) {
  const auto cases = ThreeCases();
  SamplerOptions options = Options({16, 12, 20}, 9);
  options.augmentation = {.mirror = true, .intensity = true, .spatial = true, .blur = true, .low_resolution = true};
  const PatchSampler sampler(cases, options), again(cases, options);
  std::vector<Patch> forward;
  for (std::int64_t i = 0; i < 45; ++i) forward.push_back(Draw(sampler, i / 9, i % 9));
  for (std::int64_t i = 44; i >= 0; --i)
    ASSERT_EQ(Draw(again, i / 9, i % 9), forward[static_cast<std::size_t>(i)]) << i;

  std::vector<Patch> shared(45);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 3; ++thread)
    threads.emplace_back([&, thread] {
      for (int i = thread; i < 45; i += 3) shared[static_cast<std::size_t>(i)] = Draw(sampler, i / 9, i % 9);
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(shared, forward);
}

TEST(PatchSampler, AnotherSeedStepOrIndexIsAnotherSample) {
  const auto cases = ThreeCases();
  SamplerOptions options = Options({16, 12, 20}, 4);
  const PatchSampler sampler(cases, options);
  options.seed = 18;
  const PatchSampler other(cases, options);
  int same_step = 0, same_index = 0, same_seed = 0;
  for (std::int64_t i = 0; i < 50; ++i) {
    const Patch patch = Draw(sampler, i, 0);
    same_step += patch == Draw(sampler, i + 1, 0) ? 1 : 0;
    same_index += patch == Draw(sampler, i, 1) ? 1 : 0;
    same_seed += patch == Draw(other, i, 0) ? 1 : 0;
  }
  EXPECT_LT(same_step, 5);
  EXPECT_LT(same_index, 5);
  EXPECT_LT(same_seed, 5);
}

TEST(PatchSampler, APatchIsTheWindowThatWasPlacedPaddedWithZerosAndBackground) {
  const auto cases = ThreeCases();
  for (const std::vector<std::int64_t>& size :
       {std::vector<std::int64_t>{16, 12, 20}, {48, 40, 64}, {1, 1, 1}, {3, 50, 5}}) {
    const PatchSampler sampler(cases, Options(size, 2));
    for (std::int64_t step = 0; step < 30; ++step)
      for (std::int64_t index = 0; index < 2; ++index) {
        const auto placement = sampler.Place(step, index);
        const PreparedCase& source = cases[static_cast<std::size_t>(placement.case_index)];
        const Patch patch = Draw(sampler, step, index);
        std::size_t at = 0;
        for (std::int64_t z = 0; z < size[0]; ++z)
          for (std::int64_t y = 0; y < size[1]; ++y)
            for (std::int64_t x = 0; x < size[2]; ++x, ++at) {
              const Shape3 from = {placement.begin[0] + z, placement.begin[1] + y, placement.begin[2] + x};
              const bool inside = from[0] >= 0 && from[1] >= 0 && from[2] >= 0 && from[0] < source.shape[0] &&
                                  from[1] < source.shape[1] && from[2] < source.shape[2];
              const std::int64_t flat = (from[0] * source.shape[1] + from[1]) * source.shape[2] + from[2];
              ASSERT_EQ(patch.image[at], inside ? static_cast<float>(1 + flat) : 0.0f);
              ASSERT_EQ(patch.image[at + patch.labels.size()], inside ? static_cast<float>(1000001 + flat) : 0.0f);
              ASSERT_EQ(patch.labels[at], inside ? std::max<int>(source.labels[static_cast<std::size_t>(flat)], 0) : 0);
            }
      }
  }
}

TEST(PatchSampler, APatchOfANamedCaseStaysTheSameWhenAnotherCaseIsTakenAway) {
  std::vector<PreparedCase> cases = ThreeCases();
  for (std::size_t i = 0; i < cases.size(); ++i) cases[i].id = Concat("case ", i);
  SamplerOptions options = Options({16, 12, 20}, 9);
  options.augmentation = {.mirror = true, .intensity = true};
  options.foreground_oversampling = 0.5;
  const std::vector<PreparedCase> fewer = {cases[0], cases[2]};
  const PatchSampler all(cases, options), without(fewer, options);
  const auto draw = [](const PatchSampler& sampler, std::int64_t step, std::int64_t case_index) {
    Patch patch;
    patch.image.assign(static_cast<std::size_t>(sampler.channels() * sampler.patch_voxels()), -99.0f);
    patch.labels.assign(static_cast<std::size_t>(sampler.patch_voxels()), -99);
    sampler.SampleCase(step, case_index, patch.image, patch.labels);
    return patch;
  };
  int forced = 0, same_step = 0;
  for (std::int64_t step = 0; step < 100; ++step) {
    EXPECT_EQ(draw(all, step, 0), draw(without, step, 0));
    EXPECT_EQ(draw(all, step, 2), draw(without, step, 1));
    EXPECT_EQ(all.PlaceInCase(step, 2).case_index, 2);
    same_step += draw(all, step, 0) == draw(all, step + 1, 0);
    forced += all.PlaceInCase(step, 1).forced_class > 0;
  }
  EXPECT_LT(same_step, 5);
  EXPECT_NEAR(forced, 50, 25);
}

TEST(PatchSampler, ACaseSmallerThanThePatchIsSeenWholeOnEveryAxis) {
  const std::vector<PreparedCase> cases = {MakeCase("tiny", {1, 3, 2}, 1, 1, NoLabel)};
  const PatchSampler sampler(cases, Options({8, 5, 7}, 2));
  std::set<std::array<std::int64_t, 3>> begins;
  for (std::int64_t step = 0; step < 100; ++step) {
    Patch patch = Draw(sampler, step, 0);
    begins.insert(sampler.Place(step, 0).begin);
    std::erase(patch.image, 0.0f);
    EXPECT_THAT(patch.image, testing::ElementsAre(1, 2, 3, 4, 5, 6));
  }
  // z: pad 7, [-4, -3]; y: pad 2, -1; x: pad 5, [-3, -2].
  EXPECT_EQ(begins, (std::set<std::array<std::int64_t, 3>>{{-4, -1, -3}, {-4, -1, -2}, {-3, -1, -3}, {-3, -1, -2}}));
}

TEST(PatchSampler, ExactlyTheLastSamplesOfABatchAreForcedAndShowTheirClass) {
  // One voxel of each class in 60^3: a patch that is not forced hardly ever shows one.
  std::vector<PreparedCase> cases;
  cases.push_back(MakeCase("rare", {60, 60, 60}, 1, 3, [](std::int64_t i) {
    return i == 0 ? 1 : i == 107777 ? 3 : 0;
  }));
  for (const auto& [batch, forced] : {std::pair<std::int64_t, std::int64_t>{2, 1}, {9, 3}}) {
    const PatchSampler sampler(cases, Options({10, 8, 6}, batch));
    std::int64_t unforced_hits = 0;
    for (std::int64_t step = 0; step < 40; ++step) {
      std::int64_t marked = 0;
      for (std::int64_t index = 0; index < batch; ++index) {
        const auto placement = sampler.Place(step, index);
        const Patch patch = Draw(sampler, step, index);
        const bool shows = std::ranges::any_of(patch.labels, [](std::int16_t label) { return label > 0; });
        if (placement.forced_class > 0) {
          ++marked;
          EXPECT_GE(index, batch - forced);
          EXPECT_THAT(patch.labels, testing::Contains(placement.forced_class));
        } else {
          unforced_hits += shows ? 1 : 0;
        }
      }
      EXPECT_EQ(marked, forced);
    }
    EXPECT_LT(unforced_hits, 5);
  }
}

TEST(PatchSampler, PresentClassesAreForcedEquallyOftenWhateverTheirSizeAndAbsentOnesNever) {
  const std::vector<PreparedCase> cases = {MakeCase("uneven", {10, 10, 10}, 1, 3, [](std::int64_t i) {
    return i < 900 ? 1 : i < 903 ? 3 : 0;
  })};
  SamplerOptions options = Options({4, 4, 4}, 1);
  options.foreground_oversampling = 1.0;
  const PatchSampler sampler(cases, options);
  std::array<int, 4> seen{};
  constexpr int kDraws = 4000;
  for (std::int64_t step = 0; step < kDraws; ++step)
    ++seen[static_cast<std::size_t>(sampler.Place(step, 0).forced_class)];
  EXPECT_EQ(seen[0], 0);
  EXPECT_EQ(seen[2], 0);
  EXPECT_NEAR(seen[1], kDraws / 2, 5 * std::sqrt(kDraws / 4.0));
}

TEST(PatchSampler, ForcedPatchesAreCentredOnAStoredLocationUnlessAtTheLowerBorder) {
  const std::vector<PreparedCase> cases = {
      MakeCase("one", {30, 30, 30}, 1, 1, [](std::int64_t i) { return i == (29 * 30 + 15) * 30 + 2 ? 1 : 0; })};
  SamplerOptions options = Options({10, 8, 6}, 1);
  options.foreground_oversampling = 1.0;
  // z: 29 - 5 = 24, not clamped to 20: the patch sticks out above; y: 15 - 4; x: 2 - 3 is below 0, moved up.
  EXPECT_EQ(PatchSampler(cases, options).Place(0, 0).begin, (std::array<std::int64_t, 3>{24, 11, 0}));
}

TEST(PatchSampler, ACaseWithoutForegroundIsSampledUniformly) {
  const std::vector<PreparedCase> cases = {MakeCase("empty", {6, 6, 6}, 1, 2, NoLabel)};
  const PatchSampler sampler(cases, Options({4, 4, 4}, 2));
  std::set<std::int64_t> z;
  for (std::int64_t step = 0; step < 60; ++step) {
    const auto placement = sampler.Place(step, 1);
    EXPECT_EQ(placement.forced_class, 0);
    z.insert(placement.begin[0]);
  }
  EXPECT_EQ(z, (std::set<std::int64_t>{0, 1, 2}));
}

TEST(PatchSampler, CasesAreDrawnUniformlyWithReplacement) {
  std::vector<PreparedCase> cases;
  for (int i = 0; i < 5; ++i) cases.push_back(MakeCase("c", {2 + i, 2, 2}, 1, 1, NoLabel));
  const PatchSampler sampler(cases, Options({2, 2, 2}, 4));
  std::array<int, 5> seen{};
  constexpr int kDraws = 5000;
  for (int i = 0; i < kDraws; ++i) ++seen[static_cast<std::size_t>(sampler.Place(i / 4, i % 4).case_index)];
  for (const int count : seen) EXPECT_NEAR(count, kDraws / 5, 5 * std::sqrt(kDraws / 5.0));
}

TEST(PatchSampler, ATwoDimensionalPatchIsOneSliceChosenByItsVoxelOrUniformly) {
  const std::vector<PreparedCase> cases = {
      MakeCase("stack", {12, 20, 20}, 1, 1, [](std::int64_t i) { return i / 400 == 7 && i % 400 < 40 ? 1 : 0; })};
  const PatchSampler sampler(cases, Options({24, 16}, 2));
  EXPECT_EQ(sampler.patch_voxels(), 24 * 16);
  std::set<std::int64_t> slices;
  for (std::int64_t step = 0; step < 200; ++step) {
    EXPECT_EQ(sampler.Place(step, 1).begin[0], 7);
    EXPECT_THAT(Draw(sampler, step, 1).labels, testing::Contains(1));
    slices.insert(sampler.Place(step, 0).begin[0]);
  }
  EXPECT_EQ(slices.size(), 12u);
}

TEST(PatchSampler, SwitchingAugmentationOnDoesNotMoveThePatchesAndMirroringKeepsImageAndLabelsTogether) {
  // The image repeats the label map, so any disagreement shows.
  auto cases = ThreeCases();
  for (PreparedCase& one : cases)
    for (std::size_t i = 0; i < one.labels.size(); ++i) one.image[i] = std::max<std::int16_t>(one.labels[i], 0);
  SamplerOptions plain = Options({16, 12, 20}, 2), mirrored = plain;
  mirrored.augmentation.mirror = true;
  const PatchSampler plain_sampler(cases, plain), mirrored_sampler(cases, mirrored);
  int moved = 0;
  for (std::int64_t step = 0; step < 40; ++step) {
    EXPECT_EQ(plain_sampler.Place(step, 1).begin, mirrored_sampler.Place(step, 1).begin);
    Patch before = Draw(plain_sampler, step, 1), after = Draw(mirrored_sampler, step, 1);
    for (std::size_t i = 0; i < after.labels.size(); ++i)
      ASSERT_EQ(after.image[i], static_cast<float>(after.labels[i]));
    moved += before != after ? 1 : 0;
    std::ranges::sort(before.image);
    std::ranges::sort(after.image);
    EXPECT_EQ(before.image, after.image);
  }
  EXPECT_GT(moved, 25);  // 7 of 8 on average
}

TEST(PatchSampler, ASliceIsMirroredAlongBothOfItsAxes) {
  const std::vector<PreparedCase> cases = {MakeCase("slice", {1, 3, 4}, 1, 1, NoLabel)};
  SamplerOptions options = Options({3, 4}, 1);
  options.augmentation.mirror = true;
  const PatchSampler sampler(cases, options);
  std::set<float> first_voxels;
  for (std::int64_t step = 0; step < 60; ++step) first_voxels.insert(Draw(sampler, step, 0).image[0]);
  EXPECT_EQ(first_voxels, (std::set<float>{1, 4, 9, 12}));  // the four corners
}

TEST(PatchSampler, MirroringIsIndependentOfWhichCaseWasDrawn) {
  const std::vector<PreparedCase> cases = {MakeCase("a", {2, 2, 2}, 1, 1, NoLabel),
                                           MakeCase("b", {2, 2, 2}, 1, 1, NoLabel)};
  SamplerOptions options = Options({2, 2, 2}, 1);
  options.augmentation.mirror = true;
  const PatchSampler sampler(cases, options);
  constexpr int kDraws = 1600;
  std::array<std::array<int, 8>, 2> seen{};
  for (std::int64_t step = 0; step < kDraws; ++step) {
    const auto first = static_cast<std::size_t>(Draw(sampler, step, 0).image[0]) - 1;  // tells all three axes
    ++seen[static_cast<std::size_t>(sampler.Place(step, 0).case_index)][first];
  }
  for (const auto& of_case : seen)
    for (const int count : of_case) EXPECT_NEAR(count, kDraws / 16, 5 * std::sqrt(kDraws / 16.0));
}

// An image of 1 where the label is 1: they are turned together, and where neither comes the patch is a crop.
TEST(PatchSampler, ImageAndLabelsAreTurnedAndScaledTogether) {
  std::vector<PreparedCase> cases = {MakeCase("a", {60, 64, 62}, 1, 1, [](std::int64_t i) {
    const std::int64_t z = i / (64 * 62), y = i / 62 % 64, x = i % 62;
    return (z - 30) * (z - 30) + 2 * (y - 30) * (y - 30) + (x - 28) * (x - 28) < 200 ? 1 : 0;
  })};
  for (std::size_t i = 0; i < cases[0].image.size(); ++i) cases[0].image[i] = static_cast<float>(cases[0].labels[i]);
  SamplerOptions options = Options({16, 16, 16}, 1);
  options.foreground_oversampling = 1;
  options.augmentation.spatial = true;
  const PatchSampler sampler(cases, options);
  int cropped = 0, with_both = 0;
  for (std::int64_t step = 0; step < 200; ++step) {
    const Patch patch = Draw(sampler, step, 0);
    cropped += std::ranges::all_of(patch.image, [](float x) { return x == 0 || x == 1; }) ? 1 : 0;
    bool has_0 = false, has_1 = false;
    for (std::size_t i = 0; i < patch.image.size(); ++i) {
      if (std::abs(patch.image[i] - 0.5F) < 1e-4F) continue;
      ASSERT_EQ(patch.labels[i], patch.image[i] > 0.5F ? 1 : 0) << "step " << step << ", voxel " << i;
      (patch.labels[i] == 1 ? has_1 : has_0) = true;
    }
    with_both += has_0 && has_1 ? 1 : 0;
  }
  EXPECT_GT(with_both, 100);
  EXPECT_NEAR(cropped, 200 * 0.64, 35);
}

TEST(PatchSampler, AForcedPatchOfALargerWindowStillShowsItsForeground) {
  const auto cases = ThreeCases();
  SamplerOptions options = Options({8, 10, 8}, 1);
  options.foreground_oversampling = 1;
  options.augmentation.spatial = true;
  const PatchSampler sampler(cases, options);
  int shown = 0, crops = 0;
  for (std::int64_t step = 0; step < 300; ++step) {
    const PatchSampler::Placement placement = sampler.Place(step, 0);
    if (placement.forced_class == 0) continue;
    ++crops;
    const Patch patch = Draw(sampler, step, 0);
    shown += std::ranges::any_of(patch.labels, [](std::int16_t label) { return label > 0; }) ? 1 : 0;
  }
  EXPECT_GT(shown, crops * 9 / 10);
}

TEST(PatchSamplerDeathTest, BuffersOfTheWrongSizeAreOurBug) {
  const auto cases = ThreeCases();
  const PatchSampler sampler(cases, Options({4, 4, 4}, 2));
  std::vector<float> image(64);
  std::vector<std::int16_t> labels(64);
  EXPECT_DEATH(sampler.Sample(0, 0, image, labels), "patch of 64 voxels");
}

}  // namespace
}  // namespace consilium::datasets
