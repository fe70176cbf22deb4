#include "privacy/secagg/groups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "comm/wire/secure_groups.h"
#include "privacy/secagg/thresholds.h"

namespace consilium::secagg {
namespace {

using ::testing::HasSubstr;

Beacon BeaconOf(std::size_t sites, const std::string& value) {
  Beacon beacon{.sites = {}, .value = Sha256Of(value)};
  for (std::size_t i = 0; i < sites; ++i) beacon.sites.emplace_back(Concat("site-", 100 + i));
  return beacon;
}
constexpr Grouping kFour{.groups = 4, .sites_min = 24, .min_cohort = 5};
const JobId kJob("trial");

TEST(Groups, HoldEverySiteOnceInNearEqualNumbers) {
  for (const std::size_t sites : {24u, 25u, 31u, 64u, 200u, 256u}) {
    const auto groups = GroupsOf(BeaconOf(sites, "x"), kFour, kJob);
    ASSERT_TRUE(groups.ok()) << groups.status();
    ASSERT_EQ(groups->size(), 4u);
    std::set<SiteName> seen;
    for (const std::vector<SiteName>& group : *groups) {
      EXPECT_TRUE(std::ranges::is_sorted(group));
      EXPECT_GE(group.size(), sites / 4);
      EXPECT_LE(group.size(), (sites + 3) / 4);
      EXPECT_GE(group.size(), FloorOf(BeaconOf(sites, "x"), kFour));
      seen.insert(group.begin(), group.end());
    }
    EXPECT_EQ(seen.size(), sites);
  }
}

TEST(Groups, AreAFunctionOfTheBeaconAndTheJobAlone) {
  const auto groups = [](const Beacon& beacon, const JobId& job) { return GroupsOf(beacon, kFour, job).value(); };
  EXPECT_EQ(groups(BeaconOf(24, "x"), kJob), groups(BeaconOf(24, "x"), kJob));
  EXPECT_NE(groups(BeaconOf(24, "x"), kJob), groups(BeaconOf(24, "y"), kJob));
  EXPECT_NE(groups(BeaconOf(24, "x"), kJob), groups(BeaconOf(24, "x"), JobId("other")));
}

// Two sites are together in 5 of 23 draws.  Over 4000 draws each of the 276 pairs has a deviation of 0.0065; six of
// them are 0.04.
TEST(Groups, PutEveryPairOfSitesTogetherEquallyOften) {
  constexpr int kDraws = 4000;
  std::map<std::pair<SiteName, SiteName>, int> together;
  std::map<SiteName, int> in_first;
  for (int draw = 0; draw < kDraws; ++draw) {
    const auto groups = GroupsOf(BeaconOf(24, std::to_string(draw)), kFour, kJob).value();
    for (const std::vector<SiteName>& group : groups)
      for (const SiteName& a : group)
        for (const SiteName& b : group)
          if (a < b) ++together[{a, b}];
    for (const SiteName& site : groups[0]) ++in_first[site];
  }
  ASSERT_EQ(together.size(), 276u);
  for (const auto& [pair, times] : together)
    EXPECT_NEAR(static_cast<double>(times) / kDraws, 5.0 / 23, 0.04) << pair.first << " and " << pair.second;
  for (const auto& [site, times] : in_first) EXPECT_NEAR(static_cast<double>(times) / kDraws, 0.25, 0.042) << site;
}

// Frozen: another order would put sites of two builds into different groups, and no sum would come about.
TEST(Groups, AreTheSameInEveryBuild) {
  const auto groups = GroupsOf(BeaconOf(24, "frozen"), kFour, kJob).value();
  std::string text;
  for (const std::vector<SiteName>& group : groups)
    for (const SiteName& site : group) text += site.value() + (site == group.back() ? "\n" : " ");
  EXPECT_EQ(Sha256Of(text).ToHex(), "FROZEN") << text;
}

TEST(Groups, AreRefusedWhereTheyWouldHideTooLittle) {
  const auto why = [](const Beacon& beacon, const Grouping& grouping) {
    return std::string(GroupsOf(beacon, grouping, kJob).status().message());
  };
  EXPECT_THAT(why(BeaconOf(23, "x"), {.groups = 4, .sites_min = 0}), HasSubstr("at least 24 sites, found 23"));
  EXPECT_THAT(why(BeaconOf(24, "x"), {.groups = 4, .sites_min = 30}), HasSubstr("from 24 sites; the job asks for at "));
  EXPECT_THAT(why(BeaconOf(24, "x"), {.groups = 5}), HasSubstr("groups of 4; at least 5"));
  EXPECT_THAT(why(BeaconOf(24, "x"), {.groups = 4, .min_cohort = 7}), HasSubstr("groups of 6; at least 7"));
  EXPECT_THAT(why(BeaconOf(24, "x"), {.groups = 2}), HasSubstr("3 to 8"));
  EXPECT_THAT(why(BeaconOf(257, "x"), kFour), HasSubstr("groups of 65; at most 64"));
  Beacon twice = BeaconOf(24, "x");
  twice.sites[3] = twice.sites[4];
  EXPECT_THAT(why(twice, kFour), HasSubstr("twice"));
  std::swap(twice.sites[3] = SiteName("site-103"), twice.sites[4]);
  EXPECT_THAT(why(twice, kFour), HasSubstr("not in name order"));
}

// docs/privacy.md has these in its table: a group of 6 can do without one site, and stands 3 liars; 16: 3 and 9.
TEST(Groups, StandMoreLiarsThanTheirShare) {
  for (const auto& [sites, missing, liars] : {std::tuple{5u, 1u, 2u},
                                              {6u, 1u, 3u},
                                              {8u, 1u, 5u},
                                              {10u, 2u, 5u},
                                              {12u, 2u, 7u},
                                              {16u, 3u, 9u},
                                              {20u, 4u, 11u}}) {
    const CompleteThreshold threshold = ThresholdFor(sites, CorruptInGroup(sites)).value();
    EXPECT_EQ(threshold.drops_allowed, missing) << sites;
    EXPECT_EQ(2 * threshold.threshold - sites - 1, liars) << sites;
  }
}

TEST(Groups, HaveAFloorThatGrowsWithTheSitesAndTheJobsMinimum) {
  EXPECT_EQ(FloorOf(BeaconOf(24, "x"), kFour), 5u);
  EXPECT_EQ(FloorOf(BeaconOf(24, "x"), {.groups = 3, .min_cohort = 8}), 8u);
  EXPECT_EQ(FloorOf(BeaconOf(100, "x"), kFour), 12u);
  // With up to eight groups an eighth of the sites is in each.
  for (std::int64_t groups = wire::kGroupsMin; groups <= wire::kGroupsMax; ++groups)
    for (std::int64_t sites = wire::kGroupedSitesMin; sites <= 200; ++sites)
      if (sites / groups >= wire::kGroupSitesMin) {
        EXPECT_EQ(wire::WhyNoGroups(sites, groups, 3), "") << sites << " in " << groups;
      }
}

}  // namespace
}  // namespace consilium::secagg
