#include "coordinator/core/round_metrics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "job_fixture.h"

namespace consilium::coordinator {
namespace {

TEST(RoundMetrics, AveragesByWeightOverTheSitesThatReportTheMetric) {
  RoundMetrics metrics;
  const SiteName a("a"), b("b"), c("c");
  EXPECT_FALSE(metrics.Apply(RoundOpened{Round(0), {a, b, c}, Digest{}}));
  EXPECT_FALSE(metrics.Apply(UpdateAccepted{a, Train(0), FakeBlob("a"), 1, {{"loss", 4.0}, {"dice", std::nan("")}}}));
  EXPECT_FALSE(metrics.Apply(UpdateAccepted{b, Train(0), FakeBlob("b"), 3, {{"loss", 8.0}, {"dice", 0.5}}}));
  EXPECT_FALSE(metrics.Apply(RoundClosed{Round(0), {a, b}, {c}}));
  const std::optional<Json> line = metrics.Apply(ModelPublished{Round(0), FakeBlob("m"), Sha256Of("weights")});
  ASSERT_TRUE(line.has_value());
  EXPECT_EQ((*line)["mean"]["loss"], 7.0);
  EXPECT_EQ((*line)["mean"]["dice"], 0.5);
  EXPECT_EQ((*line)["weight"], 4.0);
  EXPECT_EQ((*line)["missing"], Json::array({"c"}));
  EXPECT_TRUE((*line)["sites"]["a"]["metrics"]["dice"].is_null()) << "JSON has no NaN";
  EXPECT_EQ((*line)["parameters"], Sha256Of("weights").ToHex());
}

TEST(RoundMetrics, WhatPrivacyForSitesCostIsALineOfItsOwnAndNoStrategysNote) {
  RoundMetrics metrics;
  const SiteName a("a");
  EXPECT_FALSE(metrics.Apply(RoundOpened{Round(0), {a}, Digest{}}));
  EXPECT_FALSE(metrics.Apply(RoundClosed{Round(0), {a}, {}}));
  ModelPublished published{Round(0), FakeBlob("m"), Sha256Of("weights")};
  published.notes = R"({"privacy": {"epsilon": 2.5, "clip": 0.1}, "secure_weight": 3})";
  const std::optional<Json> line = metrics.Apply(published);
  ASSERT_TRUE(line.has_value());
  EXPECT_EQ((*line)["privacy"], (Json{{"epsilon", 2.5}, {"clip", 0.1}}));
  EXPECT_EQ((*line)["strategy"], (Json{{"secure_weight", 3}}));
}

}  // namespace
}  // namespace consilium::coordinator
