// The trainer's place against real children: the stub, and programs that are no trainers.
#include "client/service/trainer_seat.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "comm/tensor/safetensors.h"
#include "session_stage.h"
#include "tests/testing/run_program.h"

namespace consilium::client {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class Seat : public ::testing::Test {
 protected:
  Seat() {
    const auto schema =
        std::make_shared<const tensor::Schema>(tensor::Schema::Create({{"w", tensor::DType::kF32, {9}}}).value());
    EXPECT_TRUE(tensor::WriteParameters(scratch_ / "model", tensor::ParameterVector::Zeros(schema).value()).ok());
    Behave({{"site", "a"}, {"delay_ms", 10}});
  }
  void Behave(const Json& stub) { EXPECT_TRUE(WriteJson(scratch_ / "stub.json", stub).ok()); }

  void Sit(std::vector<std::string> command = {CONSILIUM_BIN_DIR "/stub-trainer"},
           Duration greeting_timeout = std::chrono::seconds(20)) {
    seat_.emplace(TrainerOptions{.command = std::move(command),
                                 .socket_folder = scratch_.path(),
                                 .log = scratch_ / "trainer.log",
                                 .greeting_timeout = greeting_timeout},
                  &loop_, [this](const TrainerEvent& event) { events_.push_back(event); });
  }
  wire::WorkerTask Task(int round) {
    return {.task = Key(round),
            .job_json = "{}",
            .data_dir = scratch_.path(),
            .model_path = scratch_ / "model",
            .update_path = scratch_ / Concat("update", round),
            .state_out = scratch_ / Concat("state", round)};
  }
  // Runs the strand until an event of this kind came, and returns it.
  template <typename Event>
  Event Await() {
    const Instant deadline = SystemClock().Now() + std::chrono::seconds(20);
    while (SystemClock().Now() < deadline) {
      for (const TrainerEvent& event : events_)
        if (const auto* found = std::get_if<Event>(&event)) {
          const Event copy = *found;
          events_.clear();
          return copy;
        }
      loop_.restart();
      loop_.run_one_for(std::chrono::milliseconds(100));
    }
    ADD_FAILURE() << "the event did not come";
    return {};
  }

  consilium::testing::ScratchFolder scratch_;
  boost::asio::io_context loop_;
  std::vector<TrainerEvent> events_;
  std::optional<TrainerSeat> seat_;
};

TEST_F(Seat, OneTrainerDoesSeveralTasksAndItsUpdatesHaveTheirManifests) {
  Sit();
  for (int round = 0; round < 3; ++round) {
    seat_->Run(Task(round));
    const WorkerFinished finished = Await<WorkerFinished>();
    EXPECT_EQ(finished.task, Key(round));
    EXPECT_EQ(finished.update, wire::ManifestOfFile(scratch_ / Concat("update", round)).value());
  }
}

TEST_F(Seat, ATrainerThatDiesIsReportedWithSignalAndLastWordsAndReplacedForTheNextTask) {
  Behave({{"site", "a"}, {"die_rounds", {0}}});
  Sit();
  seat_->Run(Task(0));
  const WorkerDied died = Await<WorkerDied>();
  EXPECT_EQ(died.task, Key(0));
  EXPECT_THAT(died.how, HasSubstr("killed by signal 6"));
  EXPECT_THAT(died.how, HasSubstr("its last words: stub trainer: dying in round 0"));
  seat_->Run(Task(1));
  EXPECT_EQ(Await<WorkerFinished>().task, Key(1));
}

// Two timers run out before the strand has its next turn; the first one's handler lets the seat go, and the second,
// with which the seat looks after its child, is called all the same.  An address or thread sanitizer says if it touches
// it.
TEST_F(Seat, MayGoInATurnInWhichItsOwnTimersHaveRunOut) {
  Behave({{"site", "a"}, {"delay_ms", 60000}});
  Sit();
  boost::asio::steady_timer first(loop_, std::chrono::milliseconds(1));
  first.async_wait([this](const boost::system::error_code&) { seat_.reset(); });
  seat_->Run(Task(0));
  boost::asio::io_context elsewhere;
  boost::asio::steady_timer(elsewhere, std::chrono::milliseconds(500)).wait();  // the seat looks every 100 ms
  loop_.poll();
  EXPECT_FALSE(seat_.has_value());
}

TEST_F(Seat, WhatTheTrainerRefusesComesAsItSaidIt) {
  Behave({{"site", "a"}, {"fail_rounds", {{"0", "labels are missing"}}}});
  Sit();
  seat_->Run(Task(0));
  const WorkerRefused refused = Await<WorkerRefused>();
  EXPECT_EQ(refused.code, StatusCode::kInvalidArgument);
  EXPECT_EQ(refused.message, "labels are missing");
}

TEST_F(Seat, ACancelledTaskEndsAndTheTrainerStaysForTheNext) {
  Behave({{"site", "a"}, {"delay_ms", 60000}});
  Sit();
  seat_->Run(Task(0));
  (void)Await<WorkerProgressed>();
  seat_->Cancel(Key(0));
  EXPECT_EQ(Await<WorkerRefused>().code, StatusCode::kCancelled);
  Behave({{"site", "a"}, {"delay_ms", 10}});
  seat_->Run(Task(1));
  EXPECT_EQ(Await<WorkerFinished>().task, Key(1));
}

TEST_F(Seat, AStuckTrainerIsKilledAndTheReasonIsTold) {
  Behave({{"site", "a"}, {"delay_ms", 60000}});
  Sit();
  seat_->Run(Task(0));
  (void)Await<WorkerProgressed>();
  seat_->Kill("it had said nothing for 20m");
  EXPECT_THAT(Await<WorkerDied>().how, HasSubstr("it had said nothing for 20m; killed by signal 9"));
}

TEST_F(Seat, AProgramThatIsNoTrainerDiesAsOne) {
  Sit({"/bin/false"});
  seat_->Run(Task(0));
  EXPECT_THAT(Await<WorkerDied>().how, HasSubstr("exit code 1"));
}

TEST_F(Seat, AProgramThatNeverGreetsIsGivenUp) {
  Sit({"/bin/sh", "-c", "echo waiting for nothing >&2; exec sleep 60"}, std::chrono::milliseconds(300));
  seat_->Run(Task(0));
  const std::string how = Await<WorkerDied>().how;
  EXPECT_THAT(how, HasSubstr("it did not greet within 300ms"));
  EXPECT_THAT(how, HasSubstr("waiting for nothing"));
}

TEST_F(Seat, AProgramThatCannotBeStartedIsADeath) {
  Sit({"/no/such/trainer"});
  seat_->Run(Task(0));
  EXPECT_THAT(Await<WorkerDied>().how, HasSubstr("could not be started"));
}

TEST_F(Seat, WhoeverSpeaksAnotherLanguageOnTheSocketIsEnded) {
  Sit({"/usr/bin/env", "python3", "-c",
       "import socket,sys,time\n"
       "s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[3]); s.send(b'\\xff'*64); time.sleep(60)"});
  if (::access("/usr/bin/python3", X_OK) != 0) GTEST_SKIP() << "no python3 here";
  seat_->Run(Task(0));
  EXPECT_THAT(Await<WorkerDied>().how, HasSubstr("4294967295"));
}

}  // namespace
}  // namespace consilium::client
