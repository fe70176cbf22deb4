#include "client/core/session_machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "session_stage.h"

namespace consilium::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(SessionMachine, ATaskIsFetchedTrainedRememberedUploadedAndSaidInThatOrder) {
  SessionStage stage;
  stage.Welcome().Task(Key(0)).Transferred();
  EXPECT_EQ(stage.TakeLines(), "dial\nfetch trial/round 0.0\nrun trial/round 0.0 from state ''\n");
  stage.Trained(Key(0));
  EXPECT_EQ(stage.TakeLines(), "persist 1 outcomes\nupload trial/round 0.0 trial/update-0.0.safetensors\n");
  stage.Transferred();
  EXPECT_EQ(stage.TakeLines(), "send UpdateReady trial/round 0.0\n");
  stage.Hear(wire::Receipt{Key(0)});
  EXPECT_EQ(stage.TakeLines(), "persist 0 outcomes\n");
  EXPECT_EQ(stage.machine().LiveFiles(), std::set<std::string>{"trial/state-0.0.safetensors"});
}

TEST(SessionMachine, EachRoundStartsFromTheStateOfTheOneBefore) {
  SessionStage stage;
  stage.Welcome();
  const auto run = [&](const wire::TaskKey& task) {
    stage.Task(task).TakeLines();
    stage.Transferred();
    const std::string line = stage.TakeLines();
    stage.Trained(task).Transferred();
    return line;
  };
  EXPECT_THAT(run(Key(0)), HasSubstr("from state ''"));
  stage.Hear(wire::Receipt{Key(0)});
  EXPECT_THAT(run(Key(1)), HasSubstr("from state 'trial/state-0.0.safetensors'"));
  stage.Hear(wire::Receipt{Key(1), wire::DropReason::kBadUpdate, "NaN"});
  EXPECT_THAT(run(Key(1, 1)), HasSubstr("from state 'trial/state-0.0.safetensors'")) << "the round is done again";
  stage.Hear(wire::Receipt{Key(1, 1)});
  EXPECT_EQ(stage.machine().LiveFiles(),
            (std::set<std::string>{"trial/state-0.0.safetensors", "trial/state-1.1.safetensors"}));
  EXPECT_THAT(run(Key(1, 1)), HasSubstr("from state 'trial/state-0.0.safetensors'"))
      << "the coordinator's machine lost an update that it had acknowledged";
  stage.Hear(wire::Receipt{Key(1, 1)});
  EXPECT_THAT(run(Key(2)), HasSubstr("from state 'trial/state-1.1.safetensors'"));
  stage.Hear(wire::Receipt{Key(2), wire::DropReason::kLate, ""});
  EXPECT_THAT(run(Key(5)), HasSubstr("from state 'trial/state-2.0.safetensors'")) << "rounds may be missed";
}

TEST(SessionMachine, WhatTheStrategyNeedsBesideTheModelIsFetchedTooAndACutGoesOnWhereItWas) {
  SessionStage stage;
  wire::Task task{Key(0), "{}", Blob("model")};
  task.auxiliary = Blob("control");
  stage.Welcome().Hear(task);
  EXPECT_EQ(stage.TakeLines(), "dial\nfetch trial/round 0.0\n");
  EXPECT_EQ(stage.machine().LiveBlobs(), (std::set<Digest>{Blob("model").digest, Blob("control").digest}));
  stage.Transferred();
  EXPECT_EQ(stage.TakeLines(), "fetch trial/round 0.0\n");
  EXPECT_EQ(stage.last_fetched(), Blob("control").digest);
  stage.Lose().Advance(minutes(1)).TakeLines();
  stage.Welcome();
  EXPECT_EQ(stage.TakeLines(), "fetch trial/round 0.0\n");
  EXPECT_EQ(stage.last_fetched(), Blob("control").digest) << "the model is there";
  stage.Transferred();
  EXPECT_EQ(stage.TakeLines(), "run trial/round 0.0 from state ''\n");
  ASSERT_TRUE(stage.last_run());
  EXPECT_EQ(stage.last_run()->auxiliary, Blob("control").digest);
}

TEST(SessionMachine, ATaskWithoutAModelRunsAtOnceAndLeavesNoStateBehind) {
  SessionStage stage;
  wire::TaskKey key = Key(0);
  key.kind = wire::TaskKind::kStatistics;
  stage.Welcome().Hear(wire::Task{key, "{}", {}});
  EXPECT_THAT(stage.TakeLines(), HasSubstr("run trial/"));
  stage.Trained(key).Transferred();
  EXPECT_THAT(stage.TakeLines(), HasSubstr("send UpdateReady"));
  stage.Hear(wire::Receipt{key});
  EXPECT_TRUE(stage.machine().LiveFiles().empty()) << "statistics are uploaded, but nothing is kept of them";
}

