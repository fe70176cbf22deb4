// The life of control streams: duplicates, silence, slow readers, shutdown.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tests/unit/comm/transport/grpc/rig.h"

namespace consilium::transport::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Event = CoordinatorRecorder::Event;

std::vector<Event::Kind> Kinds(Rig* rig) {
  std::vector<Event::Kind> kinds;
  for (const Event& event : rig->events().events()) kinds.push_back(event.kind);
  return kinds;
}

TEST(Session, TheNewestConnectionOfASiteWins) {
  Rig rig;
  const auto older = rig.Connect("alpha");
  const Event first = rig.events().Await(Event::kConnect, "alpha");
  const auto newer = rig.Connect("alpha");
  const Event second = rig.events().Await(Event::kConnect, "alpha", 1);
  EXPECT_NE(first.session, second.session);
  const Status ended = older->events.AwaitDisconnect();
  EXPECT_EQ(ended.code(),
            StatusCode::kFailedPrecondition);  // so that two clients with one kit do not take turns for ever
  EXPECT_THAT(ended.message(), HasSubstr("another client connected with the certificate of 'alpha'"));
  EXPECT_THAT(Kinds(&rig), ::testing::ElementsAre(Event::kConnect, Event::kDisconnect, Event::kConnect));
  EXPECT_EQ(rig.events().Await(Event::kDisconnect, "alpha").session, first.session);

  rig.coordinator().Send(first.session, wire::StandDown{AnyTask(), "nobody hears this"});
  rig.coordinator().Send(second.session, wire::StandDown{AnyTask(), "hello"});
  EXPECT_EQ(std::get<wire::StandDown>(newer->events.AwaitMessage(1)).reason, "hello");
  newer->transport->Send(wire::Heartbeat{});
  EXPECT_EQ(rig.events().Await(Event::kMessage, "alpha").session, second.session);
}

TEST(Session, ManyReconnectionsAtOnceLeaveExactlyOneSession) {
  Rig rig;
  std::vector<std::unique_ptr<Site>> sites(6);
  std::vector<std::thread> threads;
  for (auto& site : sites) threads.emplace_back([&] { site = rig.Connect("alpha"); });
  for (std::thread& thread : threads) thread.join();
  rig.events().Await(Event::kConnect, "alpha", sites.size() - 1);
  int open = 0;
  for (const Event::Kind kind : Kinds(&rig)) {
    open += kind == Event::kConnect ? 1 : -1;
    EXPECT_TRUE(open == 0 || open == 1);
  }
  EXPECT_EQ(open, 1);
}

TEST(Session, ASiteThatLeavesIsReportedOnce) {
  Rig rig;
  auto site = rig.Connect("alpha");
  site->transport->Close();
  EXPECT_EQ(site->events.AwaitDisconnect().code(), StatusCode::kCancelled);
  EXPECT_EQ(rig.events().Await(Event::kDisconnect, "alpha").reason.code(), StatusCode::kUnavailable);
  site.reset();
  rig.ExpectWorks(rig.Connect("alpha").get());
}

TEST(Session, TheCoordinatorCanCloseWithAReason) {
  Rig rig;
  const auto site = rig.Connect("alpha");
  const Event connected = rig.events().Await(Event::kConnect, "alpha");
  rig.coordinator().Close(connected.session, {StatusCode::kPermissionDenied, "the project is over"});
  EXPECT_EQ(std::get<wire::Refusal>(site->events.AwaitMessage(1)).message, "the project is over");
  const Status reason = site->events.AwaitDisconnect();
  EXPECT_EQ(reason.code(), StatusCode::kPermissionDenied);
  EXPECT_THAT(reason.message(), HasSubstr("the project is over"));
  rig.events().Await(Event::kDisconnect, "alpha");
}

TEST(Session, ASilentSiteIsClosedAndNamed) {
  Rig rig([](GrpcServerOptions* options) { options->silence_timeout = std::chrono::milliseconds(300); });
  const auto site = rig.Connect("alpha");
  const Event ended = rig.events().Await(Event::kDisconnect, "alpha");
  EXPECT_EQ(ended.reason.code(), StatusCode::kDeadlineExceeded);
  EXPECT_THAT(ended.reason.message(), HasSubstr("nothing was heard from the site for 300ms"));
  EXPECT_EQ(site->events.AwaitDisconnect().code(), StatusCode::kDeadlineExceeded);
}

TEST(Session, AStreamWithoutHelloIsEnded) {
  Rig rig([](GrpcServerOptions* options) { options->hello_timeout = std::chrono::milliseconds(100); });
  const auto stub = rig.Stub(rig.parties().tls("alpha"));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  const grpc::Status status = stub->Session(&context)->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_THAT(status.error_message(), HasSubstr("did not say Hello within 100ms"));
  EXPECT_TRUE(rig.events().events().empty());
}

