#include "datasets/sampling/augment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <vector>

namespace consilium::datasets {
namespace {

std::vector<float> RandomImage(std::size_t voxels, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<float> image(voxels);
  for (float& value : image) value = static_cast<float>(rng.Normal() * 1.7 + 0.4);
  return image;
}

struct Moments {
  double mean, deviation;  // unbiased
};

Moments MomentsOf(const std::vector<float>& values) {
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  double squares = 0;
  for (const float value : values) squares += (value - mean) * (value - mean);
  return {mean, std::sqrt(squares / static_cast<double>(values.size() - 1))};
}

// The definition, in f64 and step by step.
std::vector<double> PlainGamma(const std::vector<float>& image, double gamma, bool inverted) {
  std::vector<double> x(image.begin(), image.end());
  const double sign = inverted ? -1 : 1;
  for (double& value : x) value *= sign;
  const auto moments = [](const std::vector<double>& v) {
    const double mean = std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size());
    double squares = 0;
    for (const double value : v) squares += (value - mean) * (value - mean);
    return Moments{mean, std::sqrt(squares / static_cast<double>(v.size() - 1))};
  };
  const Moments before = moments(x);
  const double low = *std::ranges::min_element(x), range = *std::ranges::max_element(x) - low;
  for (double& value : x) value = std::pow((value - low) / std::max(range, 1e-7), gamma) * range + low;
  const Moments after = moments(x);
  for (double& value : x)
    value = sign * ((value - after.mean) * (before.deviation / std::max(after.deviation, 1e-7)) + before.mean);
  return x;
}

TEST(Gamma, FollowsItsDefinitionOnBothSides) {
  const std::vector<float> image = RandomImage(5003, 1);
  for (const float gamma : {0.7f, 0.9f, 1.0f, 1.5f})
    for (const GammaSide side : {GammaSide::kBright, GammaSide::kInverted}) {
      std::vector<float> changed = image;
      ApplyGamma(changed, gamma, side);
      const std::vector<double> expected = PlainGamma(image, static_cast<double>(gamma), side == GammaSide::kInverted);
      for (std::size_t i = 0; i < image.size(); ++i) ASSERT_NEAR(changed[i], expected[i], 3e-5) << gamma << " at " << i;
    }
}

TEST(Gamma, RestoresTheMeanAndTheUnbiasedStandardDeviation) {
  // Few values, so that dividing by n instead of n - 1 on one side would show.
  for (const std::size_t voxels : {3u, 10u, 4096u}) {
    std::vector<float> image = RandomImage(voxels, voxels);
    const Moments before = MomentsOf(image);
    ApplyGamma(image, 1.4f, GammaSide::kInverted);
    EXPECT_NEAR(MomentsOf(image).mean, before.mean, 1e-5);
    EXPECT_NEAR(MomentsOf(image).deviation, before.deviation, 1e-5);
  }
}

TEST(Gamma, LeavesAConstantChannelAlone) {
  std::vector<float> image(100, 0.25f);
  ApplyGamma(image, 0.7f, GammaSide::kBright);
  EXPECT_THAT(image, testing::Each(0.25f));
  ApplyGamma(image, 1.5f, GammaSide::kInverted);
  EXPECT_THAT(image, testing::Each(0.25f));
}

TEST(Contrast, StretchesAboutTheMeanButNeverLeavesTheOldRange) {
  const std::vector<float> image = RandomImage(4001, 3);
  const double mean = MomentsOf(image).mean;
  const auto [low, high] = std::ranges::minmax(image);
  for (const float factor : {0.75f, 1.0f, 1.25f}) {
    std::vector<float> changed = image;
    ScaleContrast(changed, factor);
    for (std::size_t i = 0; i < image.size(); ++i) {
      const double expected = std::clamp((image[i] - mean) * factor + mean, double{low}, double{high});
      ASSERT_NEAR(changed[i], expected, 1e-5);
      ASSERT_GE(changed[i], low);
      ASSERT_LE(changed[i], high);
    }
  }
  std::vector<float> stretched = image;
  ScaleContrast(stretched, 1.25f);
  EXPECT_EQ(std::ranges::count(stretched, high) > 1, true) << "the clamp was not exercised";
}

TEST(Brightness, Multiplies) {
  std::vector<float> image = {1.0f, -2.0f, 0.0f};
  MultiplyBrightness(image, 0.75f);
  EXPECT_THAT(image, testing::ElementsAre(0.75f, -1.5f, 0.0f));
}

TEST(Noise, IsPhiloxThroughBoxMuller) {
  constexpr std::uint64_t kSeed = 0x123456789abcdef, kStream = 77;
  std::vector<float> noise(256, 0.0f);
  AddGaussianNoise(noise, 1.0f, kSeed, kStream);
  for (std::uint32_t block = 0; block < 64; ++block) {
    const auto words = Philox4x32({block, 0, static_cast<std::uint32_t>(kStream), 0},
                                  {static_cast<std::uint32_t>(kSeed), static_cast<std::uint32_t>(kSeed >> 32)});
    for (int pair = 0; pair < 2; ++pair) {
      const double radius = std::sqrt(-2 * std::log(((words[2 * pair] >> 8) + 1) * 0x1.0p-24));
      const std::uint32_t bits = words[2 * pair + 1];
      const double within = (((bits << 2) >> 8) - double{1 << 23}) * 0x1.0p-23 * std::numbers::pi / 4;
      const double angle = within + (bits >> 30) * std::numbers::pi / 2;
      EXPECT_NEAR(noise[128 * pair + block], radius * std::cos(angle), 3e-6);
      EXPECT_NEAR(noise[128 * pair + 64 + block], radius * std::sin(angle), 3e-6);
    }
  }
}

TEST(Noise, HasTheMomentsAndTailsOfANormalAndNoNeighbourCorrelation) {
  constexpr std::size_t kCount = 1 << 20;
  std::vector<float> noise(kCount, 0.0f);
  AddGaussianNoise(noise, 2.0f, 11, 12);
  double sum = 0, squares = 0, fourth = 0;
  std::array<double, 3> lagged{};
  std::size_t beyond_three = 0;
  for (std::size_t i = 0; i < kCount; ++i) {
    const double x = noise[i] / 2.0;
    sum += x;
    squares += x * x;
    fourth += x * x * x * x;
    beyond_three += std::abs(x) > 3 ? 1 : 0;
    int k = 0;
    for (const std::size_t lag : {std::size_t{1}, std::size_t{64}, std::size_t{256}})
      lagged[k++] += i >= lag ? x * noise[i - lag] / 2 : 0;
  }
  const double n = kCount, sigma = 1 / std::sqrt(n);
  EXPECT_NEAR(sum / n, 0, 5 * sigma);
  EXPECT_NEAR(squares / n, 1, 5 * std::sqrt(2.0) * sigma);
  EXPECT_NEAR(fourth / n, 3, 5 * std::sqrt(96.0) * sigma);
  EXPECT_NEAR(static_cast<double>(beyond_three) / n, 0.0026998, 5 * std::sqrt(0.0027) * sigma);
  for (const double sum_of_products : lagged) EXPECT_NEAR(sum_of_products / n, 0, 5 * sigma);
}

TEST(Noise, AVoxelsNoiseDoesNotDependOnTheLengthOfTheImage) {
  std::vector<float> whole(1000, 0.0f), part(333, 0.0f);
  AddGaussianNoise(whole, 0.1f, 5, 6);
  AddGaussianNoise(part, 0.1f, 5, 6);
  EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin()));
}

