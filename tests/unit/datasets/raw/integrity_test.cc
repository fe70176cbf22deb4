#include "datasets/raw/integrity.h"

#include <gmock/gmock.h>

#include "tests/unit/datasets/raw/raw_files.h"

namespace consilium::datasets {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

auto IsFinding(const std::string& id, const std::string& file, const std::string& fault) {
  return AllOf(Field(&Finding::case_id, id), Field(&Finding::file, std::filesystem::path(file)),
               Field(&Finding::fault, HasSubstr(fault)), Field(&Finding::mend, ::testing::Not(IsEmpty())));
}

class IntegrityTest : public ::testing::Test {
 protected:
  IntegrityReport Check() const {
    const StatusOr<RawDataset> dataset = OpenRawDataset(files_.folder());
    EXPECT_TRUE(dataset.ok()) << dataset.status();
    return dataset.ok() ? CheckIntegrity(*dataset) : IntegrityReport{};
  }
  RawFiles files_;
};

TEST_F(IntegrityTest, ASoundDataSetHasNoFindings) {
  const IntegrityReport report = Check();
  EXPECT_TRUE(report.ok()) << report.ToStatus();
  EXPECT_THAT(report.warnings, IsEmpty());
  EXPECT_EQ(report.cases_checked, 3);
  EXPECT_TRUE(report.ToStatus().ok());
}

TEST_F(IntegrityTest, MissingFilesAreNamed) {
  files_.Remove("imagesTr/a_0001.png");
  files_.Remove("labelsTr/b.png");
  files_.Remove("imagesTr/c_0000.png");
  files_.Remove("imagesTr/c_0001.png");
  EXPECT_THAT(Check().faults, UnorderedElementsAre(IsFinding("a", "imagesTr/a_0001.png", "channel 1 (T2)"),
                                                   IsFinding("b", "labelsTr/b.png", "no label"),
                                                   IsFinding("c", "labelsTr/c.png", "label without an image")));
}

TEST_F(IntegrityTest, UnreadableFilesGiveTheirReason) {
  files_.WriteText("imagesTr/a_0000.png", "this is no picture");
  files_.WriteText("labelsTr/a.png", "");
  std::filesystem::remove(files_.folder() / "labelsTr/b.png");
  std::filesystem::create_directory(files_.folder() / "labelsTr/b.png");
  const IntegrityReport report = Check();
  EXPECT_THAT(report.faults,
              UnorderedElementsAre(IsFinding("a", "imagesTr/a_0000.png", "cannot be read: is not a readable PNG"),
                                   IsFinding("a", "labelsTr/a.png", "cannot be read"),
                                   IsFinding("b", "labelsTr/b.png", "cannot be read")));
}

TEST_F(IntegrityTest, ShapesThatDifferAreNamedBetweenChannelsAndForTheLabel) {
  files_.WriteImageOf("a_0001", {1, 3, 5});
  files_.WriteLabelOf("b", {1, 4, 3}, std::vector<std::int16_t>(12));
  EXPECT_THAT(Check().faults,
              UnorderedElementsAre(IsFinding("a", "imagesTr/a_0001.png", "1x3x5 (z, y, x)"),
                                   IsFinding("b", "labelsTr/b.png", "1x4x3 (z, y, x), but imagesTr/b_0000.png")));
}

TEST_F(IntegrityTest, UndeclaredLabelValuesAreCounted) {
  files_.WriteLabelOf("a", {1, 3, 4}, {0, 1, 7, 7, 7, 2, 0, 0, 0, 0, 0, 0});
  EXPECT_THAT(Check().faults, UnorderedElementsAre(IsFinding("a", "labelsTr/a.png", "value 7 in 3 voxels"),
                                                   IsFinding("a", "labelsTr/a.png", "value 2 in 1 voxels")));
}

TEST_F(IntegrityTest, AnImageSavedAsLabelDoesNotFloodTheReport) {
  std::vector<std::int16_t> values(12);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::int16_t>(100 + i);
  files_.WriteLabelOf("a", {1, 3, 4}, values);
  const IntegrityReport report = Check();
  EXPECT_EQ(report.faults.size(), 6U);
  EXPECT_THAT(report.faults.back(), IsFinding("a", "labelsTr/a.png", "7 more values"));
}

TEST_F(IntegrityTest, AWrongNumberOfChannelsIsAFaultWhereverItShows) {
  files_.WriteImageOf("a_0002", {1, 3, 4});
  files_.WriteImageOf("b_0000", {1, 3, 4}, 3);
  EXPECT_THAT(Check().faults, UnorderedElementsAre(IsFinding("a", "imagesTr/a_0002.png", "channel 2 is not declared"),
                                                   IsFinding("b", "imagesTr/b_0000.png", "holds 4 channels")));
}

TEST_F(IntegrityTest, OneCaseUnderTwoNamesIsAFault) {
  files_.WriteText("imagesTr/a_0000.nii.gz", "x");
  files_.WriteText("labelsTr/a.nii", "x");
  files_.WriteCase("B");
  Json json = RawFiles::Description();
  json["numTraining"] = 4;
  files_.WriteDescription(json);
  EXPECT_THAT(Check().faults, UnorderedElementsAre(IsFinding("a", "imagesTr/a_0000.nii.gz", "second file of a case"),
                                                   IsFinding("a", "labelsTr/a.nii", "second file of a case"),
                                                   IsFinding("b", "imagesTr/b_0000.png", "upper and lower case")));
}

TEST_F(IntegrityTest, StrayFilesAreOnlyWarnedOf) {
  files_.WriteText("imagesTr/notes.txt", "x");
  files_.WriteText("labelsTr/d.nii.gz", "x");
  files_.WriteText("imagesTr/.DS_Store", "x");
  const IntegrityReport report = Check();
  EXPECT_TRUE(report.ok()) << report.ToStatus();
  EXPECT_THAT(report.warnings, UnorderedElementsAre(IsFinding("", "imagesTr/notes.txt", "ignored"),
                                                    IsFinding("", "labelsTr/d.nii.gz", "ignored")));
}

TEST_F(IntegrityTest, AnEmptyDataSetAndAWrongCountAreFaultsOfTheWhole) {
  for (const char* folder : {"imagesTr", "labelsTr"}) {
    std::filesystem::remove_all(files_.folder() / folder);
    std::filesystem::create_directory(files_.folder() / folder);
  }
  EXPECT_THAT(Check().faults, UnorderedElementsAre(IsFinding("", "imagesTr", "no case"),
                                                   IsFinding("", "dataset.json", "numTraining is 3, but 0 cases")));
}

TEST_F(IntegrityTest, TheReportListsEveryFaultOfEveryCaseInReadableLines) {
  for (const char* id : {"a", "b", "c"}) files_.Remove(std::string("labelsTr/") + id + ".png");
  const Status status = Check().ToStatus();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("Dataset901_Tiny: 3 faults (3 cases checked)\n"));
  EXPECT_THAT(
      status.message(),
      HasSubstr("\n  b: labelsTr/b.png is missing: the image has no label; add the label, or leave the case out\n"));
  EXPECT_EQ(Check().ToJson()["faults"][2]["case"], "c");
}

TEST(IntegrityReportTest, TextIsCappedAndJsonIsNot) {
  IntegrityReport report;
  for (int i = 0; i < 120; ++i) report.faults.push_back({Concat("case", i), "f.png", "is wrong", "mend it"});
  const std::string text = report.ToStatus().message();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 51);
  EXPECT_THAT(text, HasSubstr("... and 70 more"));
  EXPECT_EQ(report.ToJson()["faults"].size(), 120U);
}

}  // namespace
}  // namespace consilium::datasets
