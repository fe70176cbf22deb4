#include <gmock/gmock.h>

#include <cmath>
#include <cstdlib>

#include "datasets/image/image_io.h"
#include "datasets/preprocess/prepared_case.h"
#include "tests/testing/run_program.h"

namespace consilium::datasets {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

class LoadCasesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"imagesTr", "labelsTr"}) fs::create_directories(folder_ / name);
    const Json json{{"channel_names", {{"0", "MRI"}}},
                    {"labels", {{"background", 0}, {"x", 1}}},
                    {"numTraining", 2},
                    {"file_ending", ".nii"}};
    ASSERT_TRUE(WriteJson(folder_ / "dataset.json", json).ok());
    WriteCase("a", {1, 1, 1});
    WriteCase("b", {1, 1, 1.005});
  }
  void WriteCase(const std::string& id, const Spacing3& spacing) {
    const Geometry geometry{.spacing = spacing};
    const Image image{.channels = 1, .shape = {2, 2, 2}, .voxels = {1, 2, 3, 4, 5, 6, 7, 8}, .geometry = geometry};
    const LabelMap labels{.shape = {2, 2, 2}, .labels = {0, 1, 0, 1, 0, 1, 0, 1}, .geometry = geometry};
    ASSERT_TRUE(WriteImage(folder_.path() / "imagesTr" / (id + "_0000.nii"), image).ok());
    ASSERT_TRUE(WriteLabels(folder_.path() / "labelsTr" / (id + ".nii"), labels).ok());
  }
  StatusOr<std::vector<PreparedCase>> Load(const std::vector<std::string>& ids,
                                           const std::vector<double>& spacing = {}) const {
    const RawDataset dataset = *OpenRawDataset(folder_.path());
    PrepareOptions options = *PrepareOptionsFor(dataset.description);
    options.spacing = spacing;
    return LoadPreparedCases(dataset, ids, options);
  }
  consilium::testing::ScratchFolder folder_;
};

TEST_F(LoadCasesTest, CasesComeInTheOrderAsked) {
  const auto cases = Load({"b", "a"});
  ASSERT_TRUE(cases.ok()) << cases.status();
  EXPECT_EQ((*cases)[0].id, "b");
  EXPECT_EQ((*cases)[1].id, "a");
  EXPECT_EQ((*cases)[1].class_locations[0].size(), 4U);
}

TEST_F(LoadCasesTest, SpacingsThatDifferByMoreThanOnePercentNeedOneToResampleTo) {
  EXPECT_TRUE(Load({"a", "b"}).ok()) << "0.5 %";
  WriteCase("b", {1, 1, 2});
  const auto cases = Load({"a", "b"});
  EXPECT_EQ(cases.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(cases.status().message(), HasSubstr("case b has voxels of 1 x 1 x 2 mm"));
  EXPECT_THAT(cases.status().message(), HasSubstr("data.spacing"));
  const auto resampled = Load({"a", "b"}, {1, 1, 1});
  ASSERT_TRUE(resampled.ok()) << resampled.status();
  EXPECT_EQ((*resampled)[0].shape, (Shape3{2, 2, 2}));
  EXPECT_EQ((*resampled)[1].shape, (Shape3{2, 2, 4}));
}

TEST_F(LoadCasesTest, AMissingCaseOrLabelIsNamed) {
  EXPECT_THAT(Load({"c"}).status().message(), HasSubstr("no case 'c'"));
  fs::remove(folder_ / "labelsTr/a.nii");
  EXPECT_THAT(Load({"a"}).status().message(), HasSubstr("labelsTr/a.nii"));
}

TEST_F(LoadCasesTest, RealCasesAreNormalisedAndCropped) {
  const char* data = std::getenv("CONSILIUM_DATA");
  const fs::path root =
      fs::path(data != nullptr ? data : CONSILIUM_SOURCE_DIR "/../shared/data") / "Dataset004_Hippocampus";
  if (!fs::exists(root)) GTEST_SKIP() << root << " is not there";
  const RawDataset dataset = *OpenRawDataset(root);
  const std::vector<std::string> ids{"hippocampus_001", "hippocampus_003", "hippocampus_004"};
  const auto cases = LoadPreparedCases(dataset, ids, *PrepareOptionsFor(dataset.description));
  ASSERT_TRUE(cases.ok()) << cases.status();
  for (const PreparedCase& prepared : *cases) {
    double sum = 0.0, squares = 0.0;
    for (const float voxel : prepared.image) sum += voxel, squares += voxel * voxel;
    const auto count = static_cast<double>(prepared.image.size());
    EXPECT_NEAR(sum / count, 0.0, 1e-4) << prepared.id;
    EXPECT_NEAR(std::sqrt(squares / count), 1.0, 1e-4) << prepared.id;
    ASSERT_EQ(prepared.class_locations.size(), 2U);
    for (std::size_t c = 0; c < 2; ++c)
      for (const std::uint32_t at : prepared.class_locations[c])
        ASSERT_EQ(prepared.labels[at], static_cast<std::int16_t>(c + 1));
    const LabelMap truth = *ReadLabels(FindCase(dataset, prepared.id)->label);
    EXPECT_EQ(RestoreGrid(prepared, prepared.labels).labels, truth.labels) << prepared.id;
  }
}

}  // namespace
}  // namespace consilium::datasets
