// Faults that only NIfTI can have, and the real hippocampus data with its real bad files.
#include <gmock/gmock.h>

#include <cmath>
#include <cstdlib>

#include "datasets/image/image_io.h"
#include "datasets/raw/integrity.h"
#include "tests/testing/run_program.h"

namespace consilium::datasets {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

fs::path DataFolder() {
  const char* data = std::getenv("CONSILIUM_DATA");
  return data != nullptr ? data : CONSILIUM_SOURCE_DIR "/../shared/data";
}

class NiftiDatasetTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"imagesTr", "labelsTr"}) fs::create_directories(folder_ / name);
    SetCount(2);
    for (const char* id : {"a", "b"}) WriteCase(id, {.spacing = {3, 2, 1}, .qform_code = 1}, {2, 3, 4});
  }
  void SetCount(int count) {
    const Json json{{"channel_names", {{"0", "MRI"}}},
                    {"labels", {{"background", 0}, {"Anterior", 1}, {"Posterior", 2}}},
                    {"numTraining", count},
                    {"file_ending", ".nii.gz"}};
    ASSERT_TRUE(WriteJson(folder_ / "dataset.json", json).ok());
  }
  void WriteCase(const std::string& id, const Geometry& geometry, const Shape3& shape) {
    const auto count = static_cast<std::size_t>(VoxelCount(shape));
    image_ = {.channels = 1, .shape = shape, .voxels = std::vector<float>(count, 1.5F), .geometry = geometry};
    label_ = {.shape = shape, .labels = std::vector<std::int16_t>(count, 1), .geometry = geometry};
    ASSERT_TRUE(WriteImage(folder_.path() / "imagesTr" / (id + "_0000.nii.gz"), image_).ok());
    ASSERT_TRUE(WriteLabels(folder_.path() / "labelsTr" / (id + ".nii.gz"), label_).ok());
  }
  IntegrityReport Check() const { return CheckIntegrity(*OpenRawDataset(folder_.path())); }

  consilium::testing::ScratchFolder folder_;
  Image image_;  // of the case written last
  LabelMap label_;
};

TEST_F(NiftiDatasetTest, AnotherSpacingIsAFaultAnotherOriginAWarning) {
  ASSERT_TRUE(Check().ok()) << Check().ToStatus();
  label_.geometry.spacing[0] = 3.5;
  ASSERT_TRUE(WriteLabels(folder_ / "labelsTr/b.nii.gz", label_).ok());
  EXPECT_THAT(
      Check().ToStatus().message(),
      HasSubstr("b: labelsTr/b.nii.gz has the spacing 3.5x2x1 mm (z, y, x), but imagesTr/b_0000.nii.gz has 3x2x1"));
  label_.geometry.spacing[0] = 3;
  label_.geometry.offset = {0, 0, 9};
  ASSERT_TRUE(WriteLabels(folder_ / "labelsTr/b.nii.gz", label_).ok());
  const IntegrityReport report = Check();
  EXPECT_TRUE(report.ok()) << report.ToStatus();
  ASSERT_EQ(report.warnings.size(), 1U);
  EXPECT_THAT(report.warnings[0].fault, HasSubstr("another origin or direction than imagesTr/b_0000.nii.gz"));
}

TEST_F(NiftiDatasetTest, VoxelsThatAreNotNumbersAreCounted) {
  image_.voxels[3] = std::nanf("");
  image_.voxels[5] = INFINITY;
  ASSERT_TRUE(WriteImage(folder_ / "imagesTr/b_0000.nii.gz", image_).ok());
  EXPECT_THAT(Check().ToStatus().message(), HasSubstr("b: imagesTr/b_0000.nii.gz 2 of 24 voxels are NaN or infinite"));
}

TEST_F(NiftiDatasetTest, FlatImagesAmongVolumesAreAFault) {
  WriteCase("flat", {.spacing = {1998, 2, 1}, .dimensions = 2}, {1, 3, 4});
  SetCount(3);
  EXPECT_THAT(Check().ToStatus().message(),
              HasSubstr("mixes 1 flat images (2D) with 2 volumes (3D); the flat ones: flat"));
}

TEST_F(NiftiDatasetTest, ATruncatedFileIsNamedWithItsFault) {
  fs::resize_file(folder_ / "imagesTr/a_0000.nii.gz", 40);
  EXPECT_THAT(Check().ToStatus().message(),
              HasSubstr("a: imagesTr/a_0000.nii.gz cannot be read: the compressed stream is cut off"));
}

TEST(RealDataTest, TwoHundredHippocampusCasesAreSound) {
  const fs::path folder = DataFolder() / "Dataset004_Hippocampus";
  if (!fs::exists(folder)) GTEST_SKIP() << folder << " is not there";
  const IntegrityReport report = CheckIntegrity(*OpenRawDataset(folder));
  EXPECT_TRUE(report.ok()) << report.ToStatus();
  EXPECT_EQ(report.cases_checked, 200);
  EXPECT_TRUE(report.warnings.empty()) << report.ToJson().dump(1);
}

TEST_F(NiftiDatasetTest, TheRealBadFilesAreEachReportedOnce) {
  const fs::path bad = DataFolder() / "hippocampus_bad";
  if (!fs::exists(bad)) GTEST_SKIP() << bad << " is not there";
  fs::copy_file(bad / "images/hippocampus_118.nii.gz", folder_ / "imagesTr/hippocampus_118_0000.nii.gz");
  fs::copy_file(bad / "labels/hippocampus_010.nii.gz", folder_ / "labelsTr/hippocampus_010.nii.gz");
  fs::copy_file(bad / "labels/hippocampus_281.nii.gz", folder_ / "labelsTr/hippocampus_281.nii.gz");
  SetCount(5);
  const IntegrityReport report = Check();
  EXPECT_EQ(report.faults.size(), 3U) << report.ToStatus();
  const std::string text = report.ToStatus().message();
  EXPECT_THAT(text, HasSubstr("hippocampus_118: labelsTr/hippocampus_118.nii.gz is missing: the image has no label"));
  EXPECT_THAT(text, HasSubstr("hippocampus_010: labelsTr/hippocampus_010.nii.gz is a label without an image"));
  EXPECT_THAT(text, HasSubstr("hippocampus_281: labelsTr/hippocampus_281.nii.gz is a label without an image"));
  EXPECT_EQ(ExitCodeFor(report.ToStatus()), ExitCode::kBadInput);
}

TEST_F(NiftiDatasetTest, AForeignLabelPairedWithAnImageIsAShapeFault) {
  const fs::path bad = DataFolder() / "hippocampus_bad";
  if (!fs::exists(bad)) GTEST_SKIP() << bad << " is not there";
  fs::copy_file(bad / "images/hippocampus_118.nii.gz", folder_ / "imagesTr/x_0000.nii.gz");
  fs::copy_file(bad / "labels/hippocampus_281.nii.gz", folder_ / "labelsTr/x.nii.gz");
  SetCount(3);
  EXPECT_THAT(
      Check().ToStatus().message(),
      HasSubstr("x: labelsTr/x.nii.gz has the shape 94x512x512 (z, y, x), but imagesTr/x_0000.nii.gz has 33x52x37"));
}

}  // namespace
}  // namespace consilium::datasets
