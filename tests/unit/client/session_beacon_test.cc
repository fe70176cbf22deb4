// A site's part in a beacon: remembered over a restart before it is said, and refused where a coordinator bends it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "privacy/secagg/message_lists.h"
#include "session_stage.h"

namespace consilium::client {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using wire::SecureStage;

// Site "a" has trained; b and c are played by the test, and the coordinator between them.
class SiteOfABeacon : public ::testing::Test {
 protected:
  SiteOfABeacon() : entropy_(1) {
    const char* const names[] = {"a", "b", "c"};
    SecureParty party{
        .name = SiteName("a"), .signing = crypto::SigningKey::Generate(entropy_), .roster = {}, .entropy = &entropy_};
    keys_.push_back(party.signing);
    for (int i = 0; i < 2; ++i) keys_.push_back(crypto::SigningKey::Generate(entropy_));
    for (int i = 0; i < 3; ++i) party.roster[SiteName(names[i])] = keys_[i].public_key();
    SessionOptions options;
    options.secure = std::make_shared<const SecureParty>(std::move(party));
    stage_.emplace(options);
    stage_->Welcome();
    stage_->Hear(wire::Task{Key(0), kJob, Blob("model"), 0}).Transferred();
    stage_->Step(WorkerFinished{Key(0), 5, {{"loss", 0.5}}, Blob("update"), 4});
    stage_->TakeAllLines();
    terms_ = {.job = JobId("trial"), .round = Round{0}, .attempt = 1, .configuration = Sha256Of(kJob)};
    for (int i = 0; i < 3; ++i) terms_.sites.push_back({SiteName(names[i]), keys_[i].public_key()});
    notice_.sites = {SiteName("a"), SiteName("b"), SiteName("c")};
  }

  // What the site says to it, all lines.
  std::string Ask(SecureStage stage) {
    secagg::BeaconNotice told = notice_;
    if (stage == SecureStage::kCommit) told.commitments.clear();
    if (stage != SecureStage::kBeacon) told.nonces.clear();
    stage_->Hear(wire::SecureRequest{Key(0), terms_.attempt, stage, secagg::Encode(told)});
    return stage_->TakeAllLines();
  }
  // The site has committed, and the others too.
  void Commit() {
    ASSERT_THAT(Ask(SecureStage::kCommit), HasSubstr("send SecureAnswer"));
    const Digest context = ContextOf(terms_);
    notice_.nonces = {Part().nonce, {2}, {3}};
    notice_.commitments.clear();
    for (std::size_t i = 0; i < 3; ++i)
      notice_.commitments.push_back(secagg::CommitTo(context, terms_.sites[i].name, notice_.nonces[i], keys_[i]));
  }
  secagg::BeaconPart Part() const { return stage_->persisted().BeaconPartOf(JobId("trial")).value(); }
  const SecureWork& Work() const { return *std::get<Trained>(stage_->persisted().Find(Key(0))->result).secure; }

