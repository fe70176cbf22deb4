// Several jobs at one site, what its heartbeats tell, and a strategy's auxiliary state.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "session_stage.h"

namespace consilium::client {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

wire::TaskKey Of(const std::string& job, int round) {
  return {JobId(job), Round{static_cast<std::uint32_t>(round)}, Attempt{}, wire::TaskKind::kTrain};
}

TEST(SessionJobs, TasksOfTwoJobsAreDoneInTurnAndNeitherWaitsForTwoOfTheOther) {
  SessionStage stage;
  stage.Welcome().Task(Of("heart", 0)).Task(Of("lung", 0)).Transferred();
  EXPECT_EQ(stage.TakeLines(), "dial\nfetch heart/round 0.0\nrun heart/round 0.0 from state ''\n");
  stage.Trained(Of("heart", 0));
  EXPECT_THAT(stage.TakeLines(), HasSubstr("fetch lung/round 0.0\n")) << "while heart's update is delivered";
  stage.Hear(wire::Receipt{Of("heart", 0)}).Task(Of("heart", 1)).TakeLines();
  stage.Transferred().Trained(Of("lung", 0));
  EXPECT_THAT(stage.TakeLines(), HasSubstr("fetch heart/round 1.0\n"));
}

TEST(SessionJobs, ANewerTaskOfTheSameJobTakesThePlaceOfTheOneInHandAndOfTheOneThatWaits) {
  SessionStage stage;
  stage.Welcome().Task(Of("heart", 0)).Transferred().Task(Of("lung", 0)).Task(Of("lung", 1)).TakeLines();
  stage.Task(Of("heart", 1));
  EXPECT_EQ(stage.TakeLines(), "cancel heart/round 0.0\n");
  stage.Step(WorkerRefused{Of("heart", 0), StatusCode::kCancelled, "stopped"});
  EXPECT_EQ(stage.TakeLines(), "fetch lung/round 1.0\n") << "lung came first; its round 0 is no longer wanted";
}

TEST(SessionJobs, TheEndOfOneJobLeavesTheOtherAlone) {
  SessionStage stage({.when_done = SessionOptions::WhenDone::kExit});
  stage.Welcome().Task(Of("heart", 0)).Transferred().Task(Of("lung", 0)).TakeLines();
  stage.Hear(wire::JobEnded{JobId("lung")});
  EXPECT_FALSE(stage.finished()) << "heart is still at work";
  EXPECT_EQ(stage.TakeLines(), "persist 0 outcomes\n");
  stage.Hear(wire::JobEnded{JobId("heart")});
  EXPECT_TRUE(stage.finished());
}

TEST(SessionJobs, HeartbeatsGoOnWhileASiteTrainsAndNameWhatIsInHandAndWhatWaits) {
  SessionStage stage;
  stage.Welcome().Task(Of("heart", 0)).Transferred().Task(Of("lung", 4)).TakeAllLines();
  stage.Step(WorkerProgressed{Of("heart", 0), 0.25, {{"loss", 0.5}}}).Advance(seconds(30));
  const std::string lines = stage.TakeAllLines();
  std::size_t beats = 0;
  for (std::size_t at = 0; (at = lines.find("send Heartbeat training", at)) != std::string::npos; ++at) ++beats;
  EXPECT_EQ(beats, 10u) << "one every 3 s";
  EXPECT_EQ(stage.last_beat().task, Of("heart", 0));
  EXPECT_EQ(stage.last_beat().progress, 0.25);
  EXPECT_EQ(stage.last_beat().waiting, std::vector<wire::TaskKey>{Of("lung", 4)});
}

TEST(SessionJobs, ATrainersDeathIsInTheNextHeartbeatWithItsLastWords) {
  SessionStage stage;
  stage.Welcome().Task(Key(0)).Transferred().TakeLines();
  stage.Step(WorkerDied{Key(0), "killed by signal 11; its last words: out of range"});
  EXPECT_EQ(stage.last_beat().trouble, "the trainer died: killed by signal 11; its last words: out of range");
}

TEST(SessionJobs, HeartbeatsTellHowFastTheLastTransfersWere) {
  SessionStage stage;
  stage.Welcome().Task(Key(0)).Advance(seconds(2)).Transferred(Unavailable("cut"), 3'000'000).Advance(seconds(2));
  EXPECT_DOUBLE_EQ(stage.last_beat().download_bytes_per_second, 1.5e6);
  // The rest of it: what was there already does not count.
  stage.Transferred(Status(), 800'000);
  EXPECT_DOUBLE_EQ(stage.last_beat().download_bytes_per_second, 0.8e6);
}

TEST(SessionJobs, AuxiliaryStateIsFetchedAfterTheModelAndHandedToTheTrainer) {
  SessionStage stage;
  const wire::BlobManifest auxiliary = Blob("control variate");
  stage.Welcome().Hear(wire::Task{Key(0), "{}", Blob("model"), 0, auxiliary}).TakeLines();
  EXPECT_EQ(stage.machine().LiveBlobs(), (std::set<Digest>{Blob("model").digest, auxiliary.digest}));
  stage.Transferred();
  EXPECT_EQ(stage.TakeLines(), "fetch trial/round 0.0\n");
  stage.Lose().Advance(seconds(1)).Welcome();
  EXPECT_THAT(stage.TakeLines(), HasSubstr("fetch trial/round 0.0\n")) << "what was there is not fetched again";
  stage.Transferred();
  EXPECT_EQ(stage.TakeLines(), "run trial/round 0.0 from state ''\n");
  EXPECT_EQ(stage.last_run()->auxiliary, auxiliary.digest);
}

TEST(SessionJobs, ATaskOfAnotherSitesModelIsAnotherTask) {
  SessionStage stage;
  wire::TaskKey global = Key(2, 0, wire::TaskKind::kValidate), other = global;
  other.subject = "hospital-b";
  stage.Welcome().Task(global).Transferred().Step(WorkerFinished{global, 1, {{"dice", 0.5}}, {}}).TakeLines();
  stage.Hear(wire::Receipt{global}).Task(other).Transferred();
  EXPECT_THAT(stage.TakeLines(), HasSubstr("run trial/validation after round 2.0 of hospital-b"));
}

}  // namespace
}  // namespace consilium::client
