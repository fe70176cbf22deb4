#include <gmock/gmock.h>

#include "datasets/raw/raw_dataset.h"

namespace consilium::datasets {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

constexpr char kGood[] =
    R"({"channel_names": {"1": "T2", "0": "T1"}, "labels": {"background": 0, "edema": 2, "core": 1},
                             "numTraining": 3, "file_ending": ".nii.gz", "name": "x", "licence": "CC0"})";

StatusOr<DatasetDescription> Parse(const std::string& text) {
  return ParseDatasetDescription(*ParseJson(text, "x/dataset.json"), "x/dataset.json");
}

// The good text with `from` replaced.
std::string With(const std::string& from, const std::string& to) {
  std::string text = kGood;
  text.replace(text.find(from), from.size(), to);
  return text;
}

TEST(DescriptionTest, ChannelsAreOrderedByNumberAndLabelsKeepTheFilesOrder) {
  const StatusOr<DatasetDescription> description = Parse(kGood);
  ASSERT_TRUE(description.ok()) << description.status();
  EXPECT_THAT(description->channel_names, ElementsAre("T1", "T2"));
  EXPECT_THAT(description->labels, ElementsAre(Pair("background", 0), Pair("edema", 2), Pair("core", 1)));
  EXPECT_EQ(description->num_classes(), 3);
  EXPECT_EQ(description->num_channels(), 2);
  EXPECT_EQ(description->num_training, 3);
  EXPECT_EQ(description->file_ending, ".nii.gz");
}

TEST(DescriptionTest, TheOlderKeyModalityIsAccepted) {
  EXPECT_THAT(Parse(With("channel_names", "modality"))->channel_names, ElementsAre("T1", "T2"));
}

TEST(DescriptionTest, EveryFaultNamesFileKeyAndWhatWasExpected) {
  const std::vector<std::pair<std::string, std::string>> faults{
      {"[]", "expected an object"},
      {With("channel_names", "channels"), "channel_names is missing"},
      {With(R"({"1": "T2", "0": "T1"})", "{}"), "channel_names is {}"},
      {With(R"({"1": "T2", "0": "T1"})", R"(["T1"])"), "channel_names is [\"T1\"]"},
      {With(R"("1": "T2")", R"("2": "T2")"), "no \"1\""},
      {With(R"("T2")", "5"), "channel_names.1 is 5"},
      {With("labels", "classes"), "labels is missing"},
      {With(R"("edema": 2)", R"("edema": 1.5)"), "labels.edema is 1.5"},
      {With(R"("edema": 2)", R"("edema": -2)"), "labels.edema is -2"},
      {With(R"("edema": 2)", R"("edema": 3)"), "without gaps"},
      {With(R"("edema": 2)", R"("edema": 1)"), "the value 1 is taken"},
      {With(R"("edema": 2)", R"("edema": 18446744073709551615)"), "labels.edema is"},
      {With(R"("background": 0)", R"("back": 0)"), "must name \"background\""},
      {With(R"("background": 0, "edema": 2, "core": 1)", R"("0": "background", "1": "core")"),
       "older form value -> name"},
      {With(R"(, "edema": 2, "core": 1)", ""), "nothing to learn"},
      {With(R"("numTraining": 3)", R"("numTraining": "3")"), "numTraining is \"3\""},
      {With(R"("numTraining": 3)", R"("numTraining": -1)"), "numTraining is -1"},
      {With(R"("numTraining": 3)", R"("n": 1)"), "numTraining is missing"},
      {With(".nii.gz", ".tif"), "file_ending is \".tif\""},
      {With("file_ending", "ending"), "file_ending is missing"},
  };
  for (const auto& [text, reason] : faults) {
    const StatusOr<DatasetDescription> description = Parse(text);
    ASSERT_FALSE(description.ok()) << text;
    EXPECT_EQ(description.code(), StatusCode::kInvalidArgument) << description.status();
    EXPECT_THAT(description.status().message(), HasSubstr("x/dataset.json"));
    EXPECT_THAT(description.status().message(), HasSubstr(reason));
  }
}

TEST(DescriptionTest, WhatIsKnownButNotBuiltIsRefusedNeverIgnored) {
  for (const std::string& text :
       {With(R"("edema": 2)", R"("edema": [1, 2])"), With(R"("edema": 2)", R"("ignore": 2)"),
        With(R"("name": "x")", R"("regions_class_order": [1])"), With(R"("name": "x")", R"("dataset": {})")}) {
    const StatusOr<DatasetDescription> description = Parse(text);
    ASSERT_FALSE(description.ok()) << text;
    EXPECT_EQ(description.code(), StatusCode::kUnimplemented) << description.status();
    EXPECT_THAT(description.status().message(), HasSubstr("not built yet"));
  }
}

}  // namespace
}  // namespace consilium::datasets
