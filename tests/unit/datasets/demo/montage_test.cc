#include "datasets/demo/montage.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "datasets/demo/montage_panel.h"
#include "datasets/image/image_io.h"
#include "tests/testing/run_program.h"

namespace consilium::datasets {
namespace {

// 5 slices of 12 x 8; gray rises with y; class 1 fills rows 2..5 of slice 3, class 2 one voxel of slice 1.
MontageRow MakeRow() {
  MontageRow row;
  row.title = "site\ncase";
  row.image.channels = 1;
  row.image.shape = row.truth.shape = {5, 12, 8};
  row.image.geometry.spacing = {1, 1, 1};
  for (std::int64_t z = 0; z < 5; ++z)
    for (std::int64_t y = 0; y < 12; ++y)
      for (std::int64_t x = 0; x < 8; ++x) {
        row.image.voxels.push_back(static_cast<float>(y));
        row.truth.labels.push_back(z == 3 && y >= 2 && y < 6 ? 1 : z == 1 && y == 7 && x == 4 ? 2 : 0);
      }
  row.prediction = row.truth;
  return row;
}

bool Colourful(Color color) {
  return std::max({color.red, color.green, color.blue}) - std::min({color.red, color.green, color.blue}) > 30;
}

// Coloured pixels in the given vertical band, margin and legend left out.
int CountColour(const Canvas& canvas, std::int64_t from_x, std::int64_t to_x) {
  int count = 0;
  for (std::int64_t y = 40; y < canvas.height() - 40; ++y)
    for (std::int64_t x = from_x; x < to_x; ++x) count += Colourful(canvas.At(x, y)) ? 1 : 0;
  return count;
}

TEST(Montage, ShowsTheSliceWithMostForeground) {
  MontageRow row = MakeRow();
  EXPECT_EQ(SliceWithMostForeground(row.truth), 3);
  std::ranges::fill(row.truth.labels, 0);
  EXPECT_EQ(SliceWithMostForeground(row.truth), 2);
}

TEST(Montage, DiceIsOverTheWholeCase) {
  const MontageRow row = MakeRow();
  LabelMap half = row.truth;
  // Rows 2 and 3 of class 1 are missed: 16 of 32 voxels found, 2 * 16 / (32 + 16).
  for (std::int64_t i = 3 * 96 + 16; i < 3 * 96 + 32; ++i) half.labels[static_cast<std::size_t>(i)] = 0;
  EXPECT_DOUBLE_EQ(DiceOfClass(row.truth, half, 1), 2.0 * 16 / 48);
  EXPECT_DOUBLE_EQ(DiceOfClass(row.truth, row.truth, 2), 1.0);
  EXPECT_DOUBLE_EQ(DiceOfClass(row.truth, row.truth, 3), 1.0);
}

TEST(Montage, ColoursTruthAndPredictionButNotTheImage) {
  MontageRow row = MakeRow();
  std::ranges::fill(row.prediction.labels, 0);
  const StatusOr<Canvas> canvas = RenderMontage(std::vector{row}, {.class_names = {"one"}, .panel_pixels = 240});
  ASSERT_TRUE(canvas.ok()) << canvas.status();
  // Panels stand at the right: 160 wide (8/12 of 240), 6 apart, 16 from the edge.
  const std::int64_t right = canvas->width() - 16;
  const int in_prediction = CountColour(*canvas, right - 160, right);
  const int in_truth = CountColour(*canvas, right - 2 * 160 - 6, right - 160 - 6);
  const int in_image = CountColour(*canvas, right - 3 * 160 - 12, right - 2 * 160 - 12);
  EXPECT_EQ(in_prediction, 0);
  EXPECT_EQ(in_image, 0);
  EXPECT_NEAR(in_truth, 160 * 80, 600);  // 4 of 12 rows
}

TEST(Montage, TheFrontOfTheBodyIsUpWhicheverWayTheFileRuns) {
  for (const float direction : {1.0f, -1.0f}) {
    MontageRow row = MakeRow();
    row.image.geometry.sform_code = 1;
    row.image.geometry.srow = {{{1, 0, 0, 0}, {0, direction, 0, 0}, {0, 0, 1, 0}}};
    const StatusOr<Canvas> canvas = RenderMontage(std::vector{row}, {.panel_pixels = 240});
    ASSERT_TRUE(canvas.ok()) << canvas.status();
    const std::int64_t x = canvas->width() - 16 - 2 * 160 - 12 - 80;  // middle of the image's panel
    const int near_top = canvas->At(x, canvas->height() / 2 - 80).red;
    const int near_bottom = canvas->At(x, canvas->height() / 2 + 80).red;
    // Gray rises with the file's y; y runs to the front where the affine is positive.
    EXPECT_EQ(near_top > near_bottom, direction > 0) << near_top << " " << near_bottom;
  }
}

TEST(Montage, RefusesNoRowsAndRowsWhoseShapesDiffer) {
  EXPECT_EQ(RenderMontage({}, {}).code(), StatusCode::kInvalidArgument);
  MontageRow row = MakeRow();
  row.prediction.shape = {5, 8, 12};
  const auto canvas = RenderMontage(std::vector{row}, {});
  EXPECT_EQ(canvas.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(canvas.status().message().find("site"), std::string::npos);
}

TEST(Montage, RefusesMoreClassesThanAPersonCanTellApartAndSurvivesVoxelsThatAreNoNumber) {
  MontageRow row = MakeRow();
  row.image.voxels[300] = std::numeric_limits<float>::quiet_NaN();
  row.image.voxels[301] = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(RenderMontage(std::vector{row}, {}).ok());
  row.prediction.labels[0] = 30000;
  EXPECT_EQ(RenderMontage(std::vector{row}, {}).code(), StatusCode::kInvalidArgument);
}

TEST(Montage, IsWrittenAsAPngOfItsSize) {
  const testing::ScratchFolder folder;
  const std::vector<MontageRow> rows = {MakeRow(), MakeRow()};
  ASSERT_TRUE(WriteMontage(folder / "m.png", rows, {.heading = "Heading"}).ok());
  const StatusOr<Image> read = ReadImage(folder / "m.png");
  ASSERT_TRUE(read.ok()) << read.status();
  const StatusOr<Canvas> canvas = RenderMontage(rows, {.heading = "Heading"});
  EXPECT_EQ(read->channels, 3);
  EXPECT_EQ(read->shape, (Shape3{1, canvas->height(), canvas->width()}));
}

TEST(Montage, NeighbouringClassesHaveDifferentColours) {
  for (std::int64_t label = 1; label < 7; ++label) EXPECT_NE(ClassColor(label), ClassColor(label + 1));
  EXPECT_EQ(ClassColor(1), ClassColor(8));
}

}  // namespace
}  // namespace consilium::datasets
