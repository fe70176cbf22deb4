// The beacon of a large sum, at the coordinator: sites are played by the test, which holds their keys.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "privacy/secagg/beacon_part.h"
#include "privacy/secagg/neighbours.h"
#include "stage.h"

namespace consilium::coordinator {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;
using wire::SecureStage;

class LargeSum : public ::testing::Test {
 protected:
  static constexpr int kSites = 66;

  LargeSum() {
    SeededEntropy entropy(1);
    options_ = {.mode = "secure", .rounds = 1, .sites_min = 3, .sites = {}};
    options_.more = R"(, "secure_aggregation": {"enabled": true, "min_cohort": 3})";
    SecureSetting secure{.elements = 4, .roster = {}};
    for (int i = 100; i < 100 + kSites; ++i) {
      const std::string name = Concat("s", i);
      options_.sites.push_back(name);
      keys_.emplace(name, crypto::SigningKey::Generate(entropy));
      secure.roster[SiteName(name)] = keys_.at(name).public_key();
    }
    stage_.emplace(options_, secure);
    ConnectAll();
  }

  void ConnectAll() {
    for (const std::string& name : options_.sites) stage_->Connect(name);
    stage_->TakeLines();
    for (const std::string& name : options_.sites) Ready(name);
  }
  void Ready(const std::string& name) { stage_->Say(name, wire::SecureAnswer{.task = Train(0)}); }
  secagg::BeaconNonce NonceOf(const std::string& name) const {
    secagg::BeaconNonce nonce{};
    std::copy_n(name.begin(), name.size(), nonce.begin());
    return nonce;
  }
  // Answers what the site was asked last.
  void Answer(const std::string& name) {
    const wire::SecureRequest& question = stage_->Asked(name);
    wire::SecureAnswer answer{.task = question.task, .session = question.session, .stage = question.stage};
    const secagg::BeaconNotice notice = secagg::DecodeBeaconNotice(question.body).value();
    secagg::BeaconTerms terms{
        .job = JobId("trial"), .attempt = question.session, .configuration = Sha256Of(stage_->state().job_json())};
    for (const SiteName& site : notice.sites) terms.sites.push_back({site, keys_.at(site.value()).public_key()});
    answer.body =
        question.stage == SecureStage::kCommit
            ? secagg::Encode(secagg::CommitTo(ContextOf(terms), SiteName(name), NonceOf(name), keys_.at(name)))
            : secagg::Encode(NonceOf(name));
    stage_->Say(name, answer);
  }
  void AnswerAllBut(const std::string& silent) {
    for (const std::string& name : options_.sites)
      if (name != silent) Answer(name);
  }
  const JobState& state() const { return stage_->state(); }

