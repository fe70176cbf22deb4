#include "datasets/planner/site_statistics.h"

#include <gmock/gmock.h>

#include "comm/base/rng.h"
#include "datasets/planner/federated_plan.h"

namespace consilium::datasets {
namespace {

using ::testing::HasSubstr;

ValueHistogram Scalars(const std::vector<double>& values) {
  std::vector<HistogramCell> cells;
  for (const double value : values) cells.push_back(CellOf(value, kExactShift, 1));
  return {kExactShift, cells};
}

// Cases of 1 mm voxels and the given z edges, 50 x 35 in-plane, one intensity a case.
SiteStatistics Site(const std::vector<double>& edges) {
  SiteStatistics site{.channel_names = {"MRI"}, .file_ending = ".nii.gz", .cases = edges.size()};
  const std::vector<double> ones(edges.size(), 1), y(edges.size(), 50), x(edges.size(), 35);
  site.spacing = {Scalars(ones), Scalars(ones), Scalars(ones)};
  site.shape = site.extent = {Scalars(edges), Scalars(y), Scalars(x)};
  site.relative_size = Scalars(ones);
  IntensityStatistics channel{.cases = edges.size()};
  std::vector<HistogramCell> cells;
  for (const double edge : edges) {
    channel.mean.Add(edge * 0.1);
    channel.mean_squared.Add(edge * edge * 0.01);
    channel.variance.Add(4);
    cells.push_back(CellOf(edge * 10, kIntensityShift, kCaseWeight));
  }
  channel.values = ValueHistogram(kIntensityShift, cells);
  site.channels = {channel};
  site.labels = {
      {.name = "background", .value = 0, .volumes = ValueHistogram(kVolumeShift, {CellOf(9, kVolumeShift, 1)})},
      {.name = "lesion", .value = 1, .withheld_sites = 1, .volumes = ValueHistogram(kVolumeShift, {})}};
  return site;
}

SiteStatistics Sum(SiteStatistics a, const SiteStatistics& b) {
  const Status status = Merge(b, &a);
  EXPECT_TRUE(status.ok()) << status;
  return a;
}

TEST(SiteStatisticsTest, MergingIsTheSameInAnyOrderAndGrouping) {
  const SiteStatistics a = Site({36, 37, 30}), b = Site({34, 36}), c = Site({41});
  const SiteStatistics all = Sum(Sum(a, b), c);
  EXPECT_EQ(Sum(a, Sum(b, c)), all);
  EXPECT_EQ(Sum(Sum(c, a), b), all);
  EXPECT_EQ(EncodeStatistics(Sum(Sum(c, b), a)), EncodeStatistics(all));
  EXPECT_EQ(all.sites, 3U);
  EXPECT_EQ(all.cases, 6U);
  EXPECT_EQ(all.labels[1].withheld_sites, 3U);
}

TEST(SiteStatisticsTest, OtherChannelsOrLabelsAreRefusedAndNothingIsAdded) {
  SiteStatistics sum = Site({36});
  SiteStatistics other = Site({36});
  other.channel_names = {"CT"};
  const SiteStatistics before = sum;
  EXPECT_THAT(Merge(other, &sum).message(), HasSubstr("channels 'CT'"));
  other = Site({36});
  other.labels[1].name = "tumour";
  EXPECT_EQ(Merge(other, &sum).code(), StatusCode::kInvalidArgument);
  other = Site({36});
  other.cases = kStatisticsCasesMax;
  EXPECT_EQ(Merge(other, &sum).code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(sum, before);
}

TEST(SiteStatisticsTest, WrittenAndReadBackTheyAreTheSameAndEveryTruncationIsAnError) {
  const SiteStatistics site = Sum(Site({36, 37, 30}), Site({1000.5}));
  const Bytes bytes = EncodeStatistics(site);
  const StatusOr<SiteStatistics> read = DecodeStatistics(bytes);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, site);
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(DecodeStatistics(ByteSpan(bytes).first(size)).ok()) << size;
  Bytes longer = bytes;
  longer.push_back(0);
  EXPECT_FALSE(DecodeStatistics(longer).ok());
}

TEST(SiteStatisticsTest, NoFlippedByteBreaksTheReaderTheMergeOrThePlanner) {
  const Bytes bytes = EncodeStatistics(Site({36, 37, 30}));
  Rng rng(17, 0);
  int accepted = 0;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (int i = 0; i < 3; ++i) {
      Bytes flipped = bytes;
      flipped[at] ^= static_cast<std::uint8_t>(1 + rng.Below(255));
      const StatusOr<SiteStatistics> read = DecodeStatistics(flipped);
      if (!read.ok()) continue;
      ++accepted;
      EXPECT_EQ(EncodeStatistics(*read), flipped) << at;
      SiteStatistics sum = Site({36});
      if (Merge(*read, &sum).ok()) (void)PlanFromStatistics(sum, "Dataset900_Test");
    }
  }
  EXPECT_GT(accepted, 100);
}

TEST(SiteStatisticsTest, CountsThatContradictEachOtherAreRefused) {
  SiteStatistics site = Site({36, 37});
  site.cases = 3;
  EXPECT_THAT(DecodeStatistics(EncodeStatistics(site)).status().message(),
              HasSubstr("a histogram of 2 cases, expected 3"));
  site = Site({36, 37});
  site.cases_min = 3;
  EXPECT_THAT(DecodeStatistics(EncodeStatistics(site)).status().message(), HasSubstr("at least 3 cases each"));
  site = Site({36, 37});
  site.channels[0].cases = 1;
  EXPECT_FALSE(DecodeStatistics(EncodeStatistics(site)).ok());
  site = Site({36, 37});
  site.channels[0].cases = 9;
  EXPECT_THAT(DecodeStatistics(EncodeStatistics(site)).status().message(), HasSubstr("9 cases with foreground of 2"));
}

TEST(FederatedPlanTest, ThePlanOfTheSumIsHippocampusPublishedPlan) {
  std::vector<double> edges(130, 36);
  const StatusOr<Json> plans = PlanFromStatistics(Sum(Site(edges), Site(edges)), "Dataset004_Hippocampus");
  ASSERT_TRUE(plans.ok()) << plans.status();
  // Three entries of labels in the real data set; here two, which changes nothing but the estimate.
  EXPECT_EQ((*plans)["configurations"]["3d_fullres"]["patch_size"], (Json{40, 56, 40}));
  EXPECT_EQ((*plans)["configurations"]["3d_fullres"]["batch_size"], 9);
  EXPECT_EQ((*plans)["configurations"]["2d"]["patch_size"], (Json{56, 40}));
  const Json& channel = (*plans)["foreground_intensity_properties_per_channel"]["0"];
  EXPECT_NEAR(channel["mean"].get<double>(), 3.6, 1e-12);
  EXPECT_NEAR(channel["std"].get<double>(), 2, 1e-12);
  EXPECT_EQ(channel["percentile_99_5"], 360.0);
}

TEST(FederatedPlanTest, TheDigestPinsContentNotTheOrderOfKeys) {
  const Json a = {{"x", 1}, {"y", 2}}, b = {{"y", 2}, {"x", 1}}, c = {{"x", 1}, {"y", 3}};
  EXPECT_EQ(PlanDigest(a), PlanDigest(b));
  EXPECT_NE(PlanDigest(a), PlanDigest(c));
}

TEST(FederatedPlanTest, StatisticsThatCannotBePlannedFromAreRefused) {
  SiteStatistics site = Site({36});
  site.spacing[1] = Scalars({-1});
  EXPECT_THAT(PlanFromStatistics(site, "D").status().message(), HasSubstr("a spacing of -1"));
  site = Site({36});
  site.channels[0] = IntensityStatistics{.withheld_sites = 1};
  EXPECT_THAT(PlanFromStatistics(site, "D").status().message(), HasSubstr("channel 0 ('MRI')"));
}

TEST(StatisticsReportTest, SaysWhatIsKnownAndWhatWasWithheld) {
  const Json report = StatisticsReport(Sum(Site({36, 37, 30}), Site({34, 36})));
  EXPECT_EQ(report["cases"], 5);
  EXPECT_EQ(report["sites"], 2);
  EXPECT_EQ(report["shape_voxels"]["z"]["median"], 36.0);
  EXPECT_EQ(report["labels"][0]["cases_at_least"], 2);
  EXPECT_EQ(report["labels"][1]["sites_that_withheld"], 2);
  EXPECT_TRUE(report["labels"][1]["volume"].is_null());
}

}  // namespace
}  // namespace consilium::datasets
