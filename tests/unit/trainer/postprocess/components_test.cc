#include "trainer/postprocess/components.h"

#include <gmock/gmock.h>

namespace consilium::trainer {
namespace {

using ::testing::ElementsAre;

datasets::LabelMap Flat(std::int64_t height, std::int64_t width, std::vector<std::int16_t> labels) {
  return {.shape = {1, height, width}, .labels = std::move(labels), .geometry = {}};
}

TEST(ComponentsTest, TheLargestPartStaysAndVoxelsAreJoinedOverCorners) {
  datasets::LabelMap map = Flat(4, 5, {1, 0, 0, 0, 1,  //
                                       0, 1, 0, 0, 1,  //
                                       0, 0, 1, 0, 0,  //
                                       1, 0, 0, 0, 0});
  EXPECT_EQ(KeepLargestComponent(std::vector<std::int16_t>{1}, &map), 3);
  EXPECT_THAT(map.labels, ElementsAre(1, 0, 0, 0, 0,  //
                                      0, 1, 0, 0, 0,  //
                                      0, 0, 1, 0, 0,  //
                                      0, 0, 0, 0, 0));
}

TEST(ComponentsTest, CornersJoinAcrossSlicesButNotAcrossTheEndOfARow) {
  datasets::LabelMap diagonal{.shape = {2, 2, 2}, .labels = {1, 0, 0, 0, 0, 0, 0, 1}, .geometry = {}};
  EXPECT_EQ(KeepLargestComponent(std::vector<std::int16_t>{1}, &diagonal), 0);
  datasets::LabelMap rows{.shape = {2, 1, 4}, .labels = {0, 0, 0, 1, 1, 1, 0, 0}, .geometry = {}};
  EXPECT_EQ(KeepLargestComponent(std::vector<std::int16_t>{1}, &rows), 1);
  EXPECT_THAT(rows.labels, ElementsAre(0, 0, 0, 0, 1, 1, 0, 0));
}

TEST(ComponentsTest, LabelsTogetherAreOnePartAndOthersAreLeftAlone) {
  const std::vector<std::int16_t> labels{1, 2, 0, 2, 0, 3, 3};
  datasets::LabelMap together = Flat(1, 7, labels);
  EXPECT_EQ(KeepLargestComponent(std::vector<std::int16_t>{1, 2}, &together), 1);
  EXPECT_THAT(together.labels, ElementsAre(1, 2, 0, 0, 0, 3, 3));
  datasets::LabelMap apart = Flat(1, 7, labels);
  EXPECT_EQ(KeepLargestComponent(std::vector<std::int16_t>{2}, &apart), 1);
  EXPECT_THAT(apart.labels, ElementsAre(1, 2, 0, 0, 0, 3, 3)) << "of equally large parts the first";
}

TEST(ComponentsTest, OnePartOrNoneIsLeftAsItIs) {
  datasets::LabelMap one = Flat(1, 3, {0, 1, 1}), none = Flat(1, 3, {0, 2, 0});
  EXPECT_EQ(KeepLargestComponent(std::vector<std::int16_t>{1}, &one), 0);
  EXPECT_EQ(KeepLargestComponent(std::vector<std::int16_t>{1}, &none), 0);
  EXPECT_THAT(none.labels, ElementsAre(0, 2, 0));
}

}  // namespace
}  // namespace consilium::trainer
