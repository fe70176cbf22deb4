// privacy.records with the real trainer: what sites pay survives kills, is paid for before it is released, and ends a
// job at its budget.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/integration/real_trainer/real_trial.h"

namespace consilium {
namespace {

using ::testing::HasSubstr;

// Steps that a site has paid for.
std::int64_t StepsPaid(const RealTrial& trial, const std::string& site) {
  const StatusOr<Json> ledger = ReadJson(trial.state(site) / "privacy" / testing::kTinyDatasetName / "ledger.json");
  std::int64_t steps = 0;
  if (ledger.ok())
    for (const auto& [release, charge] : (*ledger)["charges"].items()) steps += charge["steps"].get<std::int64_t>();
  return steps;
}

// The last line of metrics.jsonl.
Json LastRound(RealTrial& trial) {
  std::ifstream in(trial.federation().job_folder() / "metrics.jsonl");
  Json last;
  for (std::string line; std::getline(in, line) && !in.eof();) last = Json::parse(line);
  return last;
}

TEST(RealPrivacy, EverySitePaysForEachRoundOnceAlsoWhenItIsKilledAndTellsEpsilonAndNoLoss) {
  RealTrial trial({.rounds = 3, .iterations = 40, .more = "privacy: {records: {epsilon: 8}}"});
  trial.Start();
  trial.Await({{"event", "update_accepted"}, {"round", 0}, {"site", "b"}});
  trial.federation().KillClient("b");  // wherever it is by now: the others wait for it
  EXPECT_GE(StepsPaid(trial, "b"), 40) << "paid before it was released, and the kill takes nothing back";
  ASSERT_TRUE(trial.federation().RestartClient("b").ok());
  trial.AwaitWeights();
  for (const char* site : {"a", "b", "c"}) EXPECT_EQ(StepsPaid(trial, site), 3 * 40) << site;
  const Json round = LastRound(trial);
  double largest = 0;
  for (const auto& [site, told] : round["sites"].items()) {
    EXPECT_FALSE(told["metrics"].contains("loss")) << round;
    EXPECT_FALSE(told["metrics"].contains("dice")) << round;
    largest = std::max(largest, told["metrics"]["epsilon"].get<double>());
  }
  EXPECT_EQ(round["mean"]["epsilon"], largest) << "the federation's epsilon is the largest of its sites'";
  EXPECT_GT(largest, 0);
}

TEST(RealPrivacy, TheJobEndsAtItsBudgetWithTheCodeThatSaysSo) {
  RealTrial trial({.rounds = 50, .iterations = 4, .more = "privacy: {records: {epsilon: 8, noise_multiplier: 2}}"});
  trial.Start();
  const StatusOr<ExitResult> end = trial.federation().AwaitEnd(kPatience);
  ASSERT_TRUE(end.ok()) << end.status() << "\n" << trial.federation().Logs();
  EXPECT_EQ(end->exit_code, static_cast<int>(ExitCode::kPrivacyBudget)) << trial.federation().Logs();
  const Json last = LastRound(trial);
  ASSERT_FALSE(last.is_null()) << "the budget bears a round at least";
  EXPECT_LE(last["mean"]["epsilon"].get<double>(), 8);
  EXPECT_THAT(trial.federation().Logs(), HasSubstr("beyond the budget of 8"));
}

}  // namespace
}  // namespace consilium
