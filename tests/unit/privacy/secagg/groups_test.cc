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
      EXPECT_GE(group.size(), BoundsOf(BeaconOf(sites, "x"), kFour, group.size()).survivors_min);
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

// Frozen, and found alike by a few lines of Python with the AES of reference_crypto.py: another order would put sites
// of two builds into different groups, and no sum would come about.
TEST(Groups, AreTheSameInEveryBuild) {
  const auto groups = GroupsOf(BeaconOf(24, "frozen"), kFour, kJob).value();
  std::string text;
  for (const std::vector<SiteName>& group : groups)
    for (const SiteName& site : group) text += site.value() + (site == group.back() ? "\n" : " ");
  EXPECT_EQ(Sha256Of(text).ToHex(), "67f06f2e268c76f7e5ca16cae71af339fffe466cdfa398a8b8547fe12993814f") << text;
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

// docs/privacy.md has these in its table.
TEST(Groups, StandLiarsThatAreHalfOfThemWhoeverIsSaidToBeAway) {
  struct Row {
    std::size_t sites;
    std::uint32_t groups, corrupt, survivors_min, may_vanish;
  };
  for (const Row& row : {Row{24, 3, 4, 6, 1},
                         {24, 4, 3, 5, 1},
                         {40, 5, 4, 6, 1},
                         {40, 8, 2, 5, 0},
                         {64, 4, 8, 10, 3},
                         {64, 8, 4, 8, 0},
                         {100, 5, 10, 12, 4}}) {
    const std::size_t members = row.sites / row.groups;
    const Grouping grouping{.groups = row.groups, .min_cohort = 5};
    const GroupBounds bounds = BoundsOf(BeaconOf(row.sites, "x"), grouping, members);
    EXPECT_EQ(bounds.corrupt, row.corrupt) << row.sites << " in " << row.groups;
    EXPECT_EQ(bounds.survivors_min, row.survivors_min) << row.sites << " in " << row.groups;
    for (std::size_t named = bounds.survivors_min; named <= members; ++named) {
      const CompleteThreshold threshold = ThresholdFor(named, bounds.corrupt).value();
      EXPECT_GT(2 * threshold.threshold, named + bounds.corrupt);
      EXPECT_GE(std::max<std::size_t>(threshold.threshold, bounds.survivors_min), bounds.corrupt + 2);
      if (named == members) {
        EXPECT_EQ(members - std::max<std::size_t>(threshold.threshold, bounds.survivors_min), row.may_vanish);
      }
    }
  }
}

TEST(Groups, HaveAFloorThatGrowsWithTheSitesAndTheJobsMinimum) {
  EXPECT_EQ(BoundsOf(BeaconOf(24, "x"), {.groups = 3, .min_cohort = 8}, 8).survivors_min, 8u);
  EXPECT_EQ(BoundsOf(BeaconOf(100, "x"), {.groups = 7, .min_cohort = 5}, 14).survivors_min, 12u);
  // With up to eight groups an eighth of the sites is in each.
  for (std::int64_t groups = wire::kGroupsMin; groups <= wire::kGroupsMax; ++groups)
    for (std::int64_t sites = wire::kGroupedSitesMin; sites <= 64 * groups; ++sites)
      if (sites / groups >= wire::kGroupSitesMin) {
        EXPECT_EQ(wire::WhyNoGroups(sites, groups, 3), "") << sites << " in " << groups;
      }
}

}  // namespace
}  // namespace consilium::secagg
