#include "datasets/statistics/fingerprint_extractor.h"

#include <gmock/gmock.h>

#include "comm/base/rng.h"
#include "tests/unit/datasets/statistics/picture_dataset.h"

namespace consilium::datasets {
namespace {

using ::testing::HasSubstr;

TEST(FingerprintExtractorTest, MeasuresAfterTheCropToNonzero) {
  PictureDataset pictures;
  pictures.AddCases(0, 5);
  const RawDataset dataset = pictures.Open();
  const StatusOr<DatasetFingerprint> fingerprint = ExtractFingerprint(dataset, {.samples = 500'000});
  ASSERT_TRUE(fingerprint.ok()) << fingerprint.status();
  ASSERT_EQ(fingerprint->spacings.size(), 5U);
  for (std::size_t i = 0; i < 5; ++i) {
    const StatusOr<Image> image = ReadImage(dataset.cases[i].images[0]);
    ASSERT_TRUE(image.ok());
    EXPECT_EQ(fingerprint->spacings[i], (std::array<double, 3>{999, 1, 1}));
    EXPECT_EQ(fingerprint->shapes_after_crop[i],
              (std::array<std::int64_t, 3>{1, image->shape[1] - 3, image->shape[2] - 5}));
  }
  EXPECT_GT(fingerprint->median_relative_size, 0.6);
  EXPECT_LT(fingerprint->median_relative_size, 0.9);
  const IntensityProperties& gray = fingerprint->channels.at(0);
  EXPECT_EQ(gray.min, 100);
  EXPECT_EQ(gray.max, 130);
  EXPECT_NEAR(gray.median, 115, 3);
  EXPECT_NEAR(gray.mean, 115, 2);
  EXPECT_NEAR(gray.std, 9, 1) << "a flat distribution over 31 values";
}

// The generator is NumPy's: numpy.random.RandomState(1234).rand(3) is 0.19151945, 0.62210877, 0.43772774, two words
// each.
TEST(FingerprintExtractorTest, DrawsWithNumpysGenerator) {
  Mt19937 generator(1234);
  for (const double expected : {0.1915194503788923, 0.6221087710398319, 0.4377277390071145}) {
    const std::uint32_t high = generator.NextU32() >> 5, low = generator.NextU32() >> 6;
    EXPECT_EQ((high * 67108864.0 + low) / 9007199254740992.0, expected);
  }
}

TEST(FingerprintExtractorTest, ThreadsDoNotShow) {
  PictureDataset pictures;
  pictures.AddCases(0, 9);
  const RawDataset dataset = pictures.Open();
  const StatusOr<DatasetFingerprint> one = ExtractFingerprint(dataset, {.loop = {.threads = 1}, .samples = 500'000});
  const StatusOr<DatasetFingerprint> four = ExtractFingerprint(dataset, {.loop = {.threads = 4}, .samples = 500'000});
  ASSERT_TRUE(one.ok() && four.ok()) << one.status() << four.status();
  EXPECT_EQ(*one, *four);
}

TEST(FingerprintExtractorTest, WithoutAnyForegroundItIsRefused) {
  PictureDataset pictures;
  pictures.AddCase("empty", 6);
  EXPECT_THAT(ExtractFingerprint(pictures.Open(), {}).status().message(), HasSubstr("no foreground"));
}

}  // namespace
}  // namespace consilium::datasets