TEST(Mirror, MovesImageAndLabelsTogetherAndTwiceIsNothing) {
  const std::array<std::int64_t, 3> patch = {3, 4, 5};
  constexpr std::size_t kVoxels = 60;
  std::vector<float> image(2 * kVoxels);
  std::vector<std::int16_t> labels(kVoxels);
  for (std::size_t i = 0; i < kVoxels; ++i) {
    labels[i] = static_cast<std::int16_t>(i);
    image[i] = static_cast<float>(i);
    image[kVoxels + i] = static_cast<float>(1000 + i);
  }
  const auto original_image = image;
  const auto original_labels = labels;
  for (int bits = 0; bits < 8; ++bits) {
    const MirrorAxes axes = {(bits & 4) != 0, (bits & 2) != 0, (bits & 1) != 0};
    Mirror(image, labels, patch, axes);
    for (std::int64_t z = 0; z < 3; ++z)
      for (std::int64_t y = 0; y < 4; ++y)
        for (std::int64_t x = 0; x < 5; ++x) {
          const std::int64_t from = ((axes[0] ? 2 - z : z) * 4 + (axes[1] ? 3 - y : y)) * 5 + (axes[2] ? 4 - x : x);
          const auto at = static_cast<std::size_t>((z * 4 + y) * 5 + x);
          ASSERT_EQ(labels[at], from);
          ASSERT_EQ(image[at], static_cast<float>(from));
          ASSERT_EQ(image[kVoxels + at], static_cast<float>(1000 + from));
        }
    Mirror(image, labels, patch, axes);
    ASSERT_EQ(image, original_image);
    ASSERT_EQ(labels, original_labels);
  }
}

