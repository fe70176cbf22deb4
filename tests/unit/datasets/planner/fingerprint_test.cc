#include "datasets/planner/fingerprint.h"

#include <gmock/gmock.h>

namespace consilium::datasets {
namespace {

using ::testing::HasSubstr;

DatasetFingerprint Example() {
  return {
      .spacings = {{1, 1, 1}, {2.5, 0.7, 0.7}},
      .shapes_after_crop = {{36, 50, 35}, {20, 320, 319}},
      .channels = {{.mean = 1, .median = 2, .std = 3, .min = 4, .max = 5, .percentile_00_5 = 6, .percentile_99_5 = 7}},
      .median_relative_size = 0.5};
}

TEST(FingerprintTest, WrittenAndReadBackItIsTheSame) {
  const StatusOr<DatasetFingerprint> read = FingerprintFromJson(FingerprintToJson(Example()), "f.json");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, Example());
}

TEST(FingerprintTest, KeysAreNnunets) {
  const Json json = FingerprintToJson(Example());
  EXPECT_EQ(json["spacings"][1], (Json{2.5, 0.7, 0.7}));
  EXPECT_EQ(json["shapes_after_crop"][0], (Json{36, 50, 35}));
  EXPECT_EQ(json["median_relative_size_after_cropping"], 0.5);
  EXPECT_EQ(json["foreground_intensity_properties_per_channel"]["0"]["percentile_99_5"], 7.0);
}

TEST(FingerprintTest, EveryFaultOfAForeignFileIsNamed) {
  const auto fault = [](const char* pointer, const Json& value) {
    Json json = FingerprintToJson(Example());
    json[Json::json_pointer(pointer)] = value;
    return FingerprintFromJson(json, "f.json").status();
  };
  EXPECT_THAT(fault("/spacings/0/2", 0).message(), HasSubstr("f.json: spacings[0]"));
  EXPECT_THAT(fault("/spacings/0/2", "wide").message(), HasSubstr("three positive numbers"));
  EXPECT_THAT(fault("/spacings", Json::array()).message(), HasSubstr("spacings must be a list"));
  EXPECT_THAT(fault("/spacings", Json{{1, 1, 1}}).message(), HasSubstr("1 spacings, but 2 shapes"));
  EXPECT_THAT(fault("/shapes_after_crop/0/0", 3.5).message(), HasSubstr("whole numbers"));
  EXPECT_THAT(fault("/foreground_intensity_properties_per_channel/0/std", nullptr).message(), HasSubstr("0.std"));
  EXPECT_THAT(fault("/foreground_intensity_properties_per_channel", Json{{"1", 2}}).message(),
              HasSubstr("none is \"0\""));
  EXPECT_THAT(fault("/median_relative_size_after_cropping", "all").message(), HasSubstr("must be a number"));
  EXPECT_EQ(fault("/median_relative_size_after_cropping", "all").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(FingerprintFromJson(Json::array(), "f.json").status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace consilium::datasets
