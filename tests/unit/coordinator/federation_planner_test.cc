#include "coordinator/core/federation_planner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "comm/wire/apply_plan.h"
#include "datasets/planner/federated_plan.h"
#include "job_fixture.h"

namespace consilium::coordinator {
namespace {

using namespace datasets;
using ::testing::HasSubstr;

ValueHistogram Scalars(const std::vector<double>& values) {
  std::vector<HistogramCell> cells;
  for (const double value : values) cells.push_back(CellOf(value, kExactShift, 1));
  return {kExactShift, cells};
}

// Cases of 1 mm voxels with the given z edges, 50 x 35 in-plane.
SiteStatistics Site(const std::vector<double>& edges, const std::string& channel_name = "MRI") {
  SiteStatistics site{.channel_names = {channel_name}, .file_ending = ".nii.gz", .cases = edges.size()};
  const std::vector<double> ones(edges.size(), 1), y(edges.size(), 50), x(edges.size(), 35);
  site.spacing = {Scalars(ones), Scalars(ones), Scalars(ones)};
  site.shape = site.extent = {Scalars(edges), Scalars(y), Scalars(x)};
  site.relative_size = Scalars(ones);
  IntensityStatistics channel{.cases = edges.size()};
  std::vector<HistogramCell> cells;
  for (const double edge : edges) {
    channel.mean.Add(edge);
    channel.mean_squared.Add(edge * edge);
    channel.variance.Add(4);
    cells.push_back(CellOf(edge, kIntensityShift, kCaseWeight));
  }
  channel.values = ValueHistogram(kIntensityShift, cells);
  site.channels = {channel};
  site.labels = {{.name = "background", .value = 0, .volumes = ValueHistogram(kVolumeShift, {})},
                 {.name = "lesion", .value = 1, .volumes = ValueHistogram(kVolumeShift, {})}};
  return site;
}

SiteStatement Statement(const char* site, const SiteStatistics& statistics) {
  return {SiteName(site), EncodeStatistics(statistics)};
}

wire::JobSpec Parsed(const std::string& json) { return wire::ParseJob(ConfigNode::Parse(json, "job").value()).value(); }

std::string JobJson(const std::string& model = kPlanTogether) { return MakeJob({.model = model}).job_json; }

TEST(FederationPlanner, ThePlanIsThatOfTheJoinedCasesWhateverTheOrder) {
  const SiteStatement a = Statement("a", Site({36, 37, 30})), b = Statement("b", Site({34, 60}));
  const StatusOr<PlannedJob> planned = PlanFederation(JobJson(), {a, b});
  ASSERT_TRUE(planned.ok()) << planned.status();
  EXPECT_EQ(planned->cases, 5u);
  EXPECT_EQ(PlanFederation(JobJson(), {b, a})->plans, planned->plans);
  const StatusOr<Json> pooled = PlanFromStatistics(Site({36, 37, 30, 34, 60}), "Dataset001_Toy");
  ASSERT_TRUE(pooled.ok()) << pooled.status();
  EXPECT_EQ(Sha256Of(planned->plans), PlanDigest(*pooled));
  EXPECT_EQ(Parsed(planned->job_json).model.patch_size,
            wire::ApplyPlan(Parsed(JobJson()), *pooled, "")->model.patch_size);
}

TEST(FederationPlanner, WhatTheJobSaysItselfStandsAndTheRestIsThePlans) {
  const SiteStatement a = Statement("a", Site({36, 37, 30}));
  const wire::JobSpec all = Parsed(PlanFederation(JobJson(), {a})->job_json);
  EXPECT_FALSE(wire::NeedsPlan(all));
  EXPECT_EQ(all.model.base_features, 32);
  EXPECT_GE(all.train.batch_size, 2);
  EXPECT_FALSE(all.model.strides.empty());
  const wire::JobSpec own =
      Parsed(PlanFederation(JobJson(R"("architecture": "plan", "base_features": 8)"), {a})->job_json);
  EXPECT_EQ(own.model.base_features, 8);
  EXPECT_EQ(own.model.strides, all.model.strides);
}

TEST(FederationPlanner, SitesWithOtherChannelsAreNamedAndGiveNoPlan) {
  const Status status =
      PlanFederation(JobJson(), {Statement("a", Site({36})), Statement("b", Site({36}, "CT"))}).status();
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("b beside a"));
  EXPECT_THAT(status.message(), HasSubstr("channels 'CT'"));
}

TEST(FederationPlanner, BytesThatAreNoStatisticsAreTheSitesFault) {
  EXPECT_EQ(CheckStatistics(Bytes{1, 2, 3}).code(), StatusCode::kDataLoss);
  EXPECT_TRUE(CheckStatistics(EncodeStatistics(Site({36}))).ok());
}

}  // namespace
}  // namespace consilium::coordinator
