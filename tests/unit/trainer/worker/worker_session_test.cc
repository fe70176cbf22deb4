// The worker's side of the socket, with a runner that does what each test wants.
#include "trainer/worker/worker_session.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <thread>

#include "comm/wire/frame.h"

namespace consilium::trainer {
namespace {

class FakeRunner final : public TaskRunner {
 public:
  Status broken() const override { return broken_; }
  Status Idle() override {
    if (++idle_ == 3) idle_thrice_.set_value();
    return {};
  }
  void Break(Status why) { broken_ = std::move(why); }
  std::future<void> IdleThrice() { return idle_thrice_.get_future(); }

  using Body = std::function<StatusOr<TaskResult>(const wire::WorkerTask&, TaskMonitor&)>;
  explicit FakeRunner(Body body) : body_(std::move(body)) {}
  StatusOr<TaskResult> Run(const wire::WorkerTask& task, TaskMonitor& monitor) override { return body_(task, monitor); }

 private:
  const Body body_;
  Status broken_;
  int idle_ = 0;
  std::promise<void> idle_thrice_;
};

// A session on its own thread and the client's end of its socket.
class Worker {
 public:
  explicit Worker(FakeRunner::Body body, SessionOptions options = {}) : runner_(std::move(body)) {
    CONSILIUM_CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_) == 0);
    options.build = "fake";
    session_ = std::async(std::launch::async, [this, options] { return Serve(ends_[1], runner_, options); });
    const wire::WorkerMessage hello = Receive();
    CONSILIUM_CHECK(std::holds_alternative<wire::WorkerHello>(hello));
    hello_ = std::get<wire::WorkerHello>(hello);
  }
  ~Worker() {
    if (session_.valid()) static_cast<void>(End());
    ::close(ends_[1]);
  }

  bool TrySend(const wire::WorkerRequest& request) { return wire::WriteFrame(ends_[0], wire::Encode(request)).ok(); }
  void Send(const wire::WorkerRequest& request) { ASSERT_TRUE(TrySend(request)); }
  void SendRaw(const Bytes& bytes) { ASSERT_EQ(::write(ends_[0], bytes.data(), bytes.size()), ssize_t(bytes.size())); }
  wire::WorkerMessage Receive() {
    const auto frame = wire::ReadFrame(ends_[0], wire::kMessageBytesMax);
    CONSILIUM_CHECK(frame.ok() && frame->has_value(), "the session said nothing");
    return wire::DecodeWorkerMessage(**frame).value();
  }
  template <typename Message>
  Message Expect() {
    const wire::WorkerMessage message = Receive();
    CONSILIUM_CHECK(std::holds_alternative<Message>(message), "another message, number ", message.index());
    return std::get<Message>(message);
  }
  // Closes the client's end; what Serve() returned.
  Status End() {
    ::close(ends_[0]);
    return session_.get();
  }
  Status Result() { return session_.get(); }
  const wire::WorkerHello& hello() const { return hello_; }
  FakeRunner& runner() { return runner_; }

 private:
  FakeRunner runner_;
  int ends_[2] = {-1, -1};
  std::future<Status> session_;
  wire::WorkerHello hello_;
};

wire::WorkerTask TaskOf(std::uint32_t round) {
  wire::WorkerTask task;
  task.task = {JobId("job"), Round{round}, Attempt{0}, wire::TaskKind::kTrain};
  return task;
}

TEST(WorkerSession, GreetsFirstWithItsProtocolAndBuild) {
  Worker worker([](const auto&, auto&) { return TaskResult(); });
  EXPECT_EQ(worker.hello().protocol, wire::kWorkerProtocol);
  EXPECT_EQ(worker.hello().build, "fake");
  EXPECT_TRUE(worker.End().ok());
}

