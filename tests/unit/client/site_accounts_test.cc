#include "client/service/site_accounts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "comm/base/file.h"
#include "tests/testing/run_program.h"

namespace consilium::client {
namespace {

using ::testing::HasSubstr;

SitePrivacyWork WorkOf(double epsilon) {
  return {.spec = {.enabled = true, .epsilon = epsilon, .delta = 1e-5}, .rounds = 10, .data_set = "Dataset001_Toy"};
}

NoisyRelease ReleaseOf(const std::string& name, double epsilon = 8) {
  const SitePrivacyWork work = WorkOf(epsilon);
  return {.job = "trial",
          .data_set = work.data_set,
          .release = "trial/" + name,
          .budget = {.epsilon = epsilon, .delta = 1e-5},
          .plan = private_sum::PlanForSites({.spec = work.spec, .rounds = work.rounds, .elements = 100}, 5, 3).value()};
}

Bytes BytesOf(const SecretBytes& secret) { return {secret.Reveal().begin(), secret.Reveal().end()}; }

TEST(SiteAccounts, TheRoundsOfAJobArePaidForAndNotOneMore) {
  const consilium::testing::ScratchFolder scratch;
  SeededEntropy entropy(1);
  Status refused;
  int paid = 0;
  for (int round = 0; round < 50 && refused.ok(); ++round) {
    SiteAccounts accounts(scratch / "privacy", &entropy);  // each time a new life
    const Status may = accounts.CheckAnother("trial", WorkOf(8));
    refused = accounts.Pay(ReleaseOf(Concat(round, ".0/x"))).status();
    EXPECT_EQ(may.code(), refused.code()) << "it is known before anything is trained, round " << round;
    paid += refused.ok();
  }
  EXPECT_EQ(paid, 10) << "the noise was chosen for so many";
  EXPECT_EQ(refused.code(), StatusCode::kPrivacyBudget);
  EXPECT_THAT(refused.message(), HasSubstr("beyond the budget of 8"));
  SiteAccounts accounts(scratch / "privacy", &entropy);
  EXPECT_TRUE(accounts.Pay(ReleaseOf("3.0/x")).ok()) << "paid for before, it may go out again";
  SitePrivacyWork other = WorkOf(8);
  EXPECT_TRUE(accounts.CheckAnother("trial-2", other).ok()) << "another job has a budget of its own";
}

TEST(SiteAccounts, TheSecretIsDrawnOnceAndNobodyElseMayReadIt) {
  const consilium::testing::ScratchFolder scratch;
  SeededEntropy entropy(1);
  const Bytes first = BytesOf(SiteAccounts(scratch / "privacy", &entropy).Pay(ReleaseOf("0.0/x")).value());
  EXPECT_EQ(BytesOf(SiteAccounts(scratch / "privacy", &entropy).Pay(ReleaseOf("1.0/x")).value()), first);
  NoisyRelease other = ReleaseOf("0.0/x");
  other.data_set = "Dataset002_Other";
  EXPECT_NE(BytesOf(SiteAccounts(scratch / "privacy", &entropy).Pay(other).value()), first);
  struct stat info {};
  ASSERT_EQ(::stat((scratch / "privacy" / "Dataset001_Toy" / "site" / "noise.key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST(SiteAccounts, TheAccountOfCasesIsAnotherBook) {
  const consilium::testing::ScratchFolder scratch;
  const auto cases = dp::Ledger::Open(scratch / "privacy" / "Dataset001_Toy", {.epsilon = 8}).value();  // held open
  ASSERT_TRUE(cases->Charge("trial/0", dp::SampledGaussian{2, 0.1, 100}).ok());
  SeededEntropy entropy(1);
  SiteAccounts accounts(scratch / "privacy", &entropy);
  ASSERT_TRUE(accounts.Pay(ReleaseOf("0.0/x")).ok());
  EXPECT_EQ(cases->charges().size(), 1u);
}

TEST(SiteAccounts, AnAccountThatCannotBeWrittenReleasesNothing) {
  const consilium::testing::ScratchFolder scratch;
  SeededEntropy entropy(1);
  SiteAccounts accounts(scratch / "privacy", &entropy);
  ASSERT_TRUE(accounts.Pay(ReleaseOf("0.0/x")).ok());
  ASSERT_TRUE(
      WriteFileAtomic(scratch / "privacy" / "Dataset001_Toy" / "site" / "ledger.json", std::string_view("{")).ok());
  EXPECT_EQ(accounts.Pay(ReleaseOf("1.0/x")).code(), StatusCode::kDataLoss);
  EXPECT_EQ(accounts.CheckAnother("trial", WorkOf(8)).code(), StatusCode::kDataLoss);
}

TEST(SiteAccounts, ADataSetsNameFromAPeerLeadsNowhereElse) {
  const consilium::testing::ScratchFolder scratch;
  SeededEntropy entropy(1);
  SiteAccounts accounts(scratch / "privacy", &entropy);
  for (const std::string& name : {std::string(), std::string(".."), std::string("a/b"), std::string("../x"),
                                  std::string(".hidden"), std::string(300, 'a'), std::string("a\0b", 3)}) {
    NoisyRelease release = ReleaseOf("0.0/x");
    release.data_set = name;
    EXPECT_EQ(accounts.Pay(release).code(), StatusCode::kInvalidArgument) << name;
  }
}

}  // namespace
}  // namespace consilium::client