  static constexpr char kJob[] =
      R"({"name": "trial", "data": {"dataset": "Dataset001_Toy"}, "model": {"patch_size": [8, 8, 8]},)"
      R"("federation": {"rounds": 2, "mode": "secure", "sites": {"min": 3}, "round_deadline": "600s",)"
      R"("secure_aggregation": {"enabled": true, "min_cohort": 3, "examples_max": 8}}})";
  SeededEntropy entropy_;
  std::vector<crypto::SigningKey> keys_;
  std::optional<SessionStage> stage_;
  secagg::BeaconTerms terms_;
  secagg::BeaconNotice notice_;
};

TEST_F(SiteOfABeacon, KeepsWhatAllNoncesGiveWithItsUpdate) {
  Commit();
  EXPECT_THAT(Ask(SecureStage::kReveal), HasSubstr("send SecureAnswer"));
  EXPECT_THAT(Ask(SecureStage::kBeacon), Not(HasSubstr("send"))) << "nothing is to be answered";
  EXPECT_EQ(Work().beacon, BeaconOf(terms_, notice_.commitments, notice_.nonces).value());
}

TEST_F(SiteOfABeacon, SaysItsCommitmentAndItsNonceOnlyOnceTheyAreRemembered) {
  for (const SecureStage stage : {SecureStage::kCommit, SecureStage::kReveal}) {
    const std::string lines = Ask(stage);
    EXPECT_LT(lines.find("persist"), lines.find("send SecureAnswer")) << lines;
    if (stage == SecureStage::kCommit) Commit();
  }
}

TEST_F(SiteOfABeacon, GoesOnAfterARestartAtAnyStageWithTheSameNonce) {
  Commit();
  const secagg::BeaconPart committed = Part();
  stage_->Restart().Welcome().TakeAllLines();
  EXPECT_THAT(Ask(SecureStage::kCommit), HasSubstr("send SecureAnswer")) << "said again";
  EXPECT_EQ(Part(), committed);
  EXPECT_THAT(Ask(SecureStage::kReveal), HasSubstr("send SecureAnswer"));
  const secagg::BeaconPart revealed = Part();
  EXPECT_EQ(revealed.nonce, committed.nonce);
  EXPECT_EQ(revealed.revealed, 1u);
  stage_->Restart().Welcome().TakeAllLines();
  EXPECT_THAT(Ask(SecureStage::kReveal), HasSubstr("send SecureAnswer"));
  EXPECT_EQ(Part(), revealed) << "counted once";
  stage_->Restart().Welcome().TakeAllLines();
  Ask(SecureStage::kBeacon);
  EXPECT_TRUE(Work().beacon.has_value());
  stage_->Restart();
  EXPECT_TRUE(Work().beacon.has_value());
  EXPECT_EQ(SessionState::FromJson(stage_->persisted().ToJson()).value(), stage_->persisted());
}

TEST_F(SiteOfABeacon, CountsItsTriesOverRestartsAndTheJobsEnd) {
  for (std::uint32_t attempt = 1; attempt <= secagg::kBeaconTriesMax; ++attempt) {
    terms_.attempt = attempt;
    Commit();
    ASSERT_THAT(Ask(SecureStage::kReveal), HasSubstr("send SecureAnswer")) << attempt;
    stage_->Restart().Welcome().TakeAllLines();
  }
  terms_.attempt = secagg::kBeaconTriesMax + 1;
  const std::string lines = Ask(SecureStage::kCommit);
  EXPECT_THAT(lines, HasSubstr("report secure_refused"));
  EXPECT_THAT(lines, HasSubstr("this site has said 8 nonces for a beacon of round 0"));
  EXPECT_THAT(lines, HasSubstr("send TaskFailed"));
  stage_->Hear(wire::JobEnded{JobId("trial"), StatusCode::kOk, ""});
  EXPECT_EQ(Part().revealed, secagg::kBeaconTriesMax);
}

TEST_F(SiteOfABeacon, IgnoresWhatAnOlderAttemptAsks) {
  terms_.attempt = 2;
  Commit();
  terms_.attempt = 1;
  const std::string lines = Ask(SecureStage::kReveal);
  EXPECT_THAT(lines, HasSubstr("secure_question_ignored"));
  EXPECT_THAT(lines, Not(HasSubstr("send")));
}

TEST_F(SiteOfABeacon, DoesNotAnswerForABeaconThatItHasNoPartInAndKeepsItsUpdate) {
  Commit();
  terms_.attempt = 5;  // it has not committed to
  std::string lines = Ask(SecureStage::kReveal);
  EXPECT_THAT(lines, HasSubstr("report secure_refused"));
  EXPECT_THAT(lines, HasSubstr("has not committed to"));
  EXPECT_THAT(lines, Not(HasSubstr("send")));
  lines = Ask(SecureStage::kCommit);
  EXPECT_THAT(lines, HasSubstr("send SecureAnswer")) << "it answers the next attempt";
}

TEST_F(SiteOfABeacon, SaysNoNonceForAListThatItsRosterOrConfigurationDoesNotBear) {
  Commit();
  terms_.configuration = Sha256Of("another job");
  const Digest context = ContextOf(terms_);
  for (std::size_t i = 1; i < 3; ++i)
    notice_.commitments[i] = secagg::CommitTo(context, terms_.sites[i].name, notice_.nonces[i], keys_[i]);
  const std::string lines = Ask(SecureStage::kReveal);
  EXPECT_THAT(lines, HasSubstr("the commitment of 'b' is not signed by it for this beacon"));
  EXPECT_EQ(Part().revealed, 0u);
}

TEST_F(SiteOfABeacon, RefusesStrangers) {
  notice_.sites.emplace_back("sybil");
  EXPECT_THAT(Ask(SecureStage::kCommit), HasSubstr("'sybil' among the sites, who is not in this site's roster"));
  EXPECT_FALSE(stage_->persisted().BeaconPartOf(JobId("trial")).has_value());
}

TEST_F(SiteOfABeacon, RefusesABodyThatIsNone) {
  stage_->Hear(wire::SecureRequest{Key(0), 1, SecureStage::kCommit, {1, 2, 3}});
  EXPECT_THAT(stage_->TakeAllLines(), HasSubstr("report secure_refused"));
}

TEST_F(SiteOfABeacon, RefusesANonceThatWasNotCommittedTo) {
  Commit();
  Ask(SecureStage::kReveal);
  notice_.nonces[1][5] ^= 1;
  EXPECT_THAT(Ask(SecureStage::kBeacon), HasSubstr("the nonce of 'b' is not the one that it committed to"));
}

// --- what a large sum asks of it

class SiteOfALargeSum : public ::testing::Test {
 protected:
  SiteOfALargeSum() : entropy_(2) {
    for (int i = 100; i < 170; ++i) names_.emplace_back(Concat("site-", i));
    const crypto::SigningKey signing = crypto::SigningKey::Generate(entropy_);
    party_.emplace(SecureParty{.name = names_[0], .signing = signing, .roster = {}, .entropy = &entropy_});
    for (const SiteName& name : names_)
      party_->roster[name] =
          name == names_[0] ? signing.public_key() : crypto::SigningKey::Generate(entropy_).public_key();
    work_ = {.model = Sha256Of("model"), .configuration = Sha256Of("job"), .elements = 4};
    work_.beacon = secagg::Beacon{names_, Sha256Of("beacon")};
  }
  StatusOr<SecureSite> Open(const std::vector<SiteName>& names) {
    return SecureSite::Open(
        *party_, work_,
        {.task = Key(0), .session = 1, .stage = SecureStage::kKeys, .body = secagg::EncodeNames(names)});
  }
  SeededEntropy entropy_;
  std::vector<SiteName> names_;
  std::optional<SecureParty> party_;
  SecureWork work_;
};

TEST_F(SiteOfALargeSum, TakesPartWithABeaconOfExactlyItsSites) {
  EXPECT_TRUE(Open(names_).ok()) << Open(names_).status();
  work_.beacon.reset();
  EXPECT_THAT(Open(names_).status().message(), HasSubstr("no beacon was agreed on to draw its graph"));
  EXPECT_EQ(Open(names_).status().code(), StatusCode::kPermissionDenied);
}

TEST_F(SiteOfALargeSum, RefusesOneSiteLessOrMoreThanTheBeaconHas) {
  std::vector<SiteName> fewer(names_.begin(), names_.end() - 1);
  EXPECT_THAT(Open(fewer).status().message(), HasSubstr("69 sites that are not exactly the 70 of the beacon"));
  work_.beacon->sites = fewer;
  EXPECT_THAT(Open(names_).status().message(), HasSubstr("70 sites that are not exactly the 69 of the beacon"));
}

TEST_F(SiteOfALargeSum, NeedsNoBeaconForSixtyFour) {
  work_.beacon.reset();
  EXPECT_TRUE(Open({names_.begin(), names_.begin() + 64}).ok());
}

}  // namespace
}  // namespace consilium::client