TEST(SessionMachine, AValidationEndsInItsMetrics) {
  SessionStage stage;
  wire::TaskKey key = Key(0);
  key.kind = wire::TaskKind::kValidate;
  key.subject = "b";
  stage.Welcome().Task(key).Transferred().TakeLines();
  stage.Step(WorkerFinished{key, 1, {{"dice", 0.5}}, {}});
  EXPECT_THAT(stage.TakeLines(), HasSubstr("send EvaluationReport"));
}

TEST(SessionMachine, TrainingGoesOnWhileTheConnectionIsDown) {
  SessionStage stage;
  stage.Welcome().Task(Key(0)).Transferred().TakeLines();
  stage.Lose().Trained(Key(0));
  EXPECT_EQ(stage.TakeLines(), "persist 1 outcomes\n");
  stage.Advance(seconds(1)).Welcome();
  EXPECT_EQ(stage.TakeLines(), "dial\nupload trial/round 0.0 trial/update-0.0.safetensors\n");
}

TEST(SessionMachine, ATaskThatIsSaidAgainIsNotStartedAgain) {
  SessionStage stage;
  stage.Welcome().Task(Key(0)).Transferred().TakeLines();
  stage.Task(Key(0)).Lose().Advance(seconds(1)).Welcome().Task(Key(0));
  EXPECT_EQ(stage.TakeLines(), "dial\n");
}

TEST(SessionMachine, FinishedWorkIsDeliveredAgainNotDoneAgainAlsoAfterAKill) {
  SessionStage stage;
  stage.Welcome().Task(Key(0)).Transferred().Trained(Key(0)).Transferred().TakeLines();  // the receipt is lost
  stage.Restart().Welcome();
  EXPECT_EQ(stage.TakeLines(), "dial\nupload trial/round 0.0 trial/update-0.0.safetensors\n");
  stage.Task(Key(0));
  EXPECT_EQ(stage.TakeLines(), "");
  stage.Transferred(AlreadyExists("the coordinator has it"));
  EXPECT_EQ(stage.TakeLines(), "send UpdateReady trial/round 0.0\n") << "said without sending a byte";
}

TEST(SessionMachine, WorkThatAKillInterruptedStartsFromTheSameState) {
  SessionStage stage;
  stage.Welcome().Task(Key(0)).Transferred().Trained(Key(0)).Transferred().Hear(wire::Receipt{Key(0)});
  stage.Task(Key(1)).Transferred().TakeLines();
  stage.Restart().Welcome().Task(Key(1)).Transferred();
  EXPECT_THAT(stage.TakeLines(), HasSubstr("run trial/round 1.0 from state 'trial/state-0.0.safetensors'"));
}

TEST(SessionMachine, AnEvaluationIsReportedAndNothingIsUploaded) {
  const wire::TaskKey task = Key(2, 0, wire::TaskKind::kEvaluate);
  SessionStage stage;
  stage.Welcome().Task(task).Transferred().TakeLines();
  stage.Step(WorkerFinished{task, 1, {{"dice", 0.8}}, {}});
  EXPECT_EQ(stage.TakeLines(), "persist 1 outcomes\nsend EvaluationReport trial/evaluation after round 2.0\n");
  stage.Restart().Welcome();
  EXPECT_EQ(stage.TakeLines(), "dial\nsend EvaluationReport trial/evaluation after round 2.0\n");
}

TEST(SessionMachine, StandDownStopsTheTrainerAndANewTaskWaitsForIt) {
  SessionStage stage;
  stage.Welcome().Task(Key(0)).Transferred().TakeLines();
  stage.Hear(wire::StandDown{Key(0), "closed"}).Task(Key(1));
  EXPECT_EQ(stage.TakeLines(), "cancel trial/round 0.0\n");
  stage.Step(WorkerRefused{Key(0), StatusCode::kCancelled, "stopped"});
  EXPECT_EQ(stage.TakeLines(), "fetch trial/round 1.0\n");
}

TEST(SessionMachine, WorkThatIsDoneAtTheMomentOfItsCancellationIsDropped) {
  SessionStage stage;
  stage.Welcome().Task(Key(0)).Transferred().Hear(wire::StandDown{Key(0), "closed"}).TakeLines();
  stage.Trained(Key(0));
  EXPECT_EQ(stage.TakeLines(), "");
  EXPECT_TRUE(stage.machine().state().outcomes().empty());
}