TEST(WorkerSession, ATaskIsAnsweredWithItsKeyWeightAndMetrics) {
  Worker worker([](const wire::WorkerTask& task, auto&) -> StatusOr<TaskResult> {
    return TaskResult{7, {{"loss", ToInt(task.task.round) + 0.5}}};
  });
  for (const std::uint32_t round : {3U, 4U}) {
    worker.Send(TaskOf(round));
    const auto done = worker.Expect<wire::WorkerDone>();
    EXPECT_EQ(done.task, TaskOf(round).task);
    EXPECT_EQ(done.weight, 7);
    EXPECT_EQ(done.metrics.at("loss"), round + 0.5);
  }
}

TEST(WorkerSession, AFailedTaskIsReportedWithCodeAndReasonAndTheNextOneIsServed) {
  Worker worker([](const wire::WorkerTask& task, auto&) -> StatusOr<TaskResult> {
    switch (ToInt(task.task.round)) {
      case 0:
        return InvalidArgument("no label");
      case 1:
        throw std::runtime_error("torch says no");
      case 2:
        throw std::bad_alloc();
      case 3:
        throw 3;
      default:
        return TaskResult();
    }
  });
  const std::vector<std::pair<StatusCode, std::string>> expected = {
      {StatusCode::kInvalidArgument, "no label"},
      {StatusCode::kFailed, "torch says no"},
      {StatusCode::kResourceExhausted, "out of memory; take a smaller batch or patch"},
      {StatusCode::kFailed, "an exception without a text"}};
  for (std::uint32_t round = 0; round < expected.size(); ++round) {
    worker.Send(TaskOf(round));
    const auto failed = worker.Expect<wire::WorkerFailed>();
    EXPECT_EQ(failed.task, TaskOf(round).task);
    EXPECT_EQ(failed.code, expected[round].first);
    EXPECT_EQ(failed.message, expected[round].second);
  }
  worker.Send(TaskOf(4));
  worker.Expect<wire::WorkerDone>();
}

TEST(WorkerSession, ACancelStopsTheTaskInHandAndThoseWaitingButNotLaterOnes) {
  std::promise<void> begun;
  Worker worker([&](const wire::WorkerTask& task, TaskMonitor& monitor) -> StatusOr<TaskResult> {
    if (task.task.round != Round{0}) return TaskResult();
    begun.set_value();
    while (!monitor.cancelled()) std::this_thread::yield();
    return Cancelled("as asked");
  });
  worker.Send(TaskOf(0));
  begun.get_future().wait();
  worker.Send(TaskOf(1));
  worker.Send(wire::WorkerCancel());
  worker.Send(TaskOf(2));
  const auto first = worker.Expect<wire::WorkerFailed>();
  EXPECT_EQ(first.code, StatusCode::kCancelled);
  EXPECT_EQ(first.message, "as asked");
  const auto second = worker.Expect<wire::WorkerFailed>();
  EXPECT_EQ(second.task.round, Round{1});
  EXPECT_EQ(second.code, StatusCode::kCancelled);
  EXPECT_EQ(worker.Expect<wire::WorkerDone>().task.round, Round{2});
}

TEST(WorkerSession, ACancelWithoutATaskIsIgnored) {
  Worker worker([](const auto&, auto&) { return TaskResult(); });
  worker.Send(wire::WorkerCancel());
  worker.Send(TaskOf(0));
  worker.Expect<wire::WorkerDone>();
}

TEST(WorkerSession, WhenTheClientGoesTheTaskInHandIsCancelledAndTheSessionEnds) {
  std::promise<void> begun;
  std::atomic<bool> saw_cancel = false;
  Worker worker([&](const auto&, TaskMonitor& monitor) -> StatusOr<TaskResult> {
    begun.set_value();
    while (!monitor.cancelled()) std::this_thread::yield();
    saw_cancel = true;
    return Cancelled("the client is gone");
  });
  worker.Send(TaskOf(0));
  begun.get_future().wait();
  EXPECT_TRUE(worker.End().ok());
  EXPECT_TRUE(saw_cancel);
}

