#include "datasets/planner/topology.h"

#include <gmock/gmock.h>

#include <limits>

namespace consilium::datasets {
namespace {

using ::testing::HasSubstr;
using Numbers = std::vector<std::int64_t>;
using Stages = std::vector<Numbers>;

Topology Plan(const std::vector<double>& spacing, const Numbers& patch) {
  const StatusOr<Topology> topology = PlanTopology(spacing, patch);
  EXPECT_TRUE(topology.ok()) << topology.status();
  return topology.ok() ? *topology : Topology{};
}

TEST(TopologyTest, HippocampusIn3dEqualsThePublishedPlan) {
  const Topology topology = Plan({1, 1, 1}, {36, 50, 35});
  EXPECT_EQ(topology.patch, (Numbers{40, 56, 40}));
  EXPECT_EQ(topology.pools, (Numbers{3, 3, 3}));
  EXPECT_EQ(topology.divisor, (Numbers{8, 8, 8}));
  EXPECT_EQ(topology.strides, (Stages{{1, 1, 1}, {2, 2, 2}, {2, 2, 2}, {2, 2, 2}}));
  EXPECT_EQ(topology.kernels, Stages(4, Numbers{3, 3, 3}));
  EXPECT_EQ(Plan({1, 1, 1}, {40, 56, 40}), topology) << "a padded patch is its own plan";
}

TEST(TopologyTest, HippocampusIn2dEqualsThePublishedPlan) {
  const Topology topology = Plan({1, 1}, {50, 35});
  EXPECT_EQ(topology.patch, (Numbers{56, 40}));
  EXPECT_EQ(topology.strides, (Stages{{1, 1}, {2, 2}, {2, 2}, {2, 2}}));
  EXPECT_EQ(topology.kernels, Stages(4, Numbers{3, 3}));
}

TEST(TopologyTest, BrainTumourEqualsThePublishedPlan) {
  const Topology topology = Plan({1, 1, 1}, {128, 128, 128});
  EXPECT_EQ(topology.pools, (Numbers{5, 5, 5}));
  EXPECT_EQ(topology.strides.size(), 6U);
  EXPECT_EQ(topology.kernels.size(), 6U);
  EXPECT_EQ(topology.patch, (Numbers{128, 128, 128}));
}

TEST(TopologyTest, AnisotropicProstateEqualsThePublishedPlan) {
  const Topology topology = Plan({3.6, 0.625, 0.625}, {20, 320, 256});
  EXPECT_EQ(topology.patch, (Numbers{20, 320, 256}));
  EXPECT_EQ(topology.strides, (Stages{{1, 1, 1}, {1, 2, 2}, {1, 2, 2}, {2, 2, 2}, {2, 2, 2}, {1, 2, 2}, {1, 2, 2}}));
  EXPECT_EQ(topology.kernels, (Stages{{1, 3, 3}, {1, 3, 3}, {3, 3, 3}, {3, 3, 3}, {3, 3, 3}, {3, 3, 3}, {3, 3, 3}}));
}

TEST(TopologyTest, APatchTooSmallToHalveHasOneStageAndIsNotPadded) {
  const Topology topology = Plan({1, 1, 1}, {7, 5, 3});
  EXPECT_EQ(topology.strides, (Stages{{1, 1, 1}}));
  EXPECT_EQ(topology.kernels, (Stages{{3, 3, 3}}));
  EXPECT_EQ(topology.patch, (Numbers{7, 5, 3}));
}

TEST(TopologyTest, OddEdgesAreHalvedUpwards) {
  const Topology topology = Plan({1, 1, 1}, {15, 15, 15});  // 15, 8, 4
  EXPECT_EQ(topology.pools, (Numbers{2, 2, 2}));
  EXPECT_EQ(topology.patch, (Numbers{16, 16, 16}));
}

TEST(TopologyTest, ALastLoneAxisIsHalvedOnlyFromTwelveVoxels) {
  EXPECT_EQ(Plan({1, 1}, {11, 4}).strides.size(), 1U);
  EXPECT_EQ(Plan({1, 1}, {12, 4}).strides, (Stages{{1, 1}, {2, 1}}));
}

TEST(TopologyTest, PoolsMayBeCappedPerAxis) {
  const StatusOr<Topology> topology = PlanTopology(std::vector<double>{1, 1, 1}, Numbers{64, 64, 64}, {.pools_max = 2});
  ASSERT_TRUE(topology.ok()) << topology.status();
  EXPECT_EQ(topology->pools, (Numbers{2, 2, 2}));
}

TEST(TopologyTest, NonsenseIsRefused) {
  const auto refusal = [](const std::vector<double>& spacing, const Numbers& patch) {
    return PlanTopology(spacing, patch).status();
  };
  EXPECT_THAT(refusal({1, 1}, {8, 8, 8}).message(), HasSubstr("same 2 or 3 axes"));
  EXPECT_THAT(refusal({1}, {8}).message(), HasSubstr("same 2 or 3 axes"));
  EXPECT_THAT(refusal({1, 1}, {8, 0}).message(), HasSubstr("patch edge 1 is 0"));
  EXPECT_THAT(refusal({1, 1}, {8, std::numeric_limits<std::int64_t>::max()}).message(), HasSubstr("patch edge 1"));
  EXPECT_THAT(refusal({1, -1}, {8, 8}).message(), HasSubstr("spacing 1 is -1"));
  EXPECT_THAT(refusal({std::nan(""), 1}, {8, 8}).message(), HasSubstr("spacing 0"));
}

}  // namespace
}  // namespace consilium::datasets
