// Questions of operators: who may ask, and what happens when nobody answers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "comm/transport/grpc/operator_client.h"
#include "tests/unit/comm/transport/grpc/rig.h"

namespace consilium::transport::testing {
namespace {

using ::testing::HasSubstr;

// Answers with who asked, or keeps silent.
class Desk final : public OperatorEvents {
 public:
  void OnRequest(const PeerName& who, wire::OperatorRequest request, Answer answer) override {
    const std::lock_guard lock(mutex_);
    ++asked_;
    if (!std::holds_alternative<wire::Ping>(request)) return unanswered_.push_back(std::move(answer));
    answer(wire::OperatorReply(wire::Pong{.you = ToUri(who)}));
    answer(Failed("a second answer does nothing"));
  }
  int asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }
  void AnswerAll() {
    const std::lock_guard lock(mutex_);
    for (const Answer& answer : unanswered_) answer(wire::OperatorReply(wire::Document{"{}"}));
    unanswered_.clear();
  }

 private:
  std::mutex mutex_;
  int asked_ = 0;
  std::vector<Answer> unanswered_;
};

class Questions : public ::testing::Test {
 protected:
  Questions() : rig_([this](GrpcServerOptions* options) { options->operators = &desk_; }) {}

  StatusOr<std::unique_ptr<OperatorTransport>> Dial(const TlsFiles& tls, Role role) {
    GrpcClientOptions options = rig_.ClientOptions("alpha");
    options.tls = tls;
    return ConnectOperator(options, role);
  }
  std::unique_ptr<OperatorTransport> Admin() { return Dial(rig_.parties().tls("admin"), Role::kOperator).value(); }
  // How a party with this identity in a certificate of the project's authority fares.
  Status AskAs(const std::string& uri, Role role) {
    const auto transport = Dial(rig_.parties().Forge({.uri = uri}), role);
    if (!transport.ok()) return transport.status();
    return (*transport)->Ask(wire::Ping{}, kPatience).status();
  }

  Desk desk_;
  Rig rig_;
};

TEST_F(Questions, AnOperatorAndASiteAreWhoTheirCertificatesSay) {
  const auto admin = Admin()->Ask(wire::Ping{}, kPatience);
  ASSERT_TRUE(admin.ok()) << admin.status();
  EXPECT_EQ(std::get<wire::Pong>(*admin).you, "spiffe://heart/operator/admin/submit.view.abort");
  const auto site = Dial(rig_.parties().tls("beta"), Role::kSite).value()->Ask(wire::Ping{}, kPatience);
  EXPECT_EQ(std::get<wire::Pong>(site.value()).you, "spiffe://heart/site/beta");
}

TEST_F(Questions, StrangersAreRefusedBeforeTheyAreHeard) {
  EXPECT_EQ(AskAs("spiffe://lung/operator/ann/view", Role::kOperator).code(), StatusCode::kUnauthenticated)
      << "this is not the coordinator of its project";
  EXPECT_EQ(AskAs("spiffe://heart/site/delta", Role::kSite).code(), StatusCode::kPermissionDenied);
  EXPECT_EQ(desk_.asked(), 0);
  EXPECT_TRUE(IsOk(AskAs("spiffe://heart/operator/ann", Role::kOperator))) << "may ask; what for, the desk decides";
  EXPECT_EQ(Dial(rig_.parties().tls("admin"), Role::kSite).code(), StatusCode::kUnauthenticated);
}

TEST_F(Questions, AQuestionThatIsNotAnsweredEndsAtItsDeadline) {
  const auto admin = Admin();
  const auto reply = admin->Ask(wire::ListJobs{}, std::chrono::milliseconds(200));
  EXPECT_EQ(reply.code(), StatusCode::kDeadlineExceeded);
  desk_.AnswerAll();  // to nobody
  EXPECT_TRUE(admin->Ask(wire::Ping{}, kPatience).ok());
}

TEST_F(Questions, OnePartyCannotHaveQuestionsOpenWithoutEndAndShutdownEndsThem) {
  const auto admin = Admin();
  std::vector<std::thread> threads;
  std::vector<StatusCode> codes(8, StatusCode::kOk);
  for (StatusCode& code : codes) threads.emplace_back([&] { code = admin->Ask(wire::ListJobs{}, kPatience).code(); });
  const Instant deadline = SystemClock().Now() + kPatience;
  while (desk_.asked() < 8 && SystemClock().Now() < deadline) std::this_thread::yield();
  const auto ninth = admin->Ask(wire::Ping{}, kPatience);
  EXPECT_EQ(ninth.code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(ninth.status().message(), HasSubstr("8 questions open"));
  const auto other = Dial(rig_.parties().tls("beta"), Role::kSite).value()->Ask(wire::Ping{}, kPatience);
  EXPECT_TRUE(other.ok()) << "another party is not held up: " << other.status();
  rig_.coordinator().Shutdown();
  for (std::thread& thread : threads) thread.join();
  for (const StatusCode code : codes) EXPECT_EQ(code, StatusCode::kUnavailable);
  desk_.AnswerAll();  // too late, and harmless
}

TEST(QuestionsWithoutADesk, AreRefusedInWords) {
  Rig rig;
  GrpcClientOptions options = rig.ClientOptions("alpha");
  options.tls = rig.parties().tls("admin");
  const auto reply = ConnectOperator(options, Role::kOperator).value()->Ask(wire::Ping{}, kPatience);
  EXPECT_EQ(reply.code(), StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace consilium::transport::testing
