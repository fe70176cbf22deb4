#include "datasets/raw/raw_dataset.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <optional>

#include "datasets/raw/file_names.h"
#include "tests/unit/datasets/raw/raw_files.h"

namespace consilium::datasets {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

std::vector<std::string> IdsOf(const std::vector<CaseFiles>& cases) {
  std::vector<std::string> ids;
  for (const CaseFiles& files : cases) ids.push_back(files.id);
  return ids;
}

// Sets an environment variable for one test.
class ScopedVariable {
 public:
  ScopedVariable(const char* name, const std::string& value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    ::setenv(name, value.c_str(), 1);
  }
  ~ScopedVariable() { before_ ? ::setenv(name_, before_->c_str(), 1) : ::unsetenv(name_); }

 private:
  const char* name_;
  std::optional<std::string> before_;
};

TEST(FileNamesTest, ACaseIdMayItselfHoldUnderscoresAndDigits) {
  EXPECT_EQ(ParseImageName("hippo_001_0002.nii.gz", ".nii.gz")->id, "hippo_001");
  EXPECT_EQ(ParseImageName("hippo_001_0002.nii.gz", ".nii.gz")->channel, 2);
  EXPECT_EQ(ImageNameOf("hippo_001", 2, ".nii.gz"), "hippo_001_0002.nii.gz");
  for (const char* name :
       {"x.nii.gz", "_0000.nii.gz", "x_000.nii.gz", "x_00a0.nii.gz", "x0000.nii.gz", "x_0000.nii", ".nii.gz"})
    EXPECT_FALSE(ParseImageName(name, ".nii.gz")) << name;
  EXPECT_FALSE(ParseImageName("x_0000.nii.gz", ".nii"));
  EXPECT_FALSE(ParseLabelName(".png", ".png"));
}

TEST(RawDatasetTest, CasesAreTheUnionOfImagesAndLabelsSortedById) {
  RawFiles files;
  files.WriteImageOf("_odd_0000", {1, 3, 4});
  files.WriteText("imagesTr/._a_0000.png", "macOS");
  files.WriteText("imagesTr/readme.txt", "not an image");
  files.WriteLabelOf("z", {1, 3, 4}, std::vector<std::int16_t>(12));
  const StatusOr<RawDataset> dataset = OpenRawDataset(files.folder());
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ(dataset->name, "Dataset901_Tiny");
  EXPECT_EQ(OpenRawDataset(files.folder() / "")->name, "Dataset901_Tiny") << "a slash at the end";
  EXPECT_THAT(IdsOf(dataset->cases), ElementsAre("_odd", "a", "b", "c", "z"));
  EXPECT_THAT(dataset->cases[1].images,
              ElementsAre(files.folder() / "imagesTr/a_0000.png", files.folder() / "imagesTr/a_0001.png"));
  EXPECT_EQ(dataset->cases[1].label, files.folder() / "labelsTr/a.png");
}

TEST(RawDatasetTest, WhatIsMissingIsNamed) {
  RawFiles files;
  EXPECT_EQ(OpenRawDataset(files.folder() / "nowhere").code(), StatusCode::kNotFound);
  fs::remove_all(files.folder() / "labelsTr");
  EXPECT_THAT(OpenRawDataset(files.folder()).status().message(), HasSubstr("labelsTr is not a folder"));
  files.WriteText("dataset.json", "{ \"labels\": ");
  EXPECT_THAT(OpenRawDataset(files.folder()).status().message(), HasSubstr("dataset.json is not valid JSON"));
  files.Remove("dataset.json");
  EXPECT_EQ(OpenRawDataset(files.folder()).code(), StatusCode::kNotFound);
}

TEST(RawDatasetTest, ChannelsOfACaseBecomeOneImage) {
  RawFiles files;
  const RawDataset dataset = *OpenRawDataset(files.folder());
  const StatusOr<Image> image = ReadCaseImage(dataset.cases[0], 2);
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->channels, 2);
  EXPECT_EQ(image->voxels.size(), 24U);
  EXPECT_EQ(image->voxels[12 + 5], 5.0F);
  EXPECT_THAT(ReadCaseImage(dataset.cases[0], 3).status().message(), HasSubstr("2 channels in 2 files, expected 3"));
  files.WriteImageOf("b_0001", {1, 4, 3});
  EXPECT_THAT(ReadCaseImage(dataset.cases[1], 2).status().message(), HasSubstr("differs in shape or spacing"));
}

