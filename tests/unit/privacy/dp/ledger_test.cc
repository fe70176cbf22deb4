#include "privacy/dp/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "comm/base/file.h"
#include "privacy/dp/pld.h"
#include "tests/testing/run_program.h"

namespace consilium::dp {
namespace {

using ::testing::HasSubstr;

constexpr SampledGaussian kRound = {.noise_multiplier = 1.2, .sampling_rate = 0.05, .steps = 40};

TEST(Ledger, ChargesAddUpOverRestartsUntilTheBudgetIsSpentAndNothingMoreIsTaken) {
  const testing::ScratchFolder scratch;
  int paid = 0;
  Status refused;
  for (int round = 0; round < 100 && refused.ok(); ++round) {
    const auto ledger = Ledger::Open(scratch / "ledger", {.epsilon = 3, .delta = 1e-5}).value();  // each time anew
    EXPECT_EQ(ledger->charges().size(), static_cast<std::size_t>(paid));
    refused = ledger->Charge(Concat("job/", round), kRound);
    paid += refused.ok();
    EXPECT_LE(ledger->Spent().value(), 3);
  }
  EXPECT_EQ(refused.code(), StatusCode::kPrivacyBudget);
  EXPECT_THAT(refused.message(), HasSubstr("beyond the budget of 3"));
  EXPECT_EQ(ExitCodeFor(refused), ExitCode::kPrivacyBudget);
  // As many rounds as one sum of all their steps allows.
  const auto epsilon = [](int rounds) {
    const SampledGaussian all = {1.2, 0.05, 40 * rounds};
    return PldEpsilon({&all, 1}, 1e-5, {.gap = 0.1})->upper;
  };
  EXPECT_LE(epsilon(paid), 3);
  EXPECT_GT(epsilon(paid + 1), 3);
}

TEST(Ledger, TheSameReleaseIsPaidForOnceAndNeverWithOtherNoise) {
  const testing::ScratchFolder scratch;
  const auto ledger = Ledger::Open(scratch / "ledger", {}).value();
  ASSERT_TRUE(ledger->Charge("job/0", kRound).ok());
  const double spent = ledger->Spent().value();
  EXPECT_TRUE(ledger->Charge("job/0", kRound).ok());
  EXPECT_EQ(ledger->Spent().value(), spent);
  EXPECT_EQ(ledger->Charge("job/0", SampledGaussian{2.0, 0.05, 40}).code(), StatusCode::kFailedPrecondition);
  EXPECT_FALSE(ledger->Charge("", kRound).ok());
}

TEST(Ledger, AReleaseWithoutNoiseIsNeverPaidFor) {
  const testing::ScratchFolder scratch;
  const auto ledger = Ledger::Open(scratch / "ledger", {.epsilon = 1e6}).value();
  EXPECT_EQ(ledger->Charge("job/0", SampledGaussian{0, 1, 1}).code(), StatusCode::kPrivacyBudget);
  EXPECT_EQ(ledger->Spent().value(), 0);
}

TEST(Ledger, ASmallerBudgetThanWhatIsSpentRefusesEverything) {
  const testing::ScratchFolder scratch;
  ASSERT_TRUE(Ledger::Open(scratch / "ledger", {.epsilon = 3}).value()->Charge("job/0", kRound).ok());
  const auto ledger = Ledger::Open(scratch / "ledger", {.epsilon = 0.1}).value();
  EXPECT_GT(ledger->Spent().value(), 0.1);
  EXPECT_EQ(ledger->Charge("job/1", SampledGaussian{50, 0.01, 1}).code(), StatusCode::kPrivacyBudget);
}

TEST(Ledger, SumsInIntegersAddUpByRenyisAccountAndOutliveTheProcess) {
  const testing::ScratchFolder scratch;
  constexpr SkellamSum kSum = {.noise_multiplier = 10, .levels = 1e4, .dimension = 1 << 20};
  const Budget budget = {.epsilon = 4.7596, .delta = 1e-5};  // of a hundred, and no more
  int paid = 0;
  Status refused;
  for (; paid < 200 && refused.ok(); paid += refused.ok())
    refused = Ledger::Open(scratch / "ledger", budget, "job/").value()->Charge(Concat("job/", paid), kSum);
  EXPECT_EQ(refused.code(), StatusCode::kPrivacyBudget) << refused;
  EXPECT_EQ(paid, 100);
  const auto ledger = Ledger::Open(scratch / "ledger", budget, "job/").value();
  EXPECT_NEAR(ledger->Spent().value(), 4.759544737060816, 1e-9);
  EXPECT_TRUE(ledger->Charge("job/99", kSum).ok()) << "the same release again";
  SkellamSum less = kSum;
  less.noise_multiplier = 9;
  EXPECT_EQ(ledger->Charge("job/99", less).code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(std::get<SkellamSum>(ledger->charges().at("job/0")), kSum);
}

TEST(Ledger, ADamagedBookAndASecondWriterStopEverything) {
  const testing::ScratchFolder scratch;
  {
    const auto ledger = Ledger::Open(scratch / "ledger", {}).value();
    ASSERT_TRUE(ledger->Charge("job/0", kRound).ok());
    EXPECT_EQ(Ledger::Open(scratch / "ledger", {}).code(), StatusCode::kFailedPrecondition);
  }
  for (const char* text : {"{", "{}", R"({"format":"consilium privacy ledger 1","charges":{"a":{"steps":1}}})",
                           R"({"format":"consilium privacy ledger 1",
                               "charges":{"a":{"noise_multiplier":-1,"sampling_rate":1,"steps":1}}})",
                           R"({"format":"consilium privacy ledger 1",
                               "charges":{"a":{"noise_multiplier":1,"levels":0,"dimension":1,"releases":1}}})"}) {
    ASSERT_TRUE(WriteFileAtomic(scratch / "ledger" / "ledger.json", std::string_view(text)).ok());
    EXPECT_EQ(Ledger::Open(scratch / "ledger", {}).code(), StatusCode::kDataLoss) << text;
  }
  EXPECT_EQ(Ledger::Open(scratch / "other", {.epsilon = 0}).code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace consilium::dp
