#include <gmock/gmock.h>

#include <fstream>

#include "datasets/planner/splits.h"
#include "datasets/statistics/plan_dataset.h"
#include "datasets/statistics/verbs.h"
#include "tests/unit/datasets/statistics/picture_dataset.h"

namespace consilium::datasets {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

Json Read(const fs::path& file) {
  const StatusOr<Json> json = ReadJson(file);
  EXPECT_TRUE(json.ok()) << json.status();
  return json.ok() ? *json : Json();
}

TEST(PlanVerbTest, WritesTheFilesThatNnunetReads) {
  PictureDataset pictures;
  pictures.AddCases(0, 10);
  const fs::path output = pictures.scratch("preprocessed");
  ASSERT_EQ(PlanVerb({pictures.folder().string(), "-o", output.string()}), 0);
  const fs::path folder = output / "Dataset902_Pictures";
  EXPECT_EQ(Read(folder / "dataset_fingerprint.json")["spacings"].size(), 10U);
  EXPECT_TRUE(SplitsFromJson(Read(folder / "splits_final.json"), "splits").ok());
  EXPECT_EQ(Read(folder / "dataset.json")["numTraining"], 10);
  const Json plans = Read(folder / "nnUNetPlans.json");
  EXPECT_EQ(plans["image_reader_writer"], "NaturalImage2DIO");
  EXPECT_EQ(plans["configurations"].size(), 1U) << "flat images have no 3D configurations";
  EXPECT_EQ(plans["configurations"]["2d"]["patch_size"], (Json{28, 32}));
}

TEST(PlanVerbTest, KeepsWhatAPersonAddedAndTheSplitsThatWereThere) {
  PictureDataset pictures;
  pictures.AddCases(0, 6);
  const fs::path output = pictures.scratch("preprocessed"), folder = output / "Dataset902_Pictures";
  ASSERT_EQ(PlanVerb({pictures.folder().string(), "-o", output.string(), "--trust"}), 0);
  Json plans = Read(folder / "nnUNetPlans.json");
  plans["configurations"]["2d_mine"] = {{"inherits_from", "2d"}, {"batch_size", 3}};
  plans["configurations"]["2d"]["batch_size"] = 77;
  ASSERT_TRUE(WriteJson(folder / "nnUNetPlans.json", plans).ok());
  const Json splits = {{{"train", {"case0"}}, {"val", {"case1"}}}};
  ASSERT_TRUE(WriteJson(folder / "splits_final.json", splits).ok());
  ASSERT_EQ(PlanVerb({pictures.folder().string(), "-o", output.string(), "--trust"}), 0);
  plans = Read(folder / "nnUNetPlans.json");
  EXPECT_EQ(plans["configurations"]["2d_mine"]["batch_size"], 3);
  EXPECT_NE(plans["configurations"]["2d"]["batch_size"], 77);
  EXPECT_EQ(Read(folder / "splits_final.json"), splits);
}

TEST(PlanVerbTest, SitesSayTheirStatisticsAndEveryoneGetsTheSamePlan) {
  PictureDataset a("Dataset902_Pictures"), b("Dataset902_Pictures");
  a.AddCases(0, 12);
  b.AddCases(12, 9);
  std::vector<std::string> plan = {"--statistics", a.scratch("a.statistics").string(), "--statistics",
                                   b.scratch("b.statistics").string()};
  ASSERT_EQ(StatisticsVerb({a.folder().string(), "-o", plan[1], "--report", a.scratch("a.json").string()}), 0);
  ASSERT_EQ(StatisticsVerb({b.folder().string(), "-o", plan[3]}), 0);
  EXPECT_EQ(Read(a.scratch("a.json"))["cases"], 12);
  Json plans[2];
  for (const PictureDataset* site : {&a, &b}) {
    std::vector<std::string> arguments = {site->folder().string(), "-o", site->scratch("preprocessed").string()};
    arguments.insert(arguments.end(), plan.begin(), plan.end());
    ASSERT_EQ(PlanVerb(arguments), 0);
    plans[site == &a ? 0 : 1] = Read(site->scratch("preprocessed") / "Dataset902_Pictures" / "nnUNetPlans.json");
  }
  EXPECT_EQ(plans[0], plans[1]);
  EXPECT_EQ(plans[0]["configurations"]["2d"]["patch_size"], (Json{28, 32}));
}

TEST(PlanVerbTest, BadInputIsExitCodeTwoAndAWithheldStatisticSeven) {
  PictureDataset pictures;
  pictures.AddCases(0, 3);
  const std::string folder = pictures.folder().string(), output = pictures.scratch("p").string();
  EXPECT_EQ(PlanVerb({"Dataset999_Missing"}), 2);
  EXPECT_EQ(PlanVerb({folder, "-o", output, "--planner", "huge"}), 2);
  EXPECT_EQ(PlanVerb({folder, "-o", output, "--spacing", "1,2"}), 2);
  EXPECT_EQ(PlanVerb({folder, "-o", output, "--spacing", "1,2,3mm"}), 2);
  EXPECT_EQ(PlanVerb({folder, "-o", output, "--memory", "0"}), 2);
  std::ofstream(pictures.scratch("no.statistics")) << "not statistics";
  EXPECT_EQ(PlanVerb({folder, "-o", output, "--statistics", pictures.scratch("no.statistics").string()}), 2);
  EXPECT_EQ(StatisticsVerb({folder}), 7);
  EXPECT_FALSE(fs::exists(output));
  std::filesystem::remove(pictures.folder() / "labelsTr" / "case1.png");
  EXPECT_EQ(PlanVerb({folder, "-o", output}), 2) << "the integrity check must see it";
}

}  // namespace
}  // namespace consilium::datasets
