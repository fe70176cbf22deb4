// The hippocampus data set, where it is at hand: nnU-Net's plan to the number, and the same plan from three sites.
#include <gmock/gmock.h>

#include <cstdlib>

#include "datasets/statistics/compute_statistics.h"
#include "datasets/statistics/fingerprint_extractor.h"

namespace consilium::datasets {
namespace {

class HippocampusTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* data = std::getenv("CONSILIUM_DATA");
    const std::filesystem::path folder =
        std::filesystem::path(data != nullptr ? data : CONSILIUM_SOURCE_DIR "/../shared/data") /
        "Dataset004_Hippocampus";
    if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is not here; set CONSILIUM_DATA";
    const StatusOr<RawDataset> dataset = OpenRawDataset(folder);
    ASSERT_TRUE(dataset.ok()) << dataset.status();
    dataset_ = *dataset;
    ASSERT_EQ(dataset_.cases.size(), 200U);
  }
  SiteStatistics Statistics(std::size_t begin, std::size_t end, std::uint32_t cases_min) const {
    RawDataset part = dataset_;
    part.cases.assign(dataset_.cases.begin() + static_cast<std::ptrdiff_t>(begin),
                      dataset_.cases.begin() + static_cast<std::ptrdiff_t>(end));
    const StatusOr<SiteStatistics> statistics = ComputeSiteStatistics(part, {.cases_min = cases_min});
    EXPECT_TRUE(statistics.ok()) << statistics.status();
    return statistics.ok() ? *statistics : SiteStatistics{};
  }
  SiteStatistics ThreeSites(std::uint32_t cases_min) const {
    SiteStatistics sum = Statistics(0, 60, cases_min);
    EXPECT_TRUE(Merge(Statistics(60, 150, cases_min), &sum).ok());
    EXPECT_TRUE(Merge(Statistics(150, 200, cases_min), &sum).ok());
    return sum;
  }
  RawDataset dataset_;
};

TEST_F(HippocampusTest, PlansAreNnunets) {
  const StatusOr<DatasetFingerprint> fingerprint = ExtractFingerprint(dataset_, {});
  ASSERT_TRUE(fingerprint.ok()) << fingerprint.status();
  // NumPy 1.24 and SciPy 1.10, following nnU-Net's extractor on the same files (sums in f64).
  const IntensityProperties& mri = fingerprint->channels.at(0);
  EXPECT_NEAR(mri.mean, 26766.58652843542, 1e-6);
  EXPECT_NEAR(mri.std, 66058.16384608219, 1e-6);
  EXPECT_EQ(mri.min, 0);
  EXPECT_EQ(mri.max, 486420.21875);
  EXPECT_EQ(mri.percentile_00_5, 28);
  EXPECT_NEAR(mri.median, 368.96600341796875, 1e-4);
  EXPECT_EQ(mri.percentile_99_5, 286561.875);
  EXPECT_EQ(fingerprint->median_relative_size, 1);

  const StatusOr<Plans> plans = PlanExperiment(FactsOf(dataset_), PlanInputOf(*fingerprint, {}), {});
  ASSERT_TRUE(plans.ok()) << plans.status();
  EXPECT_EQ(plans->fullres->patch_size, (std::vector<std::int64_t>{40, 56, 40}));
  EXPECT_EQ(plans->fullres->batch_size, 7);
  EXPECT_EQ(plans->flat->patch_size, (std::vector<std::int64_t>{56, 40}));
  EXPECT_EQ(plans->flat->batch_size, 277);

  // The federation: every voxel instead of a sample, three sites instead of one folder.
  SiteStatistics sum = ThreeSites(1);
  sum.sites = 1;
  EXPECT_EQ(EncodeStatistics(sum), EncodeStatistics(Statistics(0, 200, 1)));
  Json central = PlansToJson(*plans);
  const StatusOr<Json> planned = PlanFromStatistics(sum, dataset_.name);
  ASSERT_TRUE(planned.ok()) << planned.status();
  Json federated = *planned;
  const char kIntensities[] = "foreground_intensity_properties_per_channel";
  for (const auto& [key, value] : central[kIntensities]["0"].items())
    EXPECT_NEAR(federated[kIntensities]["0"][key].get<double>(), value.get<double>(), 1e-3 * value.get<double>())
        << key << " of a sample and of all voxels";
  central.erase(kIntensities);
  federated.erase(kIntensities);
  EXPECT_EQ(federated, central);
}

TEST_F(HippocampusTest, WithSmallCountsHeldBackTheNetworkStaysTheSame) {
  const SiteStatistics sum = ThreeSites(5);
  EXPECT_LT(EncodeStatistics(sum).size(), 200'000U);
  const StatusOr<Json> plans = PlanFromStatistics(sum, dataset_.name);
  ASSERT_TRUE(plans.ok()) << plans.status();
  const Json& fullres = (*plans)["configurations"]["3d_fullres"];
  EXPECT_EQ(fullres["patch_size"], (Json{40, 56, 40}));
  EXPECT_EQ(fullres["spacing"], (Json{1.0, 1.0, 1.0}));
  EXPECT_NEAR(fullres["batch_size"].get<double>(), 7, 1);
  const Json& flat = (*plans)["configurations"]["2d"];
  EXPECT_EQ(flat["patch_size"], (Json{56, 40}));
  EXPECT_NEAR(flat["batch_size"].get<double>(), 277, 15);
}

}  // namespace
}  // namespace consilium::datasets