  JobOptions options_;
  std::map<std::string, crypto::SigningKey> keys_;
  std::optional<Stage> stage_;
};

TEST_F(LargeSum, BeginsOnceAllHaveCommittedAndRevealed) {
  EXPECT_EQ(state().beacons_opened(), 1u);
  EXPECT_EQ(stage_->Asked("s100").stage, SecureStage::kCommit);
  AnswerAllBut("s165");
  EXPECT_EQ(stage_->Asked("s100").stage, SecureStage::kCommit) << "no commitment is told before all are there";
  Answer("s165");
  EXPECT_EQ(stage_->Asked("s100").stage, SecureStage::kReveal);
  AnswerAllBut("s165");
  EXPECT_FALSE(state().beacon());
  stage_->TakeLines();
  Answer("s165");
  ASSERT_TRUE(state().beacon());
  EXPECT_EQ(state().beacon()->sites.size(), 66u);
  EXPECT_EQ(state().sessions_opened(), 1u);
  const std::string lines = stage_->TakeLines();
  EXPECT_LT(lines.find("persist BeaconAgreed"), lines.find("persist SecureSessionOpened"));
  // Each site is told the beacon before it is asked for keys.
  EXPECT_LT(lines.find("send s133 SecureRequest beacon 1"), lines.find("send s133 SecureRequest keys 1"));
  EXPECT_NE(lines.find("send s133 SecureRequest beacon 1"), std::string::npos);
}

TEST_F(LargeSum, SaysForWhatItWaits) {
  const std::vector<Wait> waits = stage_->machine().waiting(stage_->now());
  ASSERT_EQ(waits.size(), 66u);
  EXPECT_EQ(waits.front().what, "its answer 'commit' for beacon 1, from which the sum is drawn");
  EXPECT_EQ(waits.front().then, "the others begin another beacon without it");
  AnswerAllBut("s110");
  ASSERT_EQ(stage_->machine().waiting(stage_->now()).size(), 1u);
  EXPECT_EQ(stage_->machine().waiting(stage_->now()).front().who, "s110");
}

TEST_F(LargeSum, BeginsAnotherBeaconWithoutASiteThatDoesNotAnswer) {
  for (const SecureStage stage : {SecureStage::kCommit, SecureStage::kReveal}) {
    ASSERT_EQ(stage_->Asked("s100").stage, stage);
    const std::uint32_t before = state().beacons_opened();
    AnswerAllBut("s120");
    stage_->TakeLines();
    stage_->Advance(seconds(26));  // a quarter of the round's deadline
    std::string lines = stage_->TakeLines();
    EXPECT_THAT(lines, HasSubstr("all who commit have to reveal; gone: s120"));
    EXPECT_THAT(lines, HasSubstr("send s120 SecureRequest abort")) << "so that it says that it is ready again";
    Ready("s120");
    EXPECT_EQ(state().beacons_opened(), before + 1);
    if (stage == SecureStage::kCommit) AnswerAllBut("nobody");
  }
  EXPECT_FALSE(state().beacon());
}

TEST_F(LargeSum, DoesNotWaitForASiteThatIsGone) {
  stage_->Disconnect("s120");
  AnswerAllBut("s120");
  stage_->Advance(seconds(26));
  EXPECT_THAT(stage_->TakeLines(), HasSubstr("beacon_aborted"));
  stage_->Advance(seconds(26));
  EXPECT_EQ(state().beacons_opened(), 2u);
  EXPECT_EQ(secagg::DecodeBeaconNotice(stage_->Asked("s100").body)->sites.size(), 65u);
}

TEST_F(LargeSum, ASiteThatComesBackIsAskedAgainAndNothingIsLost) {
  AnswerAllBut("s120");
  stage_->Disconnect("s120");
  stage_->Advance(seconds(5));
  stage_->TakeLines();
  stage_->Connect("s120");
  EXPECT_THAT(stage_->TakeLines(), HasSubstr("send s120 SecureRequest commit 1"));
  Answer("s120");
  Answer("s120");  // twice: ignored
  EXPECT_EQ(stage_->Asked("s100").stage, SecureStage::kReveal);
  EXPECT_EQ(state().beacons_opened(), 1u);
}

TEST_F(LargeSum, NamesTheSiteWhoseCommitmentOrNonceIsNotItsOwn) {
  keys_.at("s120") = keys_.at("s121");
  Answer("s120");
  EXPECT_THAT(stage_->TakeLines(), HasSubstr("the commitment of 's120' is not signed by it for this beacon"));
  EXPECT_EQ(state().cohort().at(SiteName("s120")).failures, 1u);
}

TEST_F(LargeSum, KeepsAnAgreedBeaconOverARestartForTheSameSites) {
  AnswerAllBut("nobody");
  AnswerAllBut("nobody");
  const auto beacon = state().beacon();
  ASSERT_TRUE(beacon);
  stage_->Restart();
  EXPECT_EQ(state().beacon(), beacon);
  ConnectAll();
  EXPECT_EQ(state().beacons_opened(), 1u);
  EXPECT_EQ(state().sessions_opened(), 2u);
  EXPECT_EQ(stage_->Asked("s100").stage, SecureStage::kKeys);
}

TEST_F(LargeSum, AsksAnewAfterARestartBeforeOrWithOtherSites) {
  AnswerAllBut("nobody");  // committed
  stage_->Restart();
  ConnectAll();
  EXPECT_EQ(state().beacons_opened(), 2u);
  AnswerAllBut("nobody");
  AnswerAllBut("nobody");
  ASSERT_TRUE(state().beacon());
  stage_->Restart();
  options_.sites.pop_back();  // it does not come back
  ConnectAll();
  stage_->Advance(seconds(101));
  EXPECT_EQ(state().beacons_opened(), 3u);
  EXPECT_FALSE(state().beacon()) << "of the sites that are there no beacon was made";
}

TEST_F(LargeSum, IsNotAskedOfASiteWhoseSoftwareKnowsNoBeacon) {
  wire::Capability old = AbleSite();
  old.features.erase(wire::kBeaconFeature);
  stage_->Disconnect("s120");
  stage_->TakeLines();
  stage_->Connect("s120", old);
  EXPECT_THAT(stage_->TakeLines(), HasSubstr("lacks beacon"));
}

TEST(SmallSum, NeedsNoBeacon) {
  wire::SecureSpec secure{.enabled = true};
  EXPECT_FALSE(wire::NeedsBeacon(secure, secagg::kCompleteMax));
  EXPECT_TRUE(wire::NeedsBeacon(secure, secagg::kCompleteMax + 1));
  secure.enabled = false;
  EXPECT_FALSE(wire::NeedsBeacon(secure, 1000));
}

TEST(JobOfManySites, IsOpenedUpToAThousand) {
  JobOptions options{.mode = "secure", .sites_min = 3, .sites = {}};
  options.more = R"(, "secure_aggregation": {"enabled": true, "min_cohort": 3})";
  for (int i = 1000; i < 2000; ++i) options.sites.push_back(Concat("s", i));
  EXPECT_TRUE(JobMachine::Open(MakeJob(options)).ok());
  options.sites.push_back("s2000");
  EXPECT_THAT(JobMachine::Open(MakeJob(options)).status().message(), HasSubstr("at most 1000 sites, and 1001"));
}

}  // namespace
}  // namespace consilium::coordinator
