// A coordinator that falls silent in the middle of a secure sum does not find the site's keys where it left them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "privacy/secagg/message_lists.h"
#include "session_stage.h"

namespace consilium::client {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;
using wire::SecureStage;

// Site "a" of three, in a job whose rounds may take ten minutes; it has trained, and its keys are asked for.
class Silence : public ::testing::Test {
 protected:
  Silence() : entropy_(1) {
    SecureParty party{
        .name = SiteName("a"), .signing = crypto::SigningKey::Generate(entropy_), .roster = {}, .entropy = &entropy_};
    party.roster[SiteName("a")] = party.signing.public_key();
    for (const char* other : {"b", "c"})
      party.roster[SiteName(other)] = crypto::SigningKey::Generate(entropy_).public_key();
    SessionOptions options;
    options.secure = std::make_shared<const SecureParty>(std::move(party));
    stage_.emplace(options);
    stage_->Welcome();
    const std::string job =
        R"({"name": "trial", "data": {"dataset": "Dataset001_Toy"}, "model": {"patch_size": [8, 8, 8]},)"
        R"("federation": {"rounds": 2, "mode": "secure", "sites": {"min": 3}, "round_deadline": "600s",)"
        R"("secure_aggregation": {"enabled": true, "min_cohort": 3, "examples_max": 8}}})";
    stage_->Hear(wire::Task{Key(0), job, Blob("model"), 0}).Transferred();
    stage_->Step(WorkerFinished{Key(0), 5, {{"loss", 0.5}}, Blob("update"), 4});
    Ask(SecureStage::kKeys, 1);
    EXPECT_THAT(stage_->TakeAllLines(), HasSubstr("secure_session"));
  }

  void Ask(SecureStage stage, std::uint32_t session) {
    const std::vector<SiteName> names = {SiteName("a"), SiteName("b"), SiteName("c")};
    stage_->Hear(wire::SecureRequest{Key(0), session, stage,
                                     stage == SecureStage::kKeys ? secagg::EncodeNames(names) : Bytes()});
  }

  SeededEntropy entropy_;
  std::optional<SessionStage> stage_;
};

TEST_F(Silence, OfTwiceTheRoundsDeadlineEndsTheSessionAndIsNotedForTheAudit) {
  stage_->Advance(minutes(20) - seconds(5));
  EXPECT_THAT(stage_->TakeAllLines(), Not(HasSubstr("secure_refused")));
  EXPECT_EQ(stage_->machine().LiveFiles().count(MaskedFile(Key(0), 1)), 1u);
  stage_->Advance(seconds(10));
  const std::string lines = stage_->TakeAllLines();
  EXPECT_THAT(lines, HasSubstr("report secure_refused"));
  EXPECT_THAT(lines,
              HasSubstr("the coordinator asked nothing for 20m: the session is given up and its keys are wiped"));
  EXPECT_THAT(lines, HasSubstr("send SecureAnswer")) << "it is ready for another session";
  EXPECT_EQ(stage_->machine().LiveFiles().count(MaskedFile(Key(0), 1)), 0u);
  EXPECT_NE(stage_->machine().state().Find(Key(0)), nullptr) << "what was trained stays";
  stage_->Advance(minutes(60));
  EXPECT_THAT(stage_->TakeAllLines(), Not(HasSubstr("secure_refused"))) << "once";
}

TEST_F(Silence, MakesLaterQuestionsOfThatSessionRefusedByNameAndANewSessionWelcome) {
  stage_->Lose();  // the coordinator's machine is gone
  stage_->Advance(minutes(21));
  EXPECT_THAT(stage_->TakeAllLines(), HasSubstr("its keys are wiped"));
  stage_->Welcome().TakeAllLines();
  Ask(SecureStage::kShares, 1);
  std::string lines = stage_->TakeAllLines();
  EXPECT_THAT(lines, HasSubstr("the coordinator asks for 'shares' of a session that this site has given up"));
  EXPECT_THAT(lines, Not(HasSubstr("TaskFailed"))) << "what was trained can still be summed";
  Ask(SecureStage::kKeys, 2);
  lines = stage_->TakeAllLines();
  EXPECT_THAT(lines, HasSubstr("report secure_session"));
  EXPECT_THAT(lines, Not(HasSubstr("secure_refused")));
}

TEST_F(Silence, IsNotBrokenByTheSameQuestionAgain) {
  for (int minute = 0; minute < 19; ++minute) {
    stage_->Advance(minutes(1));
    Ask(SecureStage::kKeys, 1);
  }
  EXPECT_THAT(stage_->TakeAllLines(), Not(HasSubstr("secure_refused")));
  stage_->Advance(minutes(2));
  EXPECT_THAT(stage_->TakeAllLines(), HasSubstr("its keys are wiped"));
}

TEST_F(Silence, LimitSurvivesARestartWithTheUpdateItIsFor) {
  stage_->Restart().Welcome();
  Ask(SecureStage::kKeys, 2);
  stage_->TakeAllLines();
  stage_->Advance(minutes(20) + seconds(5));
  EXPECT_THAT(stage_->TakeAllLines(), HasSubstr("the coordinator asked nothing for 20m"));
}

}  // namespace
}  // namespace consilium::client