TEST(Mirror, EachAxisIsDrawnHalfOfTheTimeIndependently) {
  Rng rng(9);
  constexpr int kDraws = 16000;
  std::array<int, 8> seen{};
  for (int i = 0; i < kDraws; ++i) {
    const MirrorAxes axes = DrawMirror(rng);
    ++seen[(axes[0] ? 4 : 0) + (axes[1] ? 2 : 0) + (axes[2] ? 1 : 0)];
  }
  for (const int count : seen) EXPECT_NEAR(count, kDraws / 8, 5 * std::sqrt(kDraws / 8.0));
}

TEST(Factor, ShrinksHalfOfTheTimeAndIsUniformOnEachSide) {
  Rng rng(4);
  constexpr int kDraws = 20000;
  int below = 0;
  double sum_below = 0, sum_above = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double factor = DrawFactorAroundOne(rng, 0.7, 1.5);
    ASSERT_GE(factor, 0.7f);
    ASSERT_LE(factor, 1.5f);
    (factor < 1 ? sum_below : sum_above) += factor;
    below += factor < 1 ? 1 : 0;
  }
  EXPECT_NEAR(below, kDraws / 2, 5 * std::sqrt(kDraws / 4.0));
  EXPECT_NEAR(sum_below / below, 0.85, 0.01);
  EXPECT_NEAR(sum_above / (kDraws - below), 1.25, 0.015);
}

// Shares of samples that each gate leaves alone, on images that only some transforms can change.
TEST(IntensityGates, FireAsOftenAsTheRecipeSays) {
  constexpr int kSamples = 20000;
  int constant_flat = 0, constant_same = 0, two_valued_same = 0, general_same = 0;
  const std::vector<float> constant(8, 1.0f), two_valued = {0, 1, 0, 1}, general = {0.0f, 0.2f, 0.3f, 1.0f};
  const auto close = [](const std::vector<float>& a, const std::vector<float>& b) {
    return std::ranges::equal(a, b, [](float x, float y) { return std::abs(x - y) < 2e-6f; });
  };
  for (int i = 0; i < kSamples; ++i) {
    const auto augmented = [&](std::vector<float> image) {
      Rng rng(123, static_cast<std::uint64_t>(i));
      AugmentIntensity(image, {.shape = {1, 1, static_cast<std::int64_t>(image.size())}}, {.intensity = true}, rng);
      return image;
    };
    const auto of_constant = augmented(constant);
    constant_flat +=
        std::ranges::all_of(of_constant, [&](float x) { return std::abs(x - of_constant[0]) < 1e-7f; }) ? 1 : 0;
    constant_same += close(of_constant, constant) ? 1 : 0;
    two_valued_same += close(augmented(two_valued), two_valued) ? 1 : 0;
    general_same += close(augmented(general), general) ? 1 : 0;
  }
  const auto expect_share = [&](int count, double share) {
    EXPECT_NEAR(count / double{kSamples}, share, 5 * std::sqrt(share * (1 - share) / kSamples));
  };
  expect_share(constant_flat, 0.9);                   // only noise makes it uneven
  expect_share(constant_same, 0.9 * 0.85);            // and only brightness moves it
  expect_share(two_valued_same, 0.9 * 0.85 * 0.925);  // gamma keeps two values, contrast clamps unless it shrinks
  expect_share(general_same, 0.9 * 0.85 * 0.85 * 0.9 * 0.7);
}

