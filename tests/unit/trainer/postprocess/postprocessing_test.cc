#include "trainer/postprocess/postprocessing.h"

#include <gmock/gmock.h>

#include "datasets/image/image_io.h"
#include "tests/testing/run_program.h"
#include "trainer/postprocess/postprocess_verb.h"

namespace consilium::trainer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class PostprocessingTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"predictions", "labels"}) std::filesystem::create_directories(folder_ / name);
  }
  void Write(const std::string& name, const std::vector<std::int16_t>& row) {
    const datasets::LabelMap map{
        .shape = {1, 1, static_cast<std::int64_t>(row.size())}, .labels = row, .geometry = {.dimensions = 2}};
    ASSERT_TRUE(datasets::WriteLabels(folder_.path() / name, map).ok());
  }
  std::vector<std::int16_t> Read(const std::string& name) {
    return datasets::ReadLabels(folder_.path() / name).value().labels;
  }
  StatusOr<LearnedPostprocessing> Learn() {
    return LearnPostprocessing({.predictions = folder_ / "predictions", .labels = folder_ / "labels"});
  }
  consilium::testing::ScratchFolder folder_;
};

TEST_F(PostprocessingTest, StrayVoxelsOfAllLabelsAreRemovedWhereThatRaisesTheMean) {
  Write("labels/a.png", {1, 1, 2, 2, 0, 0, 0, 0});
  Write("predictions/a.png", {1, 1, 2, 2, 0, 1, 0, 2});
  const auto learned = Learn();
  ASSERT_TRUE(learned.ok()) << learned.status();
  EXPECT_THAT(learned->postprocessing.steps, ElementsAre(KeepLargest{{1, 2}}));
  EXPECT_EQ(learned->tried.size(), 3U);
  EXPECT_DOUBLE_EQ(learned->foreground_mean_before, 0.8);
  EXPECT_DOUBLE_EQ(learned->foreground_mean_after, 1);
}

TEST_F(PostprocessingTest, ALabelThatWouldFallForbidsTheStepForAllButNotTheOthersOwn) {
  // Label 2 truly has two parts; label 1 has a stray voxel.
  Write("labels/a.png", {1, 1, 1, 0, 0, 2, 0, 2, 2});
  Write("predictions/a.png", {1, 1, 1, 0, 1, 2, 0, 2, 2});
  const auto learned = Learn();
  ASSERT_TRUE(learned.ok()) << learned.status();
  EXPECT_THAT(learned->postprocessing.steps, ElementsAre(KeepLargest{{1}}));
  EXPECT_FALSE(learned->tried[0].accepted);
  EXPECT_FALSE(learned->tried[2].accepted) << "label 2 apart";
  EXPECT_LT(learned->tried[2].dice_after, learned->tried[2].dice_before);
}

TEST_F(PostprocessingTest, WhatChangesNothingIsLeftOut) {
  Write("labels/a.png", {1, 1, 0, 2});
  Write("predictions/a.png", {1, 1, 0, 2});
  Write("labels/b.png", {0, 0, 0, 0});
  Write("predictions/b.png", {0, 0, 0, 0});
  const auto learned = Learn();
  ASSERT_TRUE(learned.ok()) << learned.status();
  EXPECT_FALSE(learned->tried[0].accepted) << "label 2 would go";
  EXPECT_FALSE(learned->tried[1].accepted);
  EXPECT_THAT(learned->postprocessing.steps, IsEmpty());
}

TEST_F(PostprocessingTest, WhatWasLearnedIsReadBackAndAppliedToOtherPredictions) {
  Write("labels/a.png", {1, 1, 2, 2, 0, 0});
  Write("predictions/a.png", {1, 1, 2, 2, 0, 1});
  Write("labels/of_another_fold.png", {1});
  const std::string predictions = folder_ / "predictions", labels = folder_ / "labels";
  ASSERT_EQ(PostprocessVerb({"--learn", "--allow-missing", "--predictions", predictions, "--labels", labels}), 0);
  const std::string file = folder_ / "predictions/postprocessing.json";
  EXPECT_THAT(ParsePostprocessing(ReadJson(file).value(), file)->steps, ElementsAre(KeepLargest{{1, 2}}));
  std::filesystem::create_directories(folder_ / "new");
  Write("new/b.png", {1, 0, 2, 2, 1, 0});
  ASSERT_TRUE(WriteJson(folder_ / "new/dataset.json", {{"x", 1}}).ok());
  EXPECT_EQ(PostprocessVerb({"--apply", file, "--predictions", folder_ / "new", "--output", folder_ / "out"}), 0);
  EXPECT_THAT(Read("out/b.png"), ElementsAre(0, 0, 2, 2, 1, 0));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "out/dataset.json"));
  EXPECT_THAT(Read("new/b.png"), ElementsAre(1, 0, 2, 2, 1, 0));
}

TEST_F(PostprocessingTest, BadFilesAndOptionsAreToldApart) {
  const std::string good = R"({"format": "consilium postprocessing 1", "steps": [)";
  for (const std::string& text :
       {std::string("[]"), std::string(R"({"format": "other", "steps": []})"), std::string(R"({"steps": []})"),
        good + R"({"shrink": [1]}]})", good + R"({"keep_largest_component": [0]}]})",
        good + R"({"keep_largest_component": []}]})", good + R"({"keep_largest_component": [1e9]}]})"})
    EXPECT_THAT(ParsePostprocessing(Json::parse(text), "x.json").status().message(), HasSubstr("x.json")) << text;
  const std::string predictions = folder_ / "predictions";
  EXPECT_EQ(PostprocessVerb({"--predictions", predictions}), 2);
  EXPECT_EQ(PostprocessVerb({"--learn", "--apply", "x", "--predictions", predictions}), 2);
  EXPECT_EQ(PostprocessVerb({"--learn", "--predictions", predictions}), 2);
  EXPECT_EQ(PostprocessVerb({"--apply", folder_ / "none.json", "--predictions", predictions, "--output", "x"}), 2);
  Write("predictions/a.png", {1});
  Write("labels/b.png", {1});
  EXPECT_EQ(PostprocessVerb({"--learn", "--predictions", predictions, "--labels", folder_ / "labels"}), 2);
  const Status status = Learn().status();
  EXPECT_THAT(status.message(), HasSubstr("2 faults"));
}

}  // namespace
}  // namespace consilium::trainer
