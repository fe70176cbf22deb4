#include "comm/wire/capability.h"
#include "comm/wire/secure_groups.h"
#include "tests/unit/comm/wire/job_text.h"

namespace consilium::wire {
namespace {

using ::testing::HasSubstr;

constexpr char kJob[] = R"(
name: trial
data: {dataset: Dataset001_Toy}
model: {patch_size: [8, 8, 8]}
federation: {rounds: 3, strategy: {name: median}, secure_aggregation: {enabled: true, groups: 4}}
)";

StatusOr<JobSpec> Parse(const std::vector<std::string>& assignments) { return ParseText(kJob, assignments); }

TEST(JobGroups, LetAStrategyThatComparesUpdatesGoWithSecureAggregation) {
  for (const char* strategy : {"median", "trimmed_mean", "geometric_median", "norm_clipping"}) {
    const StatusOr<JobSpec> job = Parse({Concat("federation.strategy.name=", strategy)});
    ASSERT_TRUE(job.ok()) << job.status();
    EXPECT_EQ(job->federation.mode, RoundMode::kSecure);
    EXPECT_EQ(job->federation.sites_min, 24);
    EXPECT_EQ(job->federation.secure.groups, 4);
    EXPECT_EQ(UpdateKindOf(job->federation), UpdateKind::kDelta);
    EXPECT_TRUE(NeedsBeacon(job->federation.secure, 24));
    for (const char* feature : {"secure_groups", "secure_aggregation"}) {
      EXPECT_TRUE(FeaturesNeeded(*job).contains(feature));
      EXPECT_TRUE(FeaturesOfThisBuild().contains(feature));
    }
    ReadAgain(*job);
  }
}

TEST(JobGroups, AsManySitesAsTheGroupsNeedTakePartUnlessTheJobSaysMore) {
  EXPECT_EQ(Parse({"federation.secure_aggregation.groups=6"})->federation.sites_min, 30);
  EXPECT_EQ(Parse({"federation.secure_aggregation.min_cohort=9"})->federation.sites_min, 36);
  EXPECT_EQ(Parse({"federation.sites.min=40", "federation.secure_aggregation.groups=8"})->federation.sites_min, 40);
}

TEST(JobGroups, AreAsManyAsTheRuleNeeds) {
  EXPECT_TRUE(Parse({"federation.strategy.name=krum", "federation.secure_aggregation.groups=5"}).ok());
  EXPECT_TRUE(Parse({"federation.strategy.name=bulyan", "federation.secure_aggregation.groups=7"}).ok());
  for (const StrategySpec& strategy : Strategies()) {
    if (!ComparesUpdates(strategy)) continue;
    const UpdatesNeeded needed = GroupsNeededBy(strategy, DefaultParameters(strategy));
    EXPECT_GE(needed.count, UpdatesNeededBy(strategy, DefaultParameters(strategy)).count) << strategy.name;
    EXPECT_FALSE(needed.why.empty());
  }
}

TEST(JobGroups, ThatWouldHideTooLittleOrGainNothingAreRefusedWithTheReason) {
  ExpectRefused(kJob,
                {{{"federation.strategy.name=fedavg"}, "needs the sum of all sites alone"},
                 {{"federation.strategy.name=fedadam"}, "needs the sum of all sites alone"},
                 {{"federation.strategy.name=scaffold"}, "does not go with secure_aggregation"},
                 {{"federation.strategy.name=clustered"}, "does not go with secure_aggregation"},
                 {{"federation.strategy.name=krum"}, "needs at least 5 groups (2f + 3 with byzantine: 1), found 4"},
                 {{"federation.strategy.name=bulyan"}, "needs at least 7 groups (4f + 3 with byzantine: 1), found 4"},
                 {{"federation.secure_aggregation.groups=2"}, "3 to 8 groups"},
                 {{"federation.secure_aggregation.groups=9"}, "3 to 8 groups"},
                 {{"federation.sites.min=23"}, "groups need at least 24 sites, found 23"},
                 {{"federation.sites.min=24", "federation.secure_aggregation.groups=5"},
                  "24 sites in 5 groups make groups of 4; at least 5 sites are to be in a sum: take at least 25 sites, "
                  "or at most "
                  "4 groups"},
                 {{"federation.sites.min=24", "federation.secure_aggregation.min_cohort=7"}, "groups of 6; at least 7"},
                 {{"federation.sites.min=300"}, "groups of 75; at most 64"},
                 {{"privacy.sites={epsilon: 8, accept_noise: true}"}, "groups do not go with privacy.sites"}});
}

TEST(JobGroups, AreNamedAsTheWayWhereOneSumIsNotEnough) {
  const Status status = Parse({"federation.secure_aggregation.groups=0"}).status();
  EXPECT_THAT(status.message(), HasSubstr("secure_aggregation: {enabled: true, groups: 4}"));
}

TEST(JobGroups, OfAnyAllowedNumberOfSitesHaveAnEighthOfThem) {
  for (std::int64_t groups = kGroupsMin; groups <= kGroupsMax; ++groups)
    for (std::int64_t sites = kGroupedSitesMin; sites <= 60; ++sites) {
      EXPECT_EQ(WhyNoGroups(sites, groups, 3).empty(), sites / groups >= kGroupSitesMin) << sites << " in " << groups;
      EXPECT_GE(sites / groups, sites / 8);
    }
}

}  // namespace
}  // namespace consilium::wire