// Gates are drawn in the recipe's order; where exactly one fires, the sample is that transform with the next draw.
TEST(IntensityGates, ASampleWithOneTransformIsThatTransformAlone) {
  const std::vector<float> original = RandomImage(64, 8);
  constexpr std::array<double, 5> kGates = {0.1, 0.15, 0.15, 0.1, 0.3};
  std::array<int, 5> checked{};
  for (std::uint64_t stream = 0; stream < 400; ++stream) {
    for (std::size_t only = 0; only < kGates.size(); ++only) {
      Rng rng(21, stream);
      std::vector<float> expected = original;
      bool alone = true;
      for (std::size_t gate = 0; gate < kGates.size(); ++gate) {
        alone = alone && rng.Bernoulli(kGates[gate]) == (gate == only);
        if (!alone || gate != only) continue;
        if (gate == 0) {
          const auto deviation = static_cast<float>(rng.Uniform(0, 0.1));
          const std::uint64_t seed = rng.NextU64(), noise_stream = rng.NextU64();
          AddGaussianNoise(expected, deviation, seed, noise_stream);
        } else if (gate < 3) {
          const float factor = DrawFactorAroundOne(rng, 0.75, 1.25);
          gate == 1 ? MultiplyBrightness(expected, factor) : ScaleContrast(expected, factor);
        } else {
          ApplyGamma(expected, DrawFactorAroundOne(rng, 0.7, 1.5),
                     gate == 3 ? GammaSide::kInverted : GammaSide::kBright);
        }
      }
      if (!alone) continue;
      std::vector<float> augmented = original;
      Rng fresh(21, stream);
      AugmentIntensity(augmented, {.shape = {4, 4, 4}}, {.intensity = true}, fresh);
      EXPECT_EQ(augmented, expected) << "transform " << only << ", stream " << stream;
      ++checked[only];
    }
  }
  for (const int count : checked) EXPECT_GT(count, 5);
}

TEST(IntensityGates, EveryChannelGetsItsOwnFactorButOneNoiseStrength) {
  int different = 0, changed = 0;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    std::vector<float> image(16, 1.0f);
    Rng rng(5, i);
    AugmentIntensity(image, {.shape = {1, 2, 4}, .channels = 2}, {.intensity = true}, rng);
    const bool flat = std::ranges::all_of(image.begin(), image.begin() + 8, [&](float x) { return x == image[0]; });
    if (flat && image[0] != 1.0f) {
      ++changed;
      different += image[0] != image[8] ? 1 : 0;
    }
  }
  EXPECT_GT(changed, 150);
  EXPECT_EQ(different, changed);
}

TEST(IntensityGates, BlurAndLowResolutionComeToHalfOfTheChannelsOfSomeSamples) {
  const std::vector<float> original = RandomImage(2 * 64, 8);
  constexpr int kSamples = 8000;
  for (const auto& [options, gate] :
       {std::pair{AugmentationOptions{.blur = true}, 0.2}, {AugmentationOptions{.low_resolution = true}, 0.25}}) {
    int first = 0, second = 0, both = 0;
    for (std::uint64_t i = 0; i < kSamples; ++i) {
      std::vector<float> image = original;
      Rng rng(31, i);
      AugmentIntensity(image, {.shape = {4, 4, 4}, .channels = 2}, options, rng);
      const bool a = !std::equal(image.begin(), image.begin() + 64, original.begin());
      const bool b = !std::equal(image.begin() + 64, image.end(), original.begin() + 64);
      first += a ? 1 : 0, second += b ? 1 : 0, both += a && b ? 1 : 0;
    }
    // Low resolution of an eighth or less of a voxel changes nothing at edges of 4: round(4 s) = 4 from 7/8 on.
    const double changes = options.blur ? 1 : 0.75;
    const auto expect_share = [&](int count, double share) {
      EXPECT_NEAR(count / double{kSamples}, share, 5 * std::sqrt(share * (1 - share) / kSamples));
    };
    expect_share(first, gate * 0.5 * changes);
    expect_share(second, gate * 0.5 * changes);
    expect_share(both, gate * 0.25 * changes * changes);
  }
}

}  // namespace
}  // namespace consilium::datasets
