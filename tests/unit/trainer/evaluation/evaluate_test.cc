#include "trainer/evaluation/evaluate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "comm/base/file.h"
#include "datasets/image/image_io.h"
#include "tests/testing/run_program.h"
#include "trainer/evaluation/evaluate_verb.h"

namespace consilium::trainer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class EvaluateTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"predictions", "labels"}) ASSERT_TRUE(MakeDirectories(folder_ / name).ok());
  }
  void Write(const std::string& name, std::vector<std::int16_t> labels) {
    datasets::LabelMap map;
    map.shape = {1, 1, static_cast<std::int64_t>(labels.size())};
    map.labels = std::move(labels);
    map.geometry.dimensions = 2;
    const Status written = datasets::WriteLabels(folder_ / name, map);
    ASSERT_TRUE(written.ok()) << written;
  }
  void WriteDataset(const std::string& path) {
    ASSERT_TRUE(
        WriteFileAtomic(folder_ / path,
                        std::string_view(R"({"channel_names": {"0": "x"}, "numTraining": 2, "file_ending": ".png",
                                  "labels": {"background": 0, "a": 1, "b": 2}})"))
            .ok());
  }
  StatusOr<EvaluationSummary> Evaluate(MissingPredictions missing = MissingPredictions::kRefuse) {
    EvaluateOptions options;
    options.folders.predictions = folder_ / "predictions";
    options.folders.labels = folder_ / "labels";
    options.folders.missing = missing;
    return EvaluateFolder(options);
  }
  int Verb(std::vector<std::string> more = {}) {
    Arguments arguments = {"--predictions", folder_ / "predictions", "--labels", folder_ / "labels"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return EvaluateVerb(arguments);
  }
  const testing::ScratchFolder folder_;
};

TEST_F(EvaluateTest, CasesAreComparedByName) {
  Write("labels/a.png", {0, 1, 1, 2});
  Write("labels/b.png", {0, 1, 0, 0});
  Write("predictions/a.png", {0, 1, 0, 2});
  Write("predictions/b.png", {0, 1, 0, 0});
  const auto summary = Evaluate();
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_THAT(summary->labels, ElementsAre(1, 2));  // seen in the references
  EXPECT_THAT(summary->cases[0].counts, ElementsAre(LabelCounts{1, 0, 1, 2}, LabelCounts{1, 0, 0, 3}));
  EXPECT_DOUBLE_EQ(summary->MeanDice(0), (2.0 / 3 + 1) / 2);
  EXPECT_DOUBLE_EQ(summary->MeanDice(1), 1.0);  // undefined in b
}

TEST_F(EvaluateTest, LabelsComeFromTheDatasetsDescription) {
  Write("labels/a.png", {0, 1});
  Write("predictions/a.png", {0, 1});
  EXPECT_THAT(Evaluate()->labels, ElementsAre(1));
  WriteDataset("dataset.json");  // above labels/
  EXPECT_THAT(Evaluate()->labels, ElementsAre(1, 2));
}

TEST_F(EvaluateTest, EveryFaultOfEveryCaseIsListedAtOnce) {
  WriteDataset("dataset.json");
  for (const char* name : {"missing", "shape", "value", "unreadable"})
    Write(Concat("labels/", name, ".png"), {0, 1, 2});
  Write("predictions/shape.png", {0, 1});
  Write("predictions/value.png", {0, 7, 2});
  Write("predictions/foreign.png", {0, 1});
  ASSERT_TRUE(WriteFileAtomic(folder_ / "predictions/unreadable.png", std::string_view("no image")).ok());
  const auto summary = Evaluate();
  EXPECT_EQ(summary.code(), StatusCode::kInvalidArgument);
  const std::string message = summary.status().message();
  EXPECT_THAT(message, HasSubstr("5 faults"));
  EXPECT_THAT(message, HasSubstr("missing.png: is not among the predictions"));
  EXPECT_THAT(message, HasSubstr("shape.png: the prediction has shape [1, 1, 2], the reference [1, 1, 3]"));
  EXPECT_THAT(message, HasSubstr("value.png: the prediction holds 7, no label of"));
  EXPECT_THAT(message, HasSubstr("foreign.png: was predicted, but is not among the labels"));
  EXPECT_THAT(message, HasSubstr("unreadable.png: "));
  EXPECT_EQ(Verb(), 2);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "predictions/summary.json"));
}

TEST_F(EvaluateTest, MissingPredictionsCanBeLeftOut) {
  Write("labels/a.png", {0, 1});
  Write("labels/b.png", {0, 1});
  Write("predictions/b.png", {0, 1});
  EXPECT_EQ(Evaluate().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Evaluate(MissingPredictions::kSkip)->cases.size(), 1U);
  EXPECT_EQ(Verb({"--allow-missing"}), 0);
  EXPECT_EQ(ReadJson(folder_ / "predictions/summary.json").value()["foreground_mean"]["Dice"], 1.0);
}

TEST_F(EvaluateTest, VerbWritesTheSummaryWhereAsked) {
  Write("labels/a.png", {0, 1});
  Write("predictions/a.png", {1, 1});
  EXPECT_EQ(Verb({"--output", folder_ / "elsewhere.json"}), 0);
  EXPECT_DOUBLE_EQ(ReadJson(folder_ / "elsewhere.json").value()["mean"]["1"]["Dice"], 2.0 / 3);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "predictions/summary.json"));
}

TEST_F(EvaluateTest, BordersAreMeasuredWhereAskedAndLeftOutElsewhere) {
  Write("labels/a.png", {0, 1, 1, 0, 0});
  Write("predictions/a.png", {0, 0, 1, 1, 0});
  EXPECT_EQ(Verb(), 0);
  EXPECT_FALSE(ReadJson(folder_ / "predictions/summary.json").value()["mean"]["1"].contains("HD95"));
  EXPECT_EQ(Verb({"--surface", "--tolerance", "0.5"}), 0);
  const Json json = ReadJson(folder_ / "predictions/summary.json").value();
  for (const Json& metrics : {json["mean"]["1"], json["foreground_mean"], json["metric_per_case"][0]["metrics"]["1"]}) {
    EXPECT_DOUBLE_EQ(metrics.at("HD95").get<double>(), 1.0) << "1 mm beyond on either side";
    EXPECT_DOUBLE_EQ(metrics.at("NSD").get<double>(), 0.5) << "the voxel that both have";
  }
  EXPECT_EQ(Verb({"--surface", "--tolerance", "-1"}), 2);
}

TEST_F(EvaluateTest, EmptyOrAbsentFoldersAreBadInput) {
  EXPECT_EQ(Verb(), 2);
  EXPECT_EQ(EvaluateVerb({"--predictions", folder_ / "nowhere", "--labels", folder_ / "labels"}), 2);
}

}  // namespace
}  // namespace consilium::trainer
