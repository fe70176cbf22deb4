#include "datasets/resample/resample.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "comm/base/json.h"
#include "comm/base/rng.h"

namespace consilium::datasets {
namespace {

using ::testing::ElementsAre;

// resample_goldens.json: scikit-image 0.19.3 and SciPy 1.10.1, called as nnU-Net calls them.
class ResampleGoldens : public ::testing::Test {
 protected:
  void SetUp() override {
    const StatusOr<Json> read = ReadJson(std::filesystem::path(CONSILIUM_SOURCE_DIR) / "tests/unit/datasets/resample" /
                                         "resample_goldens.json");
    ASSERT_TRUE(read.ok()) << read.status();
    goldens_ = *read;
    ASSERT_EQ(goldens_.size(), 9U);
  }
  static ResampleGrid GridOf(const Json& golden) {
    ResampleGrid grid{.from = golden["from"], .to = golden["to"]};
    if (golden["separate_axis"] != -1) grid.separate_axis = golden["separate_axis"].get<std::size_t>();
    return grid;
  }
  Json goldens_;
};

TEST_F(ResampleGoldens, ImagesEqualSciPysToTheLastDigitsOfF32) {
  for (const Json& golden : goldens_) {
    const std::vector<float> image = golden["image"];
    const auto [low, high] = std::minmax_element(image.begin(), image.end());
    for (const auto& [key, interpolation] :
         {std::pair{"cubic", Interpolation::kCubic}, {"linear", Interpolation::kLinear}}) {
      SCOPED_TRACE(golden["name"].get<std::string>() + " " + key);
      const std::vector<float> expected = golden[key];
      const std::vector<float> found = ResampleImage(image, GridOf(golden), interpolation);
      ASSERT_EQ(found.size(), expected.size());
      double worst = 0;
      for (std::size_t i = 0; i < found.size(); ++i)
        worst = std::max(worst, std::abs(double{found[i]} - expected[i]) / (*high - *low));
      EXPECT_LT(worst, 2e-6);
    }
  }
}

// Where two masks share a voxel by exactly one half, the last bit of SciPy's arithmetic decides.
TEST_F(ResampleGoldens, LabelsEqualSciPysButForExactTies) {
  std::size_t voxels = 0, others = 0;
  for (const Json& golden : goldens_) {
    const std::vector<std::int16_t> labels = golden["labels"], expected = golden["resampled_labels"];
    const std::vector<std::int16_t> found = ResampleLabels(labels, GridOf(golden));
    ASSERT_EQ(found.size(), expected.size()) << golden["name"];
    for (std::size_t i = 0; i < found.size(); ++i) others += found[i] != expected[i] ? 1 : 0;
    voxels += found.size();
  }
  EXPECT_LE(others * 1000, voxels) << others << " of " << voxels;
}

TEST(ResampleTest, TheSameGridGivesTheSameVoxels) {
  Rng rng(1, 0);
  std::vector<float> image;
  for (int i = 0; i < 60; ++i) image.push_back(static_cast<float>(rng.Normal()));
  const ResampleGrid grid{.from = {3, 4, 5}, .to = {3, 4, 5}, .separate_axis = 0};
  EXPECT_EQ(ResampleImage(image, grid, Interpolation::kCubic), image);
  EXPECT_EQ(ResampleLabels(std::vector<std::int16_t>(60, -1), grid), std::vector<std::int16_t>(60, -1));
}

TEST(ResampleTest, ASplineGivesBackTheVoxelsItWentThrough) {
  Rng rng(2, 0);
  std::vector<float> image;
  for (int i = 0; i < 40; ++i) image.push_back(static_cast<float>(rng.Normal()));
  // Three times as fine: every third output, from the second, lies on an input.
  const std::vector<float> fine = ResampleImage(image, {.from = {1, 1, 40}, .to = {1, 1, 120}}, Interpolation::kCubic);
  for (std::size_t i = 0; i < image.size(); ++i) EXPECT_NEAR(fine[3 * i + 1], image[i], 1e-5) << i;
}

TEST(ResampleTest, AConstantStaysConstantAndNothingLeavesTheRangeOfItsInput) {
  for (const float value :
       ResampleImage(std::vector<float>(210, 7.25F), {.from = {5, 6, 7}, .to = {9, 4, 11}}, Interpolation::kCubic))
    ASSERT_EQ(value, 7.25F);
  std::vector<float> step(40, 0.0F);
  std::fill(step.begin() + 20, step.end(), 1.0F);
  const std::vector<float> resampled =
      ResampleImage(step, {.from = {1, 1, 40}, .to = {1, 1, 97}}, Interpolation::kCubic);
  EXPECT_EQ(*std::min_element(resampled.begin(), resampled.end()), 0.0F);
  EXPECT_EQ(*std::max_element(resampled.begin(), resampled.end()), 1.0F);
}

TEST(ResampleTest, TheSeparateAxisIsTheOneThatIsCoarseAlone) {
  EXPECT_EQ(SeparateAxis({5, 1, 1}, {1, 1, 1}), 0U);
  EXPECT_EQ(SeparateAxis({1, 1, 5}, {4, 1, 1}), 2U) << "the source decides first";
  EXPECT_EQ(SeparateAxis({1, 1, 1}, {1, 4, 1}), 1U);
  EXPECT_EQ(SeparateAxis({3, 1, 1}, {1, 1, 1}), std::nullopt) << "3 times is not more than 3 times";
  EXPECT_EQ(SeparateAxis({0.24, 1.25, 1.25}, {1, 1, 1}), std::nullopt) << "two coarse axes";
  EXPECT_EQ(SeparateAxis({0.24, 1.25, 1.25}, {9, 1, 1}), std::nullopt) << "nnU-Net then asks no further";
}

TEST(ResampleTest, ShapesAreRoundedHalfToEven) {
  EXPECT_THAT(ResampledShape({35, 37, 1}, {1, 1, 1}, {2, 2, 100}), ElementsAre(18, 18, 1));
}

}  // namespace
}  // namespace consilium::datasets
