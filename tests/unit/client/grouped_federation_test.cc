// Group secure aggregation with the real machines of both sides: 24 sites in 4 groups, drawn from a beacon of theirs.
// The world checks every group's sum against the mean of what its own sites trained, and takes the median of the means.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "comm/base/rng.h"
#include "federation_world.h"
#include "privacy/secagg/message_lists.h"

namespace consilium::client {
namespace {

using ::testing::HasSubstr;
using wire::SecureStage;

FederationOptions FourGroups() {
  FederationOptions options{.mode = "secure", .rounds = 1, .sites = {}, .groups = 4};
  for (int i = 0; i < 24; ++i) options.sites.push_back(Concat("s", 10 + i));
  return options;
}

std::vector<float> FloatsOf(const std::string& model) {
  std::vector<float> values(model.size() / sizeof(float));
  std::memcpy(values.data(), model.data(), model.size());
  return values;
}

constexpr float kFirstModel[] = {0.5f, -2.0f, 1.0f, 0.0f};  // of the world

std::vector<float> MedianOf(const std::map<std::uint32_t, std::vector<float>>& means) {
  std::vector<float> median;
  for (std::size_t k = 0; k < std::size(kFirstModel); ++k) {
    std::vector<float> column;
    for (const auto& [group, mean] : means) column.push_back(mean[k]);
    std::ranges::sort(column);
    const std::size_t n = column.size();
    median.push_back(n % 2 == 1 ? column[n / 2] : (column[n / 2 - 1] + column[n / 2]) / 2);
  }
  return median;
}

TEST(GroupedFederation, MakesTheMedianOfTheGroupsMeansTheModel) {
  const FederationOutcome outcome = RunFederation(FourGroups());
  ASSERT_TRUE(outcome.finished) << outcome.end;
  EXPECT_EQ(outcome.sessions, 4u);
  EXPECT_EQ(outcome.updates_used, 24u);
  EXPECT_EQ(outcome.tasks_run, 48u);  // one round and the evaluation
  ASSERT_EQ(outcome.group_means.size(), 1u);
  ASSERT_EQ(outcome.group_means[0].size(), 4u);
  const std::vector<float> model = FloatsOf(outcome.model), median = MedianOf(outcome.group_means[0]);
  for (std::size_t k = 0; k < model.size(); ++k) EXPECT_NEAR(model[k], kFirstModel[k] + median[k], 1e-5);
}

TEST(GroupedFederation, KeepsItsGroupsForTheWholeJobAndEverySiteReleasesOnceARound) {
  FederationOptions options = FourGroups();
  options.rounds = 2;
  std::map<std::uint32_t, std::set<std::vector<SiteName>>> cohorts;  // of each group's sums
  std::size_t beacons = 0;
  options.record = [&](const coordinator::Record& record) {
    beacons += std::holds_alternative<coordinator::BeaconOpened>(record);
    if (const auto* session = std::get_if<coordinator::SecureSessionOpened>(&record))
      cohorts[session->group].insert(session->cohort);
  };
  const FederationOutcome outcome = RunFederation(options);
  ASSERT_TRUE(outcome.finished) << outcome.end;
  EXPECT_EQ(beacons, 1u);
  EXPECT_EQ(outcome.sessions, 8u);
  for (std::uint32_t group = 0; group < 4; ++group)
    EXPECT_EQ(cohorts[group], (std::set<std::vector<SiteName>>{outcome.groups.at(group)}));
  for (const auto& [site, rounds] : outcome.released) EXPECT_EQ(rounds.size(), 2u) << site;
  EXPECT_EQ(outcome.released.size(), 24u);
}

// A site's update may have any values up to the clip.  The median of the groups' means stays among the means of groups
// that it is not in; the mean of all goes with it.
TEST(GroupedFederation, OneLoudSiteMovesTheMeanOfAllAndNotTheMedianOfTheGroups) {
  FederationOptions options = FourGroups();
  options.clip = 1000;
  options.loud = "s17";
  const FederationOutcome outcome = RunFederation(options);
  ASSERT_TRUE(outcome.finished) << outcome.end;
  const auto is_loud = [&](std::uint32_t group) {
    return std::ranges::binary_search(outcome.groups.at(group), SiteName(options.loud));
  };
  const std::vector<float> model = FloatsOf(outcome.model);
  for (std::size_t k = 0; k < model.size(); ++k) {
    float low = 1e9f, high = -1e9f, all = 0;
    for (const auto& [group, mean] : outcome.group_means[0]) {
      all += mean[k] / 4;  // groups of equal size: the mean of all sites
      if (is_loud(group)) continue;
      low = std::min(low, mean[k]), high = std::max(high, mean[k]);
    }
    EXPECT_GE(model[k], kFirstModel[k] + low - 1e-3f);
    EXPECT_LE(model[k], kFirstModel[k] + high + 1e-3f);
    EXPECT_GT(all, 30) << "1000 / 24 of it";
  }
}

// Before and after the draw, in the middle of each group, between two groups, and when all are done.
TEST(GroupedFederation, KilledAfterAnyRecordOfASumTheCoordinatorSumsEveryGroupAllTheSame) {
  std::size_t written = 0, releases = 0;
  std::vector<std::size_t> ends;
  FederationOptions options = FourGroups();
  options.record = [&](const coordinator::Record& record) {
    ++written;
    const bool release = std::holds_alternative<coordinator::SharesReleased>(record);
    releases += release;
    if (release ? releases % 5 == 3 : !std::holds_alternative<coordinator::EvaluationAccepted>(record))
      ends.push_back(written);
  };
  ASSERT_TRUE(RunFederation(options).finished);
  ASSERT_GT(ends.size(), 16u);
  for (const std::size_t last : ends) {
    options = FourGroups();
    options.restart_hub = [count = std::size_t{0}, last](const coordinator::Record&) mutable {
      return ++count == last;
    };
    const FederationOutcome outcome = RunFederation(options);
    ASSERT_TRUE(outcome.finished) << "record " << last << " of " << written << ": " << outcome.end;
    EXPECT_EQ(outcome.skipped, 0u) << "record " << last;
    EXPECT_EQ(outcome.updates_used, 24u) << "record " << last;
    EXPECT_EQ(outcome.group_means.back().size(), 4u) << "record " << last;
    EXPECT_EQ(outcome.tasks_run, 48u) << "record " << last << ": trained again";
  }
}

TEST(GroupedFederation, TwoKillsInARoundLoseNothingEither) {
  const std::size_t actions = RunFederation(FourGroups()).actions.at(kHub);
  for (std::size_t crash = actions / 3; crash < actions; crash += actions / 10) {
    FederationOptions options = FourGroups();
    options.crashes = {{kHub, {crash, crash + 40}}};
    const FederationOutcome outcome = RunFederation(options);
    ASSERT_TRUE(outcome.finished) << "actions " << crash << " and " << crash + 40 << ": " << outcome.end;
    EXPECT_EQ(outcome.updates_used, 24u) << "actions " << crash << " and " << crash + 40;
  }
}

TEST(GroupedFederation, GoesOnWithoutASiteOfAGroupAndWithoutAGroup) {
  // Of six sites one may be missing; two are too many for their group, and three groups are enough.
  FederationOptions options = FourGroups();
  options.rounds = 3;
  const std::vector<std::vector<SiteName>> groups = RunFederation(options).groups;
  options.vanish = {{groups[1][2].value(), SecureStage::kReady}};
  const FederationOutcome one = RunFederation(options);
  ASSERT_TRUE(one.finished) << one.end;
  ASSERT_EQ(one.group_means.size(), 3u);
  EXPECT_EQ(one.contributors[1].size(), 23u);
  EXPECT_EQ(one.contributors[2].size(), 23u);
  for (const auto& means : one.group_means) EXPECT_EQ(means.size(), 4u);

  options.vanish[groups[1][4].value()] = SecureStage::kReady;
  const FederationOutcome two = RunFederation(options);
  ASSERT_TRUE(two.finished) << two.end;
  EXPECT_EQ(two.skipped, 0u);
  ASSERT_EQ(two.group_means.size(), 3u);
  EXPECT_EQ(two.group_means[0].size(), 4u);
  for (std::size_t round : {1u, 2u}) {
    EXPECT_EQ(two.group_means[round].size(), 3u);
    EXPECT_FALSE(two.group_means[round].contains(1));
    EXPECT_EQ(two.contributors[round].size(), 18u);
  }
}

TEST(GroupedFederation, LeavesOutAGroupThatIsLostWhileItIsUnmasked) {
  // Two of six vanish with their vectors counted and their shares not said: five of six are needed.
  FederationOptions options = FourGroups();
  options.rounds = 2;
  const std::vector<std::vector<SiteName>> groups = RunFederation(options).groups;
  for (const std::size_t member : {0u, 3u}) options.vanish[groups[2][member].value()] = SecureStage::kConfirm;
  const FederationOutcome outcome = RunFederation(options);
  ASSERT_TRUE(outcome.finished) << outcome.end;
  EXPECT_EQ(outcome.skipped, 0u);
  ASSERT_EQ(outcome.group_means.size(), 2u);
  EXPECT_FALSE(outcome.group_means[1].contains(2));
  EXPECT_EQ(outcome.contributors[1].size(), 18u);
}

// --- a coordinator that lies

// Told to the first site of the first group in place of the true list of its sum.
void ExpectRefusal(const std::function<std::vector<SiteName>(const std::vector<std::vector<SiteName>>&)>& list,
                   const std::string& reason) {
  FederationOptions options = FourGroups();
  const std::vector<std::vector<SiteName>> groups = RunFederation(FourGroups()).groups;
  const SiteName victim = groups[0][0];
  options.lie = [&](const SiteName& to, wire::CoordinatorMessage& message) {
    auto* question = std::get_if<wire::SecureRequest>(&message);
    if (question != nullptr && question->stage == SecureStage::kKeys && to == victim)
      question->body = secagg::EncodeNames(list(groups));
  };
  const FederationOutcome outcome = RunFederation(options);
  ASSERT_TRUE(outcome.refusals.contains(victim)) << "the site went along; " << outcome.end;
  EXPECT_THAT(outcome.refusals.at(victim).front(), HasSubstr(reason));
  EXPECT_FALSE(outcome.released.contains(victim));
  // Its group can do without it.
  ASSERT_TRUE(outcome.finished) << outcome.end;
  EXPECT_EQ(outcome.updates_used, 23u);
}

TEST(LyingCoordinatorOfGroups, CannotPutASiteAmongOthersThanItsGroup) {
  ExpectRefusal(
      [](const auto& groups) {
        std::vector<SiteName> names = groups[0];
        names.back() = groups[1].front();
        std::ranges::sort(names);
        return names;
      },
      "who is not in its group of 6 sites");
}

TEST(LyingCoordinatorOfGroups, CannotSumASiteWithTooFewOfItsGroup) {
  ExpectRefusal([](const auto& groups) { return std::vector<SiteName>(groups[0].begin(), groups[0].begin() + 4); },
                "4 sites of this site's group of 6; at least 5 are to be in a sum");
}

TEST(LyingCoordinatorOfGroups, CannotSumTwoGroupsAsOne) {
  ExpectRefusal(
      [](const auto& groups) {
        std::vector<SiteName> names = groups[0];
        names.insert(names.end(), groups[3].begin(), groups[3].end());
        std::ranges::sort(names);
        return names;
      },
      "who is not in its group of 6 sites");
}

TEST(LyingCoordinatorOfGroups, CannotSumBeforeTheGroupsAreDrawn) {
  FederationOptions options = FourGroups();
  options.lie = [](const SiteName& to, wire::CoordinatorMessage& message) {
    auto* question = std::get_if<wire::SecureRequest>(&message);
    if (question == nullptr || question->stage != SecureStage::kCommit || to.value() != "s10") return;
    std::vector<SiteName> names;
    for (int i = 0; i < 6; ++i) names.emplace_back(Concat("s", 10 + i));
    *question = wire::SecureRequest{question->task, 1, SecureStage::kKeys, secagg::EncodeNames(names)};
  };
  const FederationOutcome outcome = RunFederation(options);
  ASSERT_TRUE(outcome.refusals.contains(SiteName("s10")));
  EXPECT_THAT(outcome.refusals.at(SiteName("s10")).front(), HasSubstr("before the sites have agreed on what draws"));
}

TEST(LyingCoordinatorOfGroups, CannotDrawThemAnewOnceASumWasReleased) {
  FederationOptions options = FourGroups();
  options.rounds = 2;
  options.lie = [](const SiteName& to, wire::CoordinatorMessage& message) {
    auto* question = std::get_if<wire::SecureRequest>(&message);
    if (question == nullptr || question->stage != SecureStage::kBeacon || to.value() != "s10" ||
        question->task.round == Round{0})
      return;
    secagg::BeaconNotice notice = secagg::DecodeBeaconNotice(question->body).value();
    notice.commitments.clear(), notice.nonces.clear();
    *question = wire::SecureRequest{question->task, 2, SecureStage::kCommit, secagg::Encode(notice)};
  };
  const FederationOutcome outcome = RunFederation(options);
  ASSERT_TRUE(outcome.refusals.contains(SiteName("s10")));
  EXPECT_THAT(outcome.refusals.at(SiteName("s10")).front(), HasSubstr("groups hold for the whole job"));
  ASSERT_TRUE(outcome.finished) << outcome.end;
}

}  // namespace
}  // namespace consilium::client
