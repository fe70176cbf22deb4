// The site's policy is asked before anything of a task is done.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "session_stage.h"

namespace consilium::client {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using Kind = SiteAnswer::Kind;

const SessionOptions kAsking{.consent = SessionOptions::Consent::kAsk};

wire::TaskKey Of(const std::string& job, int round) {
  return {JobId(job), Round{static_cast<std::uint32_t>(round)}, Attempt{}, wire::TaskKind::kTrain};
}

TEST(SessionConsent, NothingOfATaskIsDoneBeforeTheSiteSaysYes) {
  SessionStage stage(kAsking);
  stage.Welcome().Task(Key(0));
  EXPECT_EQ(stage.TakeLines(), "dial\nask trial/round 0.0\n");
  stage.Lose().Welcome().Task(Key(0)).TakeLines();
  EXPECT_EQ(stage.TakeLines(), "") << "a new connection fetches nothing either";
  stage.Step(SiteAnswer{Key(0), Kind::kYes, ""});
  EXPECT_EQ(stage.TakeLines(), "fetch trial/round 0.0\n");
}

TEST(SessionConsent, ANoIsRememberedAndSaidAndTheNextTaskIsAskedAbout) {
  SessionStage stage(kAsking);
  stage.Welcome().Task(Of("heart", 0)).Task(Of("lung", 0)).TakeLines();
  stage.Step(SiteAnswer{Of("heart", 0), Kind::kNo, "refused by site policy [job_not_allowed]: heart"});
  EXPECT_EQ(stage.TakeLines(),
            "persist 1 outcomes\nsend TaskFailed heart/round 0.0 'refused by site policy [job_not_allowed]: heart'\n"
            "ask lung/round 0.0\n");
  EXPECT_EQ(std::get<GaveUp>(stage.persisted().outcomes().front().result).code, StatusCode::kPermissionDenied);
}

TEST(SessionConsent, WhatWaitsForAPersonIsAskedAgainAndTheHeartbeatSaysSo) {
  SessionStage stage(kAsking);
  stage.Welcome().Task(Key(0)).TakeLines();
  stage.Step(SiteAnswer{Key(0), Kind::kNotYet, "waits [not_approved]: a person has to say yes"});
  EXPECT_EQ(stage.last_beat().trouble, "waits [not_approved]: a person has to say yes");
  EXPECT_EQ(stage.last_beat().task, Key(0));
  stage.TakeLines();
  stage.Advance(seconds(3));
  EXPECT_EQ(stage.TakeLines(), "ask trial/round 0.0\n");
  stage.Step(SiteAnswer{Key(0), Kind::kYes, ""});
  EXPECT_EQ(stage.TakeLines(), "fetch trial/round 0.0\n");
  EXPECT_EQ(stage.machine().LiveBlobs().size(), 1u);
}

TEST(SessionConsent, AJobThatWaitsDoesNotHoldUpAnother) {
  SessionStage stage(kAsking);
  stage.Welcome().Task(Of("heart", 0)).Task(Of("lung", 0)).TakeLines();
  stage.Step(SiteAnswer{Of("heart", 0), Kind::kNotYet, "waits"});
  stage.Advance(seconds(3));
  EXPECT_EQ(stage.TakeLines(), "ask lung/round 0.0\n");
  stage.Step(SiteAnswer{Of("lung", 0), Kind::kYes, ""}).Transferred().Trained(Of("lung", 0));
  EXPECT_THAT(stage.TakeLines(), HasSubstr("ask heart/round 0.0\n"));
}

TEST(SessionConsent, TwoThatWaitTakeTurnsAndNeverSpin) {
  SessionStage stage(kAsking);
  stage.Welcome().Task(Of("heart", 0)).Task(Of("lung", 0)).TakeLines();
  stage.Step(SiteAnswer{Of("heart", 0), Kind::kNotYet, "waits"});
  EXPECT_EQ(stage.TakeLines(), "") << "the other one is asked about after a pause";
  stage.Advance(seconds(3)).Step(SiteAnswer{Of("lung", 0), Kind::kNotYet, "waits"});
  stage.Advance(seconds(3));
  EXPECT_EQ(stage.TakeLines(), "ask lung/round 0.0\nask heart/round 0.0\n");
}

TEST(SessionConsent, AnAnswerThatCameTooLateIsIgnored) {
  SessionStage stage(kAsking);
  stage.Welcome().Task(Key(0)).Hear(wire::StandDown{Key(0), "closed"}).TakeLines();
  stage.Step(SiteAnswer{Key(0), Kind::kYes, ""});
  EXPECT_EQ(stage.TakeLines(), "");
  stage.Task(Key(1)).Step(SiteAnswer{Key(1), Kind::kYes, ""}).TakeLines();
  stage.Step(SiteAnswer{Key(1), Kind::kNo, "too late"});
  EXPECT_EQ(stage.TakeLines(), "");
}

}  // namespace
}  // namespace consilium::client
