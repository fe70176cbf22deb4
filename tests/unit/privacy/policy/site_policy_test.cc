#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "comm/base/entropy.h"
#include "comm/base/file.h"
#include "privacy/policy/release_ledger.h"
#include "privacy/policy/signed_policy.h"
#include "tests/testing/run_program.h"

namespace consilium::policy {
namespace {

namespace fs = std::filesystem;
using crypto::SigningKey;
using ::testing::HasSubstr;

TEST(SitePolicy, TheSampleIsReadBackAsWhatItSays) {
  const std::string text = SamplePolicy({.project = "heart", .coordinator = "hub", .min_cohort = 4});
  const SitePolicy policy = ParsePolicy(text, "policy.yaml").value();
  EXPECT_EQ(policy.project, "heart");
  EXPECT_EQ(policy.coordinators, std::vector<std::string>{"hub"});
  EXPECT_EQ(policy.min_cohort, 4);
  EXPECT_EQ(policy.approval, Approval::kAutomatic);
  EXPECT_EQ(policy.tasks.size(), 4u);
  EXPECT_EQ(policy.secure_aggregation, Demand::kOptional);
}

TEST(SitePolicy, WhatIsLeftOutNeverMeansAnything) {
  const std::string sample = SamplePolicy({.project = "heart", .coordinator = "hub"});
  // Without each line of its own: refused with the key's name, or stricter than the sample.
  for (const std::string key :
       {"version", "project", "coordinators", "tasks", "datasets", "architectures", "min_cohort"}) {
    std::string text = sample;
    const std::size_t at = text.find("\n" + key + ":");
    text.erase(at, text.find('\n', at + 1) - at);
    EXPECT_THAT(ParsePolicy(text, "policy.yaml").status().message(), HasSubstr(key)) << key;
  }
  std::string text = sample;
  text.erase(text.find("secure_aggregation"),
             text.find('\n', text.find("secure_aggregation")) - text.find("secure_aggregation"));
  EXPECT_EQ(ParsePolicy(text, "policy.yaml")->secure_aggregation, Demand::kRequired);
}

TEST(SitePolicy, FaultsNameTheLineAndTheKey) {
  const std::string sample = SamplePolicy({.project = "heart", .coordinator = "hub"});
  const auto fault = [&](const std::string& from, const std::string& to) {
    std::string text = sample;
    text.replace(text.find(from), from.size(), to);
    const StatusOr<SitePolicy> policy = ParsePolicy(text, "policy.yaml");
    EXPECT_EQ(policy.code(), StatusCode::kInvalidArgument) << to;
    return policy.ok() ? "" : policy.status().message();
  };
  EXPECT_THAT(fault("min_cohort: 3", "min_cohort: 0"), HasSubstr("min_cohort"));
  EXPECT_THAT(fault("tasks: [train,", "tasks: [explain,"), HasSubstr("tasks"));
  EXPECT_THAT(fault("approval: automatic", "approval: maybe"), HasSubstr("approval"));
  EXPECT_THAT(fault("datasets:", "dataset:"), HasSubstr("datasets"));
  EXPECT_THAT(fault("# until: 2027-06-30", "until: someday"), HasSubstr("until"));
  EXPECT_THAT(fault("# digests: [] ", "digests: [abc] "), HasSubstr("digests"));
  EXPECT_THAT(fault("demand: optional", "demand: required\n  epsilon_max: -1\n #"), HasSubstr("epsilon_max"));
}

TEST(SitePolicy, AStarStandsForAnythingAndNothingElseIsSpecial) {
  for (const char* pattern : {"*", "hippo*", "*campus", "h*c*s", "hippocampus", "**"})
    EXPECT_TRUE(MatchesPattern(pattern, "hippocampus")) << pattern;
  for (const char* pattern : {"", "hippo", "*x*", "hippocampus?", "HIPPO*", "h.*"})
    EXPECT_FALSE(MatchesPattern(pattern, "hippocampus")) << pattern;
  EXPECT_TRUE(MatchesPattern("", ""));
  // Many stars against a text that almost matches: must not take exponential time.
  std::string stars;
  for (int i = 0; i < 30; ++i) stars += "a*";
  EXPECT_FALSE(MatchesPattern(stars + "b", std::string(2000, 'a')));
}

class SignedPolicyTest : public ::testing::Test {
 protected:
  SignedPolicyTest() { Write(SamplePolicy({.project = "heart", .coordinator = "hub"})); }
  void Write(const std::string& text) const {
    CONSILIUM_CHECK(WriteFileAtomic(PolicyFilesIn(scratch_.path()).text, text).ok());
  }
  StatusOr<SignedPolicy> Load() const { return LoadPolicy(scratch_.path(), site_, key_.public_key()); }
  std::string WhyNot(StatusCode code) const {
    const StatusOr<SignedPolicy> loaded = Load();
    EXPECT_EQ(loaded.code(), code) << loaded.status();
    return loaded.status().message();
  }
  consilium::testing::ScratchFolder scratch_;
  const SigningKey key_ = SigningKey::Generate(SystemEntropy()), officer_ = SigningKey::Generate(SystemEntropy());
  const transport::PeerName site_{"heart", transport::Role::kSite, "alpha", {}};
};

TEST_F(SignedPolicyTest, ItCountsOnceItIsSignedAndNotAfterAChange) {
  EXPECT_THAT(WhyNot(StatusCode::kUnauthenticated), HasSubstr("is not signed; read it, then sign it with"));
  ASSERT_TRUE(SignPolicy(scratch_.path(), site_, key_).ok());
  EXPECT_EQ(Load()->signer, "alpha");
  const std::string text = ReadFile(PolicyFilesIn(scratch_.path()).text).value();
  Write(text + "\n");
  EXPECT_THAT(WhyNot(StatusCode::kUnauthenticated), HasSubstr("was changed since it was signed"));
  Write(text);
  EXPECT_TRUE(Load().ok());
  fs::remove(PolicyFilesIn(scratch_.path()).text);
  EXPECT_THAT(WhyNot(StatusCode::kNotFound), HasSubstr("consilium site policy --init"));
}

TEST_F(SignedPolicyTest, AnotherSitesPolicyAndAnotherKeysSignatureDoNotCount) {
  const transport::PeerName beta{"heart", transport::Role::kSite, "beta", {}};
  ASSERT_TRUE(SignPolicy(scratch_.path(), beta, key_).ok());
  EXPECT_THAT(WhyNot(StatusCode::kUnauthenticated), HasSubstr("'beta'"));
  ASSERT_TRUE(SignPolicy(scratch_.path(), site_, officer_).ok());
  WhyNot(StatusCode::kUnauthenticated);
  for (const char* broken : {"", "{}", "[]", "{\"signer\": \"alpha\", \"signature\": \"00\"}"}) {
    ASSERT_TRUE(WriteFileAtomic(PolicyFilesIn(scratch_.path()).signature, broken).ok());
    EXPECT_FALSE(Load().ok()) << broken;
  }
  Write(SamplePolicy({.project = "lung", .coordinator = "hub"}));
  EXPECT_THAT(SignPolicy(scratch_.path(), site_, key_).message(), HasSubstr("the policy is for 'lung'"));
}

TEST_F(SignedPolicyTest, WhereAnOfficerIsNamedTheSitesOwnKeyIsNotEnough) {
  ASSERT_TRUE(SignPolicy(scratch_.path(), site_, key_).ok());
  ASSERT_TRUE(WriteFileAtomic(PolicyFilesIn(scratch_.path()).officer, crypto::PublicKey::Of(officer_).ToPem()).ok());
  EXPECT_THAT(WhyNot(StatusCode::kUnauthenticated), HasSubstr("not by this site's officer"));
  EXPECT_EQ(SignPolicy(scratch_.path(), site_, key_).code(), StatusCode::kPermissionDenied);
  ASSERT_TRUE(SignPolicy(scratch_.path(), site_, officer_).ok());
  EXPECT_EQ(Load()->signer, "officer");
}

TEST(ReleaseLedger, CountsOnDiskAndNeverTheSameTaskTwice) {
  consilium::testing::ScratchFolder scratch;
  const fs::path file = scratch / "releases.jsonl";
  const auto task = [](int round, int attempt, wire::TaskKind kind = wire::TaskKind::kTrain) {
    return wire::TaskKey{JobId("h"), Round{static_cast<std::uint32_t>(round)},
                         Attempt{static_cast<std::uint32_t>(attempt)}, kind};
  };
  {
    const auto ledger = ReleaseLedger::Open(file).value();
    EXPECT_TRUE(ledger->OpensRound("D", task(0, 0)));
    ASSERT_TRUE(ledger->Charge("D", task(0, 0)).ok());
    ASSERT_TRUE(ledger->Charge("D", task(0, 0)).ok());                             // asked again
    ASSERT_TRUE(ledger->Charge("D", task(0, 1)).ok());                             // another attempt: another release
    ASSERT_TRUE(ledger->Charge("D", task(0, 0, wire::TaskKind::kValidate)).ok());  // no training: no round
    ASSERT_TRUE(ledger->Charge("E", task(5, 0)).ok());
  }
  std::ofstream(file, std::ios::app) << "{\"dataset\": \"D\", \"ta";  // a power cut
  const auto ledger = ReleaseLedger::Open(file).value();
  EXPECT_EQ(ledger->Releases("D"), 3);
  EXPECT_EQ(ledger->Rounds("D"), 1);
  EXPECT_EQ(ledger->Rounds("E"), 1);
  EXPECT_FALSE(ledger->OpensRound("D", task(0, 2)));
  ASSERT_TRUE(ledger->Charge("D", task(1, 0)).ok());
  EXPECT_EQ(ReadSpent(file)->at("D").rounds, 2);
  EXPECT_EQ(ReadSpent(file)->at("D").releases, 4);
}

TEST(ReleaseLedger, ALedgerThatSomebodyEditedIsNotGuessedAt) {
  consilium::testing::ScratchFolder scratch;
  ASSERT_TRUE(WriteFileAtomic(scratch / "releases.jsonl", "{\"dataset\": \"D\"}\n").ok());
  EXPECT_EQ(ReleaseLedger::Open(scratch / "releases.jsonl").code(), StatusCode::kDataLoss);
  ASSERT_TRUE(WriteFileAtomic(scratch / "releases.jsonl", "nonsense\n").ok());
  EXPECT_EQ(ReleaseLedger::Open(scratch / "releases.jsonl").code(), StatusCode::kDataLoss);
}

}  // namespace
}  // namespace consilium::policy