TEST(WorkerSession, ProgressIsSentAtMostOnceAnInterval) {
  ManualClock clock;  // only the session's thread looks at it, and only the runner on that thread moves it
  SessionOptions options;
  options.clock = &clock;
  Worker worker(
      [&](const auto&, TaskMonitor& monitor) -> StatusOr<TaskResult> {
        for (int step = 0; step < 100; ++step) {
          monitor.Report(step / 100.0, {{"step", step}});
          clock.Advance(std::chrono::milliseconds(10));
        }
        return TaskResult();
      },
      options);
  worker.Send(TaskOf(0));
  // 1 s of steps: at 0, 250, 500 and 750 ms.
  for (const double step : {0.0, 25.0, 50.0, 75.0}) {
    const auto progress = worker.Expect<wire::WorkerProgress>();
    EXPECT_EQ(progress.metrics.at("step"), step);
    EXPECT_EQ(progress.progress, step / 100);
  }
  worker.Expect<wire::WorkerDone>();
}

TEST(WorkerSession, ARunnerThatIsBrokenEndsTheSessionAndLeavesTheTaskUnansweredForTheNextTrainer) {
  FakeRunner* runner = nullptr;
  Worker worker([&](const auto&, auto&) -> StatusOr<TaskResult> {
    runner->Break(Status(StatusCode::kRankFailure, "rank 1 is gone"));
    return Failed("what it looked like from here");
  });
  runner = &worker.runner();
  worker.Send(TaskOf(0));
  const Status status = worker.Result();
  EXPECT_EQ(status.code(), StatusCode::kRankFailure);
  EXPECT_EQ(status.message(), "rank 1 is gone");
}

TEST(WorkerSession, WhenNothingIsToDoTheRunnerIsToldAgainAndAgain) {
  SessionOptions options;
  options.idle_interval = std::chrono::milliseconds(1);
  Worker worker([](const auto&, auto&) { return TaskResult(); }, options);
  worker.runner().IdleThrice().wait();
  worker.Send(TaskOf(0));
  worker.Expect<wire::WorkerDone>();
}

TEST(WorkerSession, BytesThatAreNoRequestEndTheSessionAsDataLoss) {
  for (const Bytes& bytes : {Bytes{1, 0, 0, 0, 99}, Bytes{0xff, 0xff, 0xff, 0xff}, Bytes{5, 0, 0, 0, 0, 1}}) {
    Worker worker([](const auto&, auto&) { return TaskResult(); });
    worker.SendRaw(bytes);
    if (bytes.size() == 6) {
      EXPECT_EQ(worker.End().code(), StatusCode::kDataLoss);  // a message that was cut off
    } else {
      EXPECT_EQ(worker.Result().code(), StatusCode::kDataLoss);
    }
  }
}

TEST(WorkerSession, AClientThatFloodsTheQueueIsLeft) {
  // The first task goes on until the session is over, so that the others stay in the queue.
  Worker worker([](const auto&, TaskMonitor& monitor) -> StatusOr<TaskResult> {
    while (!monitor.cancelled()) std::this_thread::yield();
    return TaskResult();
  });
  for (std::uint32_t round = 0; worker.TrySend(TaskOf(round));) ++round;  // until it leaves
  EXPECT_EQ(worker.Result().code(), StatusCode::kResourceExhausted);
}

TEST(WorkerSession, AReasonTooLongForAMessageIsCut) {
  Worker worker([](const auto&, auto&) -> StatusOr<TaskResult> { return Failed(std::string(1 << 20, 'x')); });
  worker.Send(TaskOf(0));
  EXPECT_LE(worker.Expect<wire::WorkerFailed>().message.size(), std::size_t{1} << 16);
}

TEST(WorkerSession, MoreMetricsThanAMessageHoldsAreCut) {
  Worker worker([](const auto&, auto&) -> StatusOr<TaskResult> {
    TaskResult result;
    for (int i = 0; i < 1000; ++i) result.metrics[std::to_string(i)] = i;
    return result;
  });
  worker.Send(TaskOf(0));
  EXPECT_EQ(worker.Expect<wire::WorkerDone>().metrics.size(), 256U);
}

}  // namespace
}  // namespace consilium::trainer