TEST(RawDatasetTest, AColourPngHoldsAllThreeChannels) {
  RawFiles files;
  Json json = RawFiles::Description();
  json["channel_names"] = {{"0", "R"}, {"1", "G"}, {"2", "B"}};
  files.WriteDescription(json);
  for (const char* id : {"a", "b", "c"}) files.Remove(std::string("imagesTr/") + id + "_0001.png");
  files.WriteImageOf("a_0000", {1, 3, 4}, 3);
  const RawDataset dataset = *OpenRawDataset(files.folder());
  EXPECT_EQ(dataset.cases[0].images.size(), 1U);
  EXPECT_EQ(ReadCaseImage(dataset.cases[0], 3)->channels, 3);
}

TEST(RawDatasetTest, AnUnknownCaseIsAnsweredWithTheNearest) {
  RawFiles files;
  files.WriteCase("liver_12");
  const RawDataset dataset = *OpenRawDataset(files.folder());
  EXPECT_EQ(FindCase(dataset, "b")->id, "b");
  EXPECT_THAT(FindCase(dataset, "liver_21").status().message(), HasSubstr("did you mean 'liver_12'"));
}

TEST(RawDatasetTest, AFolderOfImagesIsListedForPrediction) {
  RawFiles files;
  const RawDataset dataset = *OpenRawDataset(files.folder());
  const StatusOr<std::vector<CaseFiles>> cases = ListImageFolder(files.folder() / "imagesTr", dataset.description);
  ASSERT_TRUE(cases.ok()) << cases.status();
  EXPECT_THAT(IdsOf(*cases), ElementsAre("a", "b", "c"));
  EXPECT_TRUE((*cases)[0].label.empty());
  EXPECT_THAT(ListImageFolder(files.folder() / "labelsTr", dataset.description).status().message(),
              HasSubstr("CASE_0000.png"));
  EXPECT_EQ(ListImageFolder(files.folder() / "imagesTs", dataset.description).code(), StatusCode::kNotFound);
}

TEST(FindDatasetTest, TheVariablesAreAskedInOrder) {
  RawFiles first, second;
  const std::string name = first.folder().filename();
  const ScopedVariable data("CONSILIUM_DATA", second.folder().parent_path());
  {
    const ScopedVariable raw("nnUNet_raw", first.folder().parent_path());
    EXPECT_EQ(*FindDataset(name), first.folder());
  }
  const ScopedVariable raw("nnUNet_raw", "");
  EXPECT_EQ(*FindDataset(name), second.folder());
  EXPECT_EQ(*FindDataset(first.folder()), first.folder()) << "a path is a path";
  EXPECT_THAT(FindDataset("Dataset901_Tyni").status().message(), HasSubstr("did you mean 'Dataset901_Tiny'"));
}

TEST(FindDatasetTest, WithADataFolderNothingOutsideOfItIsFound) {
  RawFiles files, elsewhere;
  const fs::path data = files.folder().parent_path();
  const ScopedVariable variable("CONSILIUM_DATA", elsewhere.folder().parent_path());
  EXPECT_EQ(*FindDataset("Dataset901_Tiny", data), files.folder());
  for (const std::string& name : {elsewhere.folder().string(), std::string("../Dataset901_Tiny"), std::string(".."),
                                  std::string(""), std::string("Dataset901_Tiny/.")})
    EXPECT_EQ(FindDataset(name, data).code(), StatusCode::kPermissionDenied) << name;
  fs::remove_all(files.folder());
  EXPECT_EQ(FindDataset("Dataset901_Tiny", data).code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace consilium::datasets
