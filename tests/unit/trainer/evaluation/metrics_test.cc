#include "trainer/evaluation/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "trainer/evaluation/summary.h"

namespace consilium::trainer {
namespace {

using ::testing::ElementsAre;

datasets::LabelMap MapOf(datasets::Shape3 shape, std::vector<std::int16_t> labels) {
  return {.shape = shape, .labels = std::move(labels), .geometry = {}};
}

const std::vector<std::int16_t> kLabels = {1, 2};

TEST(MetricsTest, CountsAreThoseCountedByHand) {
  const auto counts =
      CountLabels(MapOf({1, 2, 4}, {0, 1, 1, 2, 0, 0, 2, 2}), MapOf({1, 2, 4}, {0, 1, 0, 1, 1, 0, 2, 0}), kLabels);
  ASSERT_TRUE(counts.ok()) << counts.status();
  //                                             TP FP FN TN
  EXPECT_THAT(*counts, ElementsAre(LabelCounts{1, 1, 2, 4}, LabelCounts{1, 2, 0, 5}));
  EXPECT_DOUBLE_EQ((*counts)[0].Dice(), 2.0 / 5);
  EXPECT_DOUBLE_EQ((*counts)[0].IntersectionOverUnion(), 1.0 / 4);
  EXPECT_EQ((*counts)[1].predicted(), 3);
  EXPECT_EQ((*counts)[1].reference(), 1);
}

TEST(MetricsTest, LabelInNeitherIsUndefinedAndInOneAloneIsZero) {
  const auto neither = CountLabels(MapOf({1, 1, 2}, {0, 1}), MapOf({1, 1, 2}, {0, 1}), kLabels);
  EXPECT_TRUE(std::isnan((*neither)[1].Dice()));
  EXPECT_TRUE(std::isnan((*neither)[1].IntersectionOverUnion()));
  EXPECT_EQ((*neither)[0].Dice(), 1.0);
  const auto invented = CountLabels(MapOf({1, 1, 2}, {2, 1}), MapOf({1, 1, 2}, {0, 1}), kLabels);
  EXPECT_EQ((*invented)[1].Dice(), 0.0);
}

TEST(MetricsTest, ShapesMustAgree) {
  const auto counts = CountLabels(MapOf({1, 1, 2}, {0, 1}), MapOf({1, 2, 1}, {0, 1}), kLabels);
  EXPECT_EQ(counts.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(counts.status().message(), ::testing::HasSubstr("[1, 1, 2]"));
}

TEST(MetricsTest, MeanLeavesOutWhatIsUndefined) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_DOUBLE_EQ(NanMean(std::vector{1.0, nan, 0.5}), 0.75);
  EXPECT_TRUE(std::isnan(NanMean(std::vector{nan})));
}

TEST(SummaryTest, LayoutAndMeansAreNnunets) {
  // Label 1: Dice 0.5 and 1; label 2: undefined and 0; label 3: undefined in all cases.
  EvaluationSummary summary;
  summary.labels = {1, 2, 3};
  summary.cases = {{"p/a.png", "l/a.png", {{1, 1, 1, 7}, {0, 0, 0, 10}, {0, 0, 0, 10}}},
                   {"p/b.png", "l/b.png", {{4, 0, 0, 6}, {0, 2, 0, 8}, {0, 0, 0, 10}}}};
  EXPECT_DOUBLE_EQ(summary.ForegroundMeanDice(), (0.75 + 0) / 2);

  const Json json = summary.ToJson();
  std::vector<std::string> keys;
  for (const auto& [key, value] : json.items()) keys.push_back(key);
  EXPECT_THAT(keys, ElementsAre("foreground_mean", "mean", "metric_per_case"));
  EXPECT_DOUBLE_EQ(json["foreground_mean"]["Dice"], 0.375);
  EXPECT_DOUBLE_EQ(json["mean"]["1"]["Dice"], 0.75);
  EXPECT_DOUBLE_EQ(json["mean"]["1"]["TP"], 2.5);
  EXPECT_TRUE(json["mean"]["3"]["Dice"].is_null());
  EXPECT_DOUBLE_EQ(json["mean"]["3"]["TN"], 10);
  const Json& first = json["metric_per_case"][0];
  EXPECT_EQ(first["prediction_file"], "p/a.png");
  EXPECT_EQ(first["reference_file"], "l/a.png");
  EXPECT_EQ(first["metrics"]["1"].dump(),
            R"({"Dice":0.5,"FN":1,"FP":1,"IoU":0.3333333333333333,"TN":7,"TP":1,"n_pred":2,"n_ref":2})");
  EXPECT_TRUE(first["metrics"]["2"]["IoU"].is_null());
}

}  // namespace
}  // namespace consilium::trainer
