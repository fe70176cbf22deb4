// Who is asked in a round, how many replies close it, and who is passed over.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "coordinator/core/cohort.h"
#include "stage.h"

namespace consilium::coordinator {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

std::vector<SiteName> Sites(int count) {
  std::vector<SiteName> sites;
  for (int i = 0; i < count; ++i) sites.emplace_back(Concat("site-", 100 + i));
  return sites;
}
CohortOptions Draw(std::uint64_t seed, int round, double fraction, std::size_t over_select = 0, std::size_t min = 1) {
  return {seed, Round(static_cast<std::uint32_t>(round)), min, fraction, over_select};
}

TEST(Cohort, IsAPureFunctionOfSeedRoundAndSites) {
  const std::vector<SiteName> sites = Sites(20);
  EXPECT_EQ(SelectCohort(Draw(1, 3, 0.5), sites).sites, SelectCohort(Draw(1, 3, 0.5), sites).sites);
  EXPECT_NE(SelectCohort(Draw(1, 3, 0.5), sites).sites, SelectCohort(Draw(1, 4, 0.5), sites).sites);
  EXPECT_NE(SelectCohort(Draw(1, 3, 0.5), sites).sites, SelectCohort(Draw(2, 3, 0.5), sites).sites);
}

TEST(Cohort, HasTheFractionRoundedUpAtLeastTheMinimumAndTheExtraOnTop) {
  EXPECT_EQ(SelectCohort(Draw(1, 0, 0.1), Sites(30)).sites.size(), 3u) << "0.1 * 30 is 3, whatever f64 says";
  EXPECT_EQ(SelectCohort(Draw(1, 0, 0.1), Sites(31)).target, 4u);
  EXPECT_EQ(SelectCohort(Draw(1, 0, 0.1, 0, 5), Sites(30)).target, 5u);
  const Cohort over = SelectCohort(Draw(1, 0, 0.2, 3), Sites(20));
  EXPECT_EQ(over.target, 4u);
  EXPECT_EQ(over.sites.size(), 7u);
  EXPECT_TRUE(std::is_sorted(over.sites.begin(), over.sites.end()));
  EXPECT_EQ(SelectCohort(Draw(1, 0, 0.9, 50), Sites(20)).sites.size(), 20u) << "there are no more";
}

TEST(Cohort, OneSiteMoreOrLessChangesItByOne) {
  const std::vector<SiteName> all = Sites(40);
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    std::vector<SiteName> fewer = all;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(seed % fewer.size()));
    const std::vector<SiteName> before = SelectCohort(Draw(seed, 0, 0.25), all).sites;
    const std::vector<SiteName> after = SelectCohort(Draw(seed, 0, 0.25), fewer).sites;  // 10 of each
    std::vector<SiteName> kept;
    std::set_intersection(before.begin(), before.end(), after.begin(), after.end(), std::back_inserter(kept));
    EXPECT_GE(kept.size(), 9u) << "seed " << seed;
  }
}

TEST(Cohort, EverySiteIsDrawnAboutEquallyOften) {
  const std::vector<SiteName> sites = Sites(20);
  std::map<SiteName, int> drawn;
  for (int round = 0; round < 2000; ++round)
    for (const SiteName& site : SelectCohort(Draw(7, round, 0.25), sites).sites) ++drawn[site];
  // Binomial(2000, 1/4): mean 500, standard deviation 19.4; 5 of them.
  for (const SiteName& site : sites) EXPECT_NEAR(drawn[site], 500, 97) << site;
}

TEST(Cohort, TheRestedAreLeftOutUnlessTooFewWouldBeLeft) {
  const std::vector<SiteName> sites = Sites(3);
  const auto rests = [&](const SiteName& site) { return site == sites[1]; };
  EXPECT_EQ(WithoutResting(sites, 2, rests), (std::vector<SiteName>{sites[0], sites[2]}));
  EXPECT_EQ(WithoutResting(sites, 3, rests), sites);
}

// --- in the machine

const std::vector<std::string> kFive = {"a", "b", "c", "d", "e"};

Stage& ConnectFive(Stage* stage) {
  for (const std::string& site : kFive) stage->Connect(site);
  return *stage;
}

TEST(JobCohort, AnOverSelectedRoundClosesWithTheFirstAcceptedAndTheOthersAreStoodDownAndCountedLate) {
  Stage stage({.mode = "close", .sites_min = 2, .sites = kFive, .select = R"(, "fraction": 0.4, "over_select": 2)"});
  ConnectFive(&stage);
  ASSERT_EQ(stage.state().cohort().size(), 4u);
  ASSERT_EQ(stage.state().target(), 2u);
  std::vector<std::string> asked;
  for (const auto& [site, work] : stage.state().cohort()) asked.push_back(site.value());
  stage.TakeLines();
  stage.Update(asked[3], 0).Update(asked[1], 0);
  const std::string lines = stage.TakeLines();
  EXPECT_THAT(lines, HasSubstr(Concat("fold ", asked[1], "*1 ", asked[3], "*1\n")));
  for (const int late : {0, 2})
    EXPECT_THAT(lines, HasSubstr(Concat("send ", asked[static_cast<std::size_t>(late)], " StandDown trial/round 0.0")));
  EXPECT_THAT(lines, HasSubstr(R"("reason":"enough")"));
  stage.Update(asked[0], 0);
  EXPECT_THAT(stage.TakeLines("send " + asked[0]), HasSubstr("Receipt trial/round 0.0 late"));
  const SiteName late(asked[0]);
  EXPECT_EQ(stage.machine().drops().at(late).at(wire::DropReason::kLate), 1u);
  EXPECT_EQ(stage.state().HealthOf(late).failures_in_row, 0u) << "being outpaced is no fault";
  EXPECT_EQ(stage.state().HealthOf(late).outpaced, 1u);
}

