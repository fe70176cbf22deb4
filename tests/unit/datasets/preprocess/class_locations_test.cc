#include "datasets/preprocess/class_locations.h"

#include <gmock/gmock.h>

#include <algorithm>

namespace consilium::datasets {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(ClassLocationsTest, EveryVoxelOfASmallClassIsListed) {
  const std::vector<std::int16_t> labels{-1, 1, 0, 3, 1, 3};
  EXPECT_THAT(ClassLocations(labels, 4, 1234), ElementsAre(ElementsAre(1, 4), IsEmpty(), ElementsAre(3, 5)));
}

TEST(ClassLocationsTest, ALargeClassIsSampledWithoutReplacementEvenlyAndRepeatably) {
  const std::vector<std::int16_t> labels(200000, 1);
  const std::vector<std::uint32_t> sample = ClassLocations(labels, 2, 1234)[0];
  EXPECT_EQ(sample.size(), 10000U);
  EXPECT_TRUE(std::is_sorted(sample.begin(), sample.end()));
  EXPECT_EQ(std::adjacent_find(sample.begin(), sample.end()), sample.end()) << "an index twice";
  EXPECT_EQ(sample, ClassLocations(labels, 2, 1234)[0]);
  EXPECT_NE(sample, ClassLocations(labels, 2, 1235)[0]);
  // Each tenth of the volume gets a tenth: 1000 with a standard deviation of 29.
  for (std::uint32_t tenth = 0; tenth < 10; ++tenth) {
    const auto count = std::count_if(sample.begin(), sample.end(), [&](std::uint32_t i) { return i / 20000 == tenth; });
    EXPECT_NEAR(static_cast<double>(count), 1000.0, 150.0);
  }
}

TEST(ClassLocationsTest, AboveAMillionVoxelsOneInAHundredIsKept) {
  EXPECT_EQ(ClassLocations(std::vector<std::int16_t>(10001, 1), 2, 1)[0].size(), 10000U);
  EXPECT_EQ(ClassLocations(std::vector<std::int16_t>(1000001, 1), 2, 1)[0].size(), 10001U);
}

}  // namespace
}  // namespace consilium::datasets