TEST(SessionMachine, AStandDownForFinishedWorkForgetsIt) {
  SessionStage stage;
  stage.Welcome().Task(Key(0)).Transferred().Trained(Key(0)).TakeLines();
  stage.Hear(wire::StandDown{Key(0), "closed"}).Transferred();
  EXPECT_EQ(stage.TakeLines(), "persist 0 outcomes\n");
}

TEST(SessionMachine, ANewerTaskTakesTheOldOnesPlace) {
  SessionStage stage;
  stage.Welcome().Task(Key(0)).TakeLines();
  stage.Task(Key(1));
  EXPECT_EQ(stage.TakeLines(), "fetch trial/round 1.0\n") << "nothing ran yet, so nothing has to stop";
}

TEST(SessionMachine, ADeadTrainerIsStartedAgainAfterAPauseAndReportedAfterThreeDeaths) {
  SessionStage stage;
  stage.Welcome().Task(Key(0)).Transferred().TakeLines();
  stage.Step(WorkerDied{Key(0), "killed by signal 11"});
  EXPECT_EQ(stage.TakeLines(), "");
  stage.Advance(seconds(1));
  EXPECT_EQ(stage.TakeLines(), "run trial/round 0.0 from state ''\n");
  stage.Step(WorkerDied{Key(0), "killed by signal 11"}).Advance(seconds(2)).TakeLines();
  stage.Step(WorkerDied{Key(0), "killed by signal 9; its last words: out of memory"});
  EXPECT_EQ(stage.TakeLines(),
            "persist 1 outcomes\nsend TaskFailed trial/round 0.0 'the trainer died 3 times, the last time killed by "
            "signal 9; its last words: out of memory'\n");
}

TEST(SessionMachine, TheCoordinatorHearsOfATrainersDeathInTheNextHeartbeat) {
  SessionStage stage;
  stage.Welcome().Task(Key(0)).Transferred().Step(WorkerDied{Key(0), "killed"}).TakeAllLines();
  stage.Advance(seconds(4));
  EXPECT_THAT(stage.TakeAllLines(), HasSubstr("send Heartbeat training"));
}

TEST(SessionMachine, WhatTheTrainerCannotDoIsReportedAtOnce) {
  SessionStage stage;
  stage.Welcome().Task(Key(0)).Transferred().TakeLines();
  stage.Step(WorkerRefused{Key(0), StatusCode::kInvalidArgument, "dataset.json: no such file"});
  EXPECT_EQ(stage.TakeLines(), "persist 1 outcomes\nsend TaskFailed trial/round 0.0 'dataset.json: no such file'\n");
}

TEST(SessionMachine, AStuckTrainerIsEndedAfterARoundsDeadlineOfSilence) {
  SessionStage stage;
  stage.Welcome().Task(Key(0)).Transferred().TakeLines();
  stage.Advance(minutes(19)).Step(WorkerProgressed{Key(0), 0.5, {}}).Advance(minutes(19));
  EXPECT_EQ(stage.TakeLines(), "");
  stage.Advance(minutes(2));
  EXPECT_EQ(stage.TakeLines(), "stop worker: it had said nothing for 20m\n");
}

TEST(SessionMachine, RedialsWithGrowingPausesUpToTheMaximum) {
  SessionStage stage;
  std::string pauses;
  for (int i = 0; i < 8; ++i) {
    stage.TakeAllLines();
    stage.Lose();
    const std::string lines = stage.TakeAllLines();
    pauses += lines.substr(lines.find("timer ") + 6, lines.find('\n') - 6) + " ";
  }
  EXPECT_EQ(pauses, "250ms 500ms 1.0s 2.0s 4.0s 8.0s 10s 10s ");
}

TEST(SessionMachine, WhatAPersonMustMendEndsTheClientAsRefused) {
  for (const Status& reason : {Unauthenticated("the certificate has expired"), PermissionDenied("not on the roster"),
                               FailedPrecondition("protocol 2 is spoken here")}) {
    SessionStage stage;
    stage.Lose(reason);
    ASSERT_TRUE(stage.finished().has_value());
    EXPECT_EQ(ExitCodeFor(*stage.finished()), ExitCode::kRefused) << reason;
    EXPECT_THAT(stage.finished()->message(), HasSubstr(reason.message()));
  }
  SessionStage stage;
  stage.Hear(wire::Refusal{StatusCode::kFailedPrecondition, "another connection took over"});
  EXPECT_EQ(ExitCodeFor(*stage.finished()), ExitCode::kRefused);
}

TEST(SessionMachine, AnInterruptedFetchGoesOnAfterAPauseOrTheNextWelcome) {
  SessionStage stage;
  stage.Welcome().Task(Key(0)).TakeLines();
  stage.Transferred(DeadlineExceeded("stalled")).Advance(seconds(1));
  EXPECT_EQ(stage.TakeLines(), "fetch trial/round 0.0\n");
  stage.Lose().Transferred(Unavailable("cut"));
  EXPECT_EQ(stage.TakeLines(), "");
  stage.Welcome();
  EXPECT_EQ(stage.TakeLines(), "fetch trial/round 0.0\n");
}

