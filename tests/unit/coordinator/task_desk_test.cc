#include "coordinator/service/task_desk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace consilium::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const SiteName kSite("a");

class TaskDeskTest : public ::testing::Test {
 protected:
  wire::TaskKey Key(const std::string& job, std::uint32_t round = 0) {
    return {JobId(job), Round{round}, Attempt{0}, wire::TaskKind::kTrain};
  }
  // What is said to the site, as "job/round" for tasks and the message's name for others.
  std::vector<std::string> Names(const TaskDesk::Messages& messages) {
    std::vector<std::string> names;
    for (const wire::CoordinatorMessage& message : messages) {
      const auto* task = std::get_if<wire::Task>(&message);
      names.push_back(task == nullptr ? std::string(wire::MessageName(message))
                                      : Concat(task->task.job, "/", task->task.round));
    }
    return names;
  }
  std::vector<std::string> Offer(const wire::TaskKey& key, std::uint64_t deadline_ms = 0) {
    wire::Task task;
    task.task = key;
    task.deadline_ms = deadline_ms;
    return Names(desk_.Say(kSite, task, now_));
  }
  std::vector<std::string> Say(wire::CoordinatorMessage message) {
    return Names(desk_.Say(kSite, std::move(message), now_));
  }
  std::vector<std::string> Beat(const wire::TaskKey& key = {}) {
    wire::Heartbeat beat;
    beat.task = key;
    return Names(desk_.Heard(kSite, beat, now_));
  }
  void Connect() { desk_.Connected(kSite), Beat(); }

  TaskDesk desk_;
  Instant now_{};
};

TEST_F(TaskDeskTest, ASiteThatWaitsForASecureSumIsFreeForAnotherJob) {
  Connect();
  EXPECT_THAT(Offer(Key("secret")), ElementsAre("secret/0"));
  EXPECT_THAT(Offer(Key("plain")), IsEmpty());
  const wire::SecureAnswer ready{.task = Key("secret")};
  EXPECT_THAT(Names(desk_.Heard(kSite, ready, now_)), ElementsAre("plain/0"));
  EXPECT_THAT(Say(wire::SecureRequest{.task = Key("secret"), .session = 1}), ElementsAre("SecureRequest"));
  EXPECT_EQ(*desk_.InHand(kSite), Key("plain"));
}

TEST_F(TaskDeskTest, OneTaskAtATimeAndJobsTakeTurns) {
  Connect();
  EXPECT_THAT(Offer(Key("one")), ElementsAre("one/0"));
  EXPECT_THAT(Offer(Key("two")), IsEmpty());
  EXPECT_THAT(Say(wire::Receipt{Key("one")}), ElementsAre("Receipt", "two/0"));
  EXPECT_THAT(Offer(Key("one", 1)), IsEmpty());
  EXPECT_THAT(Offer(Key("three")), IsEmpty());
  EXPECT_THAT(Say(wire::Receipt{Key("two")}), ElementsAre("Receipt", "one/1"));
  EXPECT_THAT(Offer(Key("two", 1)), IsEmpty());
  EXPECT_THAT(Say(wire::Receipt{Key("one", 1)}), ElementsAre("Receipt", "three/0"));
  EXPECT_EQ(*desk_.InHand(kSite), Key("three"));
  EXPECT_EQ(desk_.Waiting(kSite), 1u);
}

TEST_F(TaskDeskTest, TheSameTaskAgainIsSaidAgainAndNotDoneTwice) {
  Connect();
  Offer(Key("one"));
  EXPECT_THAT(Offer(Key("one")), ElementsAre("one/0"));
  Offer(Key("two")), Offer(Key("two"));
  EXPECT_EQ(desk_.Waiting(kSite), 1u);
}

TEST_F(TaskDeskTest, AfterAReconnectTheWorkInHandGoesOnFirst) {
  Connect();
  Offer(Key("one")), Offer(Key("two"));
  desk_.Disconnected(kSite);
  desk_.Connected(kSite);
  EXPECT_THAT(Offer(Key("two")), IsEmpty()) << "the site has not said yet what it does";
  EXPECT_THAT(Offer(Key("one")), IsEmpty());
  EXPECT_THAT(Beat(Key("one")), ElementsAre("one/0"));
  // A coordinator that was started again learns it from the first heartbeat alone.
  TaskDesk fresh;
  desk_ = fresh;
  desk_.Connected(kSite);
  Offer(Key("one")), Offer(Key("two"));
  EXPECT_THAT(Beat(Key("two")), ElementsAre("two/0"));
}

TEST_F(TaskDeskTest, StandDownAndTheEndOfAJobLetTheNextOneIn) {
  Connect();
  Offer(Key("one")), Offer(Key("two")), Offer(Key("three"));
  EXPECT_THAT(Say(wire::StandDown{Key("two"), "closed"}), ElementsAre("StandDown"));
  EXPECT_THAT(Say(wire::StandDown{Key("one"), "closed"}), ElementsAre("StandDown", "three/0"));
  Offer(Key("one", 1));
  EXPECT_THAT(Say(wire::JobEnded{JobId("three")}), ElementsAre("JobEnded", "one/1"));
}

TEST_F(TaskDeskTest, AJobThatStopsLeavesTheLinesOfAllSites) {
  Connect();
  Offer(Key("one")), Offer(Key("two")), Offer(Key("three"));
  auto said = desk_.Drop(JobId("one"), now_);
  EXPECT_THAT(Names(said[kSite]), ElementsAre("StandDown", "two/0"));
  EXPECT_TRUE(desk_.Drop(JobId("three"), now_).empty());
  EXPECT_EQ(desk_.Waiting(kSite), 0u);
}

TEST_F(TaskDeskTest, TimeInTheLineIsTakenOffTheDeadline) {
  Connect();
  Offer(Key("one"));
  wire::Task waiting;
  waiting.task = Key("two"), waiting.deadline_ms = 1000;
  desk_.Say(kSite, waiting, now_);
  waiting.task = Key("three"), waiting.deadline_ms = 300;
  desk_.Say(kSite, waiting, now_);
  now_ += std::chrono::milliseconds(400);
  const auto second = desk_.Say(kSite, wire::Receipt{Key("one")}, now_);
  EXPECT_EQ(std::get<wire::Task>(second.at(1)).deadline_ms, 600u);
  const auto third = desk_.Say(kSite, wire::Receipt{Key("two")}, now_);
  EXPECT_EQ(std::get<wire::Task>(third.at(1)).deadline_ms, 1u) << "0 would be none";
}

}  // namespace
}  // namespace consilium::coordinator
