#include "privacy/dp/record_account.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "comm/base/file.h"
#include "privacy/dp/noise_key.h"
#include "privacy/dp/pld.h"
#include "tests/testing/run_program.h"

namespace consilium::dp {
namespace {

using ::testing::HasSubstr;

constexpr Budget kBudget = {.epsilon = 3, .delta = 1e-5};
constexpr SampledGaussian kStep = {.noise_multiplier = 1.1, .sampling_rate = 0.1, .steps = 1};

RecordAccount::Options OptionsOf(const testing::ScratchFolder& scratch, const std::string& job) {
  return {.folder = scratch / "ledger", .job = job, .budget = kBudget, .clip = 0.5, .step = kStep};
}

TEST(RecordAccount, TheNoiseThatNobodyGaveIsTheLeastWithWhichAllStepsFit) {
  const RecordTerms terms = {.cases = 200, .expected_cases = 4, .steps = 50, .budget = kBudget};
  SampledGaussian all = MechanismOf(terms).value();
  EXPECT_EQ(all.sampling_rate, 0.02);
  EXPECT_EQ(all.steps, 1);
  all.steps = 50;
  EXPECT_LE(PldEpsilon({&all, 1}, 1e-5, {.gap = 0.1})->upper, 3);
  all.noise_multiplier *= 0.99;
  EXPECT_GT(PldEpsilon({&all, 1}, 1e-5, {.gap = 0.1})->upper, 3);
}

TEST(RecordAccount, ABatchLargerThanTheSiteIsRefusedAndTheNoiseThatWasGivenIsTaken) {
  const Status refused = MechanismOf({.cases = 3, .expected_cases = 4, .budget = kBudget}).status();
  EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(refused.message(), HasSubstr("train.batch_size"));
  EXPECT_EQ(MechanismOf({.cases = 3, .expected_cases = 3, .budget = kBudget, .noise_multiplier = 7})->noise_multiplier,
            7);
}

TEST(RecordAccount, PaysInStepsUntilTheBudgetOfTheJobIsSpentAndSaysHowManyThatAre) {
  const testing::ScratchFolder scratch;
  RecordAccount account = RecordAccount::Open(OptionsOf(scratch, "trial")).value();
  const std::int64_t within = account.StepsWithin(1000).value();
  ASSERT_GT(within, 8);
  ASSERT_LT(within, 1000);
  EXPECT_TRUE(account.CanPay("0", within).ok());
  EXPECT_EQ(account.CanPay("0", within + 1).code(), StatusCode::kPrivacyBudget);
  ASSERT_TRUE(account.Pay("0", 5).ok());
  ASSERT_TRUE(account.Pay("0", 5).ok()) << "the same release";
  EXPECT_EQ(account.StepsWithin(1000).value(), within - 5);
  EXPECT_EQ(account.StepsWithin(5).value(), 5);
  ASSERT_TRUE(account.Pay("1", within - 5).ok());
  EXPECT_EQ(account.StepsWithin(1).value(), 0);
  EXPECT_EQ(account.Pay("2", 1).code(), StatusCode::kPrivacyBudget);
  const RecordReport report = account.Report().value();
  EXPECT_EQ(report.all_steps.steps, within);
  EXPECT_LE(report.epsilon, 3);
  EXPECT_GE(report.epsilon_rdp, report.epsilon);
}

TEST(RecordAccount, EachJobHasABudgetOfItsOwnAndTheDataSetsSumIsTold) {
  const testing::ScratchFolder scratch;
  double first = 0;
  {
    RecordAccount account = RecordAccount::Open(OptionsOf(scratch, "trial")).value();
    ASSERT_TRUE(account.Pay("0", account.StepsWithin(1000).value()).ok());
    first = account.Report()->epsilon;
  }
  RecordAccount account = RecordAccount::Open(OptionsOf(scratch, "trial-2")).value();  // "trial/" is no prefix of it
  ASSERT_TRUE(account.Pay("0", 5).ok());
  const RecordReport report = account.Report().value();
  EXPECT_LT(report.epsilon, first);
  EXPECT_GT(report.epsilon_data_set, first);
  EXPECT_EQ(report.all_steps.steps, 5);
}

TEST(RecordAccount, AReportSaysUnitEpsilonDeltaAndBothAccountants) {
  const testing::ScratchFolder scratch;
  RecordAccount account = RecordAccount::Open(OptionsOf(scratch, "trial")).value();
  ASSERT_TRUE(account.Pay("0", 5).ok());
  const Json json = ToJson(account.Report(/*unpaid=*/4).value());
  EXPECT_EQ(json["unit"], "case");
  EXPECT_EQ(json["adjacency"], "add or remove one");
  EXPECT_EQ(json["steps"], 9);
  EXPECT_EQ(json["delta"], 1e-5);
  EXPECT_EQ(json["clip"], 0.5);
  EXPECT_GE(json["epsilon_rdp"].get<double>(), json["epsilon"].get<double>());
  EXPECT_THAT(ToText(account.Report().value()), HasSubstr("of 3 at delta 1e-05 for any one case added or removed"));
}

TEST(NoiseKey, IsDrawnOnceKeptPrivateAndRefusedWhenOthersMayReadIt) {
  const testing::ScratchFolder scratch;
  SeededEntropy entropy(4);
  const SecretBytes key = OpenNoiseKey(scratch / "ledger", entropy).value();
  EXPECT_EQ(key.Reveal().size(), 32u);
  EXPECT_TRUE(OpenNoiseKey(scratch / "ledger", entropy)->EqualsConstantTime(key));
  EXPECT_FALSE(OpenNoiseKey(scratch / "another", entropy)->EqualsConstantTime(key));
  const std::filesystem::path path = scratch / "ledger" / "noise.key";
  std::filesystem::permissions(path, std::filesystem::perms::others_read, std::filesystem::perm_options::add);
  EXPECT_EQ(OpenNoiseKey(scratch / "ledger", entropy).code(), StatusCode::kPermissionDenied);
  ASSERT_TRUE(WriteFileAtomic(path, std::string_view("short"), 0600).ok());
  EXPECT_EQ(OpenNoiseKey(scratch / "ledger", entropy).code(), StatusCode::kDataLoss);
}

}  // namespace
}  // namespace consilium::dp