TEST(SessionMachine, AnInterruptedUploadGoesOnAndOldAnswersAreIgnored) {
  SessionStage stage;
  stage.Welcome().Task(Key(0)).Transferred().Trained(Key(0)).TakeLines();
  const TransferId old = TransferId{2};
  stage.Lose().Welcome();
  EXPECT_EQ(stage.TakeLines(), "upload trial/round 0.0 trial/update-0.0.safetensors\n");
  stage.Step(TransferDone{old, Status()});
  EXPECT_EQ(stage.TakeLines(), "") << "the old connection's transfer proves nothing";
  stage.Transferred(Unavailable("cut")).Advance(seconds(1));
  EXPECT_EQ(stage.TakeLines(), "upload trial/round 0.0 trial/update-0.0.safetensors\n");
}

TEST(SessionMachine, AFullDiskAtTheCoordinatorIsWaitedForNotReportedAsAFailure) {
  SessionStage stage;
  stage.Welcome().Task(Key(0)).Transferred().Trained(Key(0)).TakeLines();
  stage.Transferred(Storage("the coordinator: No space left on device")).Advance(seconds(1));
  EXPECT_EQ(stage.TakeLines(), "upload trial/round 0.0 trial/update-0.0.safetensors\n");
}

TEST(SessionMachine, AFullDiskWhileTrainingIsWaitedForHoweverLongAndSaidInHeartbeats) {
  SessionStage stage;
  stage.Welcome().Task(Key(0)).Transferred().TakeLines();
  for (int i = 0; i < 10; ++i) {
    stage.Step(WorkerRefused{Key(0), StatusCode::kStorage, "writing the update: No space left on device"});
    EXPECT_THAT(stage.last_beat().trouble,
                HasSubstr("its disk is full, and it tries again until there is room: writing"));
    EXPECT_FALSE(stage.last_beat().metrics.contains("trainer_deaths"));
    stage.Advance(seconds(30));
    EXPECT_EQ(stage.TakeLines(), "run trial/round 0.0 from state ''\n") << "try " << i;
  }
  stage.Trained(Key(0));
  EXPECT_THAT(stage.TakeLines(), HasSubstr("upload trial/round 0.0"));
}

TEST(SessionMachine, AFullDiskWhileTrainingDoesNotOutliveItsTask) {
  SessionStage stage;
  stage.Welcome().Task(Key(0)).Transferred();
  stage.Step(WorkerRefused{Key(0), StatusCode::kStorage, "full"}).TakeLines();
  stage.Hear(wire::StandDown{Key(0), "the round is closed"}).Advance(minutes(2));
  EXPECT_THAT(stage.TakeLines(), Not(HasSubstr("run")));
}

TEST(SessionMachine, AFullDiskWhileFetchingEndsTheClient) {
  SessionStage stage;
  stage.Welcome().Task(Key(0)).Transferred(Storage("No space left on device"));
  EXPECT_EQ(ExitCodeFor(*stage.finished()), ExitCode::kStorage);
}

TEST(SessionMachine, AJobsEndStopsItsWorkAndDropsItsFiles) {
  SessionStage stage({.when_done = SessionOptions::WhenDone::kExit});
  stage.Welcome().Task(Key(0)).Transferred().Trained(Key(0)).Transferred();
  stage.Hear(wire::Receipt{Key(0)}).Hear(wire::JobEnded{JobId("trial")});
  ASSERT_TRUE(stage.finished().has_value());
  EXPECT_TRUE(stage.finished()->ok());
  EXPECT_TRUE(stage.machine().LiveFiles().empty());
  SessionStage failed({.when_done = SessionOptions::WhenDone::kExit});
  failed.Welcome().Hear(wire::JobEnded{JobId("trial"), StatusCode::kDeadlineExceeded, "too few"});
  EXPECT_EQ(ExitCodeFor(*failed.finished()), ExitCode::kDeadline);
}

TEST(SessionMachine, AJobNamedLikeAPathIsRefused) {
  SessionStage stage;
  wire::TaskKey evil = Key(0);
  evil.job = JobId("../../etc");
  stage.Welcome().TakeLines();
  stage.Task(evil);
  EXPECT_THAT(stage.TakeLines(), HasSubstr("send TaskFailed"));
  EXPECT_TRUE(stage.machine().LiveFiles().empty());
}

}  // namespace
}  // namespace consilium::client
