#include "datasets/statistics/compute_statistics.h"

#include <gmock/gmock.h>

#include "datasets/statistics/fingerprint_extractor.h"
#include "tests/unit/datasets/statistics/picture_dataset.h"

namespace consilium::datasets {
namespace {

using ::testing::HasSubstr;

SiteStatistics StatisticsOf(const PictureDataset& pictures, std::uint32_t cases_min, std::int64_t threads = 2) {
  const StatusOr<SiteStatistics> statistics =
      ComputeSiteStatistics(pictures.Open(), {.loop = {.threads = threads}, .cases_min = cases_min});
  EXPECT_TRUE(statistics.ok()) << statistics.status();
  return statistics.ok() ? *statistics : SiteStatistics{};
}

TEST(ComputeStatisticsTest, TheSumOfThreeSitesIsThePooledDatasetToTheLastBit) {
  PictureDataset pooled, a, b, c;
  pooled.AddCases(0, 21);
  a.AddCases(0, 4);
  b.AddCases(4, 10);
  c.AddCases(14, 7);
  SiteStatistics sum = StatisticsOf(c, 1);
  ASSERT_TRUE(Merge(StatisticsOf(a, 1), &sum).ok());
  ASSERT_TRUE(Merge(StatisticsOf(b, 1), &sum).ok());
  EXPECT_EQ(sum.sites, 3U);
  sum.sites = 1;
  EXPECT_EQ(EncodeStatistics(sum), EncodeStatistics(StatisticsOf(pooled, 1)));
}

TEST(ComputeStatisticsTest, ThePlanOfTheSumIsNnunetsPlanOfThePooledDataset) {
  PictureDataset pooled, a, b;
  pooled.AddCases(0, 20);
  a.AddCases(0, 12);
  b.AddCases(12, 8);
  SiteStatistics sum = StatisticsOf(a, 1);
  ASSERT_TRUE(Merge(StatisticsOf(b, 1), &sum).ok());
  const StatusOr<Json> federated = PlanFromStatistics(sum, "Dataset902_Pictures");
  ASSERT_TRUE(federated.ok()) << federated.status();
  const RawDataset dataset = pooled.Open();
  const StatusOr<DatasetFingerprint> fingerprint = ExtractFingerprint(dataset, {.samples = 5'000'000});
  ASSERT_TRUE(fingerprint.ok()) << fingerprint.status();
  const StatusOr<Plans> plans = PlanExperiment(FactsOf(dataset), PlanInputOf(*fingerprint, {}), {});
  ASSERT_TRUE(plans.ok()) << plans.status();
  Json central = PlansToJson(*plans), merged = *federated;
  const char kIntensities[] = "foreground_intensity_properties_per_channel";
  for (const auto& [key, value] : central[kIntensities]["0"].items())
    EXPECT_NEAR(merged[kIntensities]["0"][key].get<double>(), value.get<double>(), 0.02) << key;
  central.erase(kIntensities);
  merged.erase(kIntensities);
  EXPECT_EQ(merged, central) << "all but the intensities, which nnU-Net samples, is equal";
}

TEST(ComputeStatisticsTest, ThreadsDoNotShow) {
  PictureDataset pictures;
  pictures.AddCases(0, 11);
  EXPECT_EQ(EncodeStatistics(StatisticsOf(pictures, 5, 1)), EncodeStatistics(StatisticsOf(pictures, 5, 4)));
}

TEST(ComputeStatisticsTest, WithSmallCountsHeldBackNoScalarCellShowsFewerCases) {
  PictureDataset pictures;
  pictures.AddCases(0, 30);
  const SiteStatistics statistics = StatisticsOf(pictures, 5);
  for (const auto* histograms : {&statistics.spacing, &statistics.shape, &statistics.extent})
    for (const ValueHistogram& histogram : *histograms) {
      EXPECT_EQ(histogram.total(), 30U);
      for (const HistogramCell& cell : histogram.cells()) EXPECT_GE(cell.weight, 5U);
    }
  for (const LabelStatistics& label : statistics.labels)
    for (const HistogramCell& cell : label.volumes.cells()) EXPECT_GE(cell.weight, 5U);
  EXPECT_EQ(statistics.channels[0].cases, 26U) << "seeds 6, 13, 20 and 27 have no square";
  EXPECT_EQ(statistics.channels[0].values.total(), 26 * kCaseWeight);
}

TEST(ComputeStatisticsTest, SuppressedStatisticsPlanTheSameNetworkForNearlyTheSameMedianImage) {
  PictureDataset pictures;
  pictures.AddCases(0, 30);
  const StatusOr<Json> open = PlanFromStatistics(StatisticsOf(pictures, 1), "D");
  const StatusOr<Json> held = PlanFromStatistics(StatisticsOf(pictures, 5), "D");
  ASSERT_TRUE(open.ok() && held.ok()) << open.status() << held.status();
  const Json &a = (*open)["configurations"]["2d"], &b = (*held)["configurations"]["2d"];
  EXPECT_EQ(a["architecture"], b["architecture"]);
  for (int axis = 0; axis < 2; ++axis) {
    EXPECT_NEAR(a["patch_size"][axis].get<double>(), b["patch_size"][axis].get<double>(), 4) << "one halving's divisor";
    EXPECT_NEAR(a["median_image_size_in_voxels"][axis].get<double>(),
                b["median_image_size_in_voxels"][axis].get<double>(), 2);
  }
}

TEST(ComputeStatisticsTest, FewerCasesThanTheMinimumSayNothing) {
  PictureDataset pictures;
  pictures.AddCases(0, 4);
  const Status status = ComputeSiteStatistics(pictures.Open(), {}).status();
  EXPECT_EQ(status.code(), StatusCode::kPermissionDenied);
  EXPECT_THAT(status.message(), HasSubstr("4 cases"));
}

TEST(ComputeStatisticsTest, ForegroundThatFewCasesHaveIsWithheldAndSaidSo) {
  PictureDataset pictures;
  for (const std::uint64_t seed : {6, 13, 20, 27, 34, 1, 2}) pictures.AddCase("case" + std::to_string(seed), seed);
  const SiteStatistics statistics = StatisticsOf(pictures, 5);
  EXPECT_EQ(statistics.channels[0].cases, 0U);
  EXPECT_EQ(statistics.channels[0].withheld_sites, 1U);
  EXPECT_EQ(statistics.channels[0].mean, ExactSum());
  EXPECT_TRUE(statistics.channels[0].values.empty());
  EXPECT_EQ(statistics.labels[1].withheld_sites, 1U);
  EXPECT_TRUE(statistics.labels[1].volumes.empty());
  const StatusOr<SiteStatistics> read = DecodeStatistics(EncodeStatistics(statistics));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, statistics);
}

}  // namespace
}  // namespace consilium::datasets