TEST(JobCohort, AnUpdateThatIsBeingCheckedWhenEnoughHaveRepliedIsLate) {
  Stage stage({.mode = "close", .sites_min = 1, .sites = kFive, .select = R"(, "fraction": 0.2, "over_select": 1)"});
  ConnectFive(&stage);
  std::vector<std::string> asked;
  for (const auto& [site, work] : stage.state().cohort()) asked.push_back(site.value());
  ASSERT_EQ(asked.size(), 2u);
  stage.SetVerdict(asked[0], std::nullopt);
  stage.Update(asked[0], 0).Update(asked[1], 0).AnswerChecks();
  EXPECT_EQ(stage.state().past().front(), std::set<SiteName>{SiteName(asked[1])});
}

TEST(JobCohort, OnceEnoughHaveRepliedTheOthersHaveAGraceAndNotTheWholeDeadline) {
  Stage stage({.mode = "close", .sites_min = 2, .sites = kFive, .select = R"(, "enough": 3)"});
  ConnectFive(&stage);
  stage.Update("a", 0).Update("b", 0).Advance(seconds(50)).TakeLines();
  stage.Update("c", 0);
  EXPECT_THAT(stage.TakeLines(), HasSubstr("timer 10s")) << "a tenth of the deadline";
  stage.Advance(seconds(5)).Update("e", 0);
  EXPECT_EQ(stage.state().phase(), Phase::kCollecting);
  stage.Advance(seconds(6));
  EXPECT_EQ(stage.state().past().front().size(), 4u);
  EXPECT_EQ(stage.state().HealthOf(SiteName("d")).missed, 0u);
}

TEST(JobCohort, ASiteThatKeepsMissingItsDeadlineIsPassedOverForAWhileButNeverBelowTheMinimum) {
  Stage stage({.mode = "close", .rounds = 6, .sites_min = 2});
  stage.Connect("a").Connect("b").Connect("c");
  const auto round = [&](int number) {
    stage.Update("a", number).Update("b", number);
    if (stage.state().cohort().contains(SiteName("c")) && ToInt(stage.state().round()) == std::uint32_t(number))
      stage.Advance(seconds(101));
  };
  round(0), round(1);
  EXPECT_EQ(stage.state().HealthOf(SiteName("c")).missed, 2u);
  EXPECT_FALSE(stage.state().cohort().contains(SiteName("c"))) << "two in a row: it rests for a round";
  EXPECT_THAT(stage.TakeLines("report round_opened"), HasSubstr(R"("resting":["c"])"));
  round(2);
  EXPECT_TRUE(stage.state().cohort().contains(SiteName("c"))) << "and has another chance";

  Stage small({.mode = "close", .rounds = 6, .sites_min = 2, .sites = {"a", "b"}});
  small.Connect("a").Connect("b");
  EXPECT_EQ(small.state().cohort().size(), 2u);
}

TEST(JobCohort, ASiteThatCannotDoTheJobIsNotAskedAndTheReasonIsTold) {
  Stage stage({.mode = "close", .sites_min = 2, .more = R"(, "evaluate": {"every": 1})"});
  stage.Connect("a").Connect("b").Connect("c", wire::Capability{.trainer = "0.0.9"});
  EXPECT_EQ(stage.state().cohort().size(), 2u);
  EXPECT_THAT(stage.TakeLines("report site_unfit"), HasSubstr("its software (0.0.9) lacks validate"));
  EXPECT_EQ(stage.machine().WhyUnfit(SiteName("c")), "its software (0.0.9) lacks validate");
  EXPECT_EQ(stage.machine().WhyUnfit(SiteName("a")), "");
}

TEST(JobCohort, AfterARestartADrawnCohortWaitsForAllWhoWereWell) {
  Stage stage({.mode = "close", .sites_min = 1, .sites = kFive, .select = R"(, "fraction": 0.4)"});
  ConnectFive(&stage);
  stage.hold_folds = true;
  for (const std::string& site : kFive)
    if (stage.state().cohort().contains(SiteName(site)) && stage.state().phase() == Phase::kCollecting)
      stage.Update(site, 0);
  stage.hold_folds = false;
  stage.Restart().Connect("a").Connect("b").Connect("c").Connect("d");
  EXPECT_EQ(stage.state().phase(), Phase::kGathering);
  stage.Connect("e");
  EXPECT_EQ(stage.state().cohort().size(), 2u);
}

}  // namespace
}  // namespace consilium::coordinator