struct BadOpening {
  const char* what;
  Bytes first;
  std::string reason;
};

TEST(Session, AMessageThatIsNoneOrOutOfOrderIsRefused) {
  Rig rig;
  const Bytes hello = wire::Encode(wire::SiteMessage(wire::Hello{}));
  const BadOpening openings[] = {
      {"garbage", Bytes(100, 0xee), "could not be read"},
      {"nothing", {}, "could not be read"},
      {"a truncated Hello", Bytes(hello.begin(), hello.end() - 1), "could not be read"},
      {"a heartbeat first", wire::Encode(wire::SiteMessage(wire::Heartbeat{})), "begins with Hello"},
  };
  for (const BadOpening& opening : openings) {
    const auto stub = rig.Stub(rig.parties().tls("alpha"));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    const auto stream = stub->Session(&context);
    v1::Envelope envelope;
    envelope.set_body(opening.first.data(), opening.first.size());
    stream->Write(envelope);
    ASSERT_TRUE(stream->Read(&envelope)) << opening.what;
    const auto answer = wire::DecodeCoordinatorMessage(AsBytes(envelope.body()));
    EXPECT_THAT(std::get<wire::Refusal>(answer.value()).message, HasSubstr(opening.reason)) << opening.what;
    EXPECT_FALSE(stream->Read(&envelope));
    EXPECT_FALSE(stream->Finish().ok());
  }
  EXPECT_TRUE(rig.events().events().empty());
}

TEST(Session, ASecondHelloAndAnOversizedMessageEndTheSession) {
  Rig rig;
  auto site = rig.Connect("alpha");
  site->transport->Send(wire::Hello{});
  EXPECT_EQ(site->events.AwaitDisconnect().code(), StatusCode::kFailedPrecondition);

  site = rig.Connect("alpha");
  wire::UpdateReady huge{.task = AnyTask()};
  huge.update.chunks.resize(50'000);  // 1.6 MB
  site->transport->Send(huge);
  EXPECT_FALSE(site->events.AwaitDisconnect().ok());
  rig.ExpectWorks(rig.Connect("alpha").get());
}

TEST(Session, ASiteThatDoesNotReadIsCutOffAndOthersAreNot) {
  Rig rig([](GrpcServerOptions* options) { options->queued_messages_max = 64; });
  const auto deaf = rig.Connect("alpha"), other = rig.Connect("beta");
  deaf->events.Block();
  const SessionId session = rig.events().Await(Event::kConnect, "alpha").session;
  const wire::Task task{.task = AnyTask(), .job_json = std::string(60'000, 'x')};
  // HTTP/2 windows and sockets take a few megabytes; then the queue fills.
  for (int i = 0; i < 400; ++i) rig.coordinator().Send(session, task);
  const Event ended = rig.events().Await(Event::kDisconnect, "alpha");
  EXPECT_EQ(ended.reason.code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(ended.reason.message(), HasSubstr("64 messages wait for it"));
  rig.ExpectWorks(other.get());
  deaf->events.Unblock();
}

TEST(Session, ShutdownIsPromptAndTellsTheSites) {
  Rig rig;
  const auto alpha = rig.Connect("alpha"), beta = rig.Connect("beta");
  const Instant begin = SystemClock().Now();
  rig.coordinator().Shutdown();
  EXPECT_LT(Seconds(SystemClock().Now() - begin), 2.0);
  for (const auto* site : {alpha.get(), beta.get()}) {
    const Status reason = const_cast<Site*>(site)->events.AwaitDisconnect();
    EXPECT_EQ(reason.code(), StatusCode::kUnavailable);
    EXPECT_THAT(reason.message(), HasSubstr("the coordinator is shutting down"));
  }
  // All callbacks have run.
  EXPECT_EQ(rig.events().events().size(), 4u);
  const Status again = rig.TryConnect(rig.ClientOptions("alpha"));
  EXPECT_EQ(again.code(), StatusCode::kUnavailable);
  EXPECT_THAT(again.message(), HasSubstr("connection refused"));
}

TEST(Session, ASecondCoordinatorOnThePortIsRefused) {
  Rig rig;
  GrpcServerOptions options = ServerOptionsFrom(ReadKit(rig.parties().folder("coordinator")).value());
  options.address = "127.0.0.1";
  options.port = rig.coordinator().port();
  options.blobs = &rig.blobs();
  const auto second = StartGrpcServer(options, &rig.events());
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), StatusCode::kUnavailable);
  EXPECT_THAT(second.status().message(), AllOf(HasSubstr("is in use"), HasSubstr("another coordinator")));
}

}  // namespace
}  // namespace consilium::transport::testing
