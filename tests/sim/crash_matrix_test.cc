// Small spaces are exhausted instead of sampled: a kill at every point of a job of three sites and three rounds, and
// every pair of kills of a smaller one.
#include <gtest/gtest.h>

#include <iostream>

#include "fake_trainer.h"
#include "federation.h"

namespace consilium::simtest {
namespace {

Scenario ThreeSitesThreeRounds(const std::string& mode) {
  Scenario scenario{.sites = 3, .rounds = 3, .mode = mode, .sites_min = 3};
  scenario.round_deadline = std::chrono::minutes(10);  // in mode close nobody is given up for a kill
  scenario.faulty_for = std::chrono::hours(2);
  return scenario;
}

std::vector<std::string> ActorsOf(const Scenario& scenario) {
  std::vector<std::string> actors = {kHub};
  for (const SiteName& site : SitesOf(scenario)) actors.push_back(site.value());
  return actors;
}

// Every point of one actor's history at which it can die: after each action, and in the middle of each write.
std::vector<CrashPoint> CrashPointsOf(const std::string& actor, const Counters& undisturbed, sim::Death death) {
  std::vector<CrashPoint> points;
  for (std::size_t action = 1; action <= undisturbed.actions.at(actor); ++action) {
    points.push_back({actor, action, CrashPoint::When::kAfter, death});
    if (undisturbed.persists.at(actor).contains(action))
      points.push_back({actor, action, CrashPoint::When::kTorn, death});
  }
  return points;
}

std::string Words(const CrashPoint& point) {
  return Concat(point.actor, point.when == CrashPoint::When::kTorn ? " inside" : " after", " action ", point.action,
                point.death == sim::Death::kMachine ? " (power)" : "");
}

class CrashMatrix : public ::testing::Test {
 protected:
  // Runs with these crashes; the result must be that of the undisturbed job.
  void ExpectSame(Scenario scenario, const std::vector<CrashPoint>& crashes) {
    scenario.crashes = crashes;
    const Outcome outcome = Simulate(scenario);
    ++runs_;
    std::string words;
    for (const CrashPoint& crash : crashes) words += Words(crash) + "; ";
    ASSERT_TRUE(outcome.violations.empty()) << words << outcome.violations.front();
    ASSERT_TRUE(outcome.finished && outcome.code == StatusCode::kOk) << words;
    ASSERT_EQ(outcome.model, wire::ManifestOf(BytesOf(UndisturbedResult(scenario))).digest) << words;
    kills_ += outcome.counters.kills;
  }
  ~CrashMatrix() override { std::cout << "[ matrix   ] " << runs_ << " runs, " << kills_ << " kills\n"; }
  std::size_t runs_ = 0, kills_ = 0;
};

TEST_F(CrashMatrix, InModeWaitAKillOfAnybodyAnywhereLeavesTheFinalWeightsAsTheyAre) {
  const Scenario scenario = ThreeSitesThreeRounds("wait");
  const Outcome undisturbed = Simulate(scenario);
  ASSERT_TRUE(undisturbed.finished && undisturbed.violations.empty());
  for (const std::string& actor : ActorsOf(scenario))
    for (const CrashPoint& point : CrashPointsOf(actor, undisturbed.counters, sim::Death::kProcess)) {
      ASSERT_NO_FATAL_FAILURE(ExpectSame(scenario, {point}));
    }
  EXPECT_EQ(kills_, runs_) << "every run had its kill";
}

TEST_F(CrashMatrix, InModeWaitALossOfPowerAnywhereLeavesTheFinalWeightsAsTheyAre) {
  const Scenario scenario = ThreeSitesThreeRounds("wait");
  const Outcome undisturbed = Simulate(scenario);
  for (const std::string& actor : ActorsOf(scenario))
    for (const CrashPoint& point : CrashPointsOf(actor, undisturbed.counters, sim::Death::kMachine)) {
      ASSERT_NO_FATAL_FAILURE(ExpectSame(scenario, {point}));
    }
}

TEST_F(CrashMatrix, InModeCloseAKillOfTheCoordinatorAnywhereLeavesTheFinalWeightsAsTheyAre) {
  const Scenario scenario = ThreeSitesThreeRounds("close");
  const Outcome undisturbed = Simulate(scenario);
  for (const sim::Death death : {sim::Death::kProcess, sim::Death::kMachine})
    for (const CrashPoint& point : CrashPointsOf(kHub, undisturbed.counters, death)) {
      ASSERT_NO_FATAL_FAILURE(ExpectSame(scenario, {point}));
    }
}

TEST_F(CrashMatrix, AnyTwoKillsOfTwoSitesAndACoordinatorLeaveTheFinalWeightsAsTheyAre) {
  Scenario scenario{.sites = 2, .rounds = 1, .mode = "wait", .sites_min = 2};
  scenario.faulty_for = std::chrono::hours(2);
  scenario.heartbeat = std::chrono::seconds(30);
  const Outcome undisturbed = Simulate(scenario);
  std::vector<CrashPoint> points;
  for (const std::string& actor : ActorsOf(scenario))
    for (const CrashPoint& point : CrashPointsOf(actor, undisturbed.counters, sim::Death::kProcess))
      points.push_back(point);
  for (std::size_t first = 0; first < points.size(); ++first)
    for (std::size_t second = first + 1; second < points.size(); ++second) {
      ASSERT_NO_FATAL_FAILURE(ExpectSame(scenario, {points[first], points[second]}));
    }
}

}  // namespace
}  // namespace consilium::simtest
