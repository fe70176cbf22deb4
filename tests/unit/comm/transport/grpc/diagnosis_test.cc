// Connections that cannot be made: the reason in words, permanent or not, within the deadline.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "comm/base/file.h"
#include "tests/unit/comm/transport/grpc/rig.h"

namespace consilium::transport::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Answers every connection with the same bytes (none: stays silent; "close": hangs up).
class Impostor {
 public:
  explicit Impostor(std::string answer) : answer_(std::move(answer)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    CONSILIUM_CHECK(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                    ::listen(listener_, 16) == 0 &&
                    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Run(); });
  }
  ~Impostor() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
    for (const int connection : connections_) ::close(connection);
  }
  int port() const { return port_; }

 private:
  void Run() {
    for (;;) {
      const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (connection < 0) return;
      if (answer_ == "close") {
        ::close(connection);
        continue;
      }
      (void)::send(connection, answer_.data(), answer_.size(), MSG_NOSIGNAL);
      connections_.push_back(connection);
    }
  }
  const std::string answer_;
  int listener_ = -1, port_ = 0;
  std::vector<int> connections_;
  std::thread thread_;
};

TEST(Diagnosis, NobodyListensThere) {
  Rig rig;
  GrpcClientOptions options = rig.ClientOptions("alpha");
  options.port = [] { return Impostor("").port(); }();  // closed again
  const Status status = rig.TryConnect(options);
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(status.message(), AllOf(HasSubstr("nothing listens on 127.0.0.1:"), HasSubstr("connection refused")));
}

TEST(Diagnosis, TheHostHasNoAddress) {
  Rig rig;
  GrpcClientOptions options = rig.ClientOptions("alpha");
  options.host = "coordinator.invalid";
  options.connect_timeout = std::chrono::seconds(2);
  const Status status = rig.TryConnect(options);
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("'coordinator.invalid' has no address"));
}

TEST(Diagnosis, WhatListensIsNoTlsServer) {
  Rig rig;
  for (const std::string answer :
       {"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n"}) {
    Impostor impostor(answer);
    GrpcClientOptions options = rig.ClientOptions("alpha");
    options.port = impostor.port();
    const Status status = rig.TryConnect(options);
    EXPECT_EQ(status.code(), StatusCode::kUnauthenticated) << answer;
    EXPECT_THAT(status.message(), HasSubstr("is not a TLS server")) << answer;
  }
}

TEST(Diagnosis, WhatListensHangsUpOrIsSilent) {
  Rig rig;
  GrpcClientOptions options = rig.ClientOptions("alpha");
  options.connect_timeout = std::chrono::milliseconds(500);
  Impostor closing("close"), silent("");
  options.port = closing.port();
  const Status closed = rig.TryConnect(options);
  EXPECT_EQ(closed.code(), StatusCode::kUnavailable);
  EXPECT_THAT(closed.message(), HasSubstr("closed the connection during the TLS handshake"));
  options.port = silent.port();
  const Instant begin = SystemClock().Now();
  const Status unanswered = rig.TryConnect(options);
  EXPECT_EQ(unanswered.code(), StatusCode::kUnavailable);
  EXPECT_THAT(unanswered.message(), HasSubstr("does not answer a TLS greeting"));
  EXPECT_LT(Seconds(SystemClock().Now() - begin), 3.0);
}

// A gRPC server with certificates that ours would not start with.
std::unique_ptr<grpc::Server> ServeWith(const TlsFiles& files, int* port, grpc::Service* service = nullptr) {
  grpc::SslServerCredentialsOptions tls(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  tls.pem_root_certs = ReadFile(files.ca).value();
  tls.pem_key_cert_pairs.push_back({ReadFile(files.key).value(), ReadFile(files.certificate).value()});
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::SslServerCredentials(tls), port);
  static v1::Federation::Service nothing_implemented;
  builder.RegisterService(service == nullptr ? &nothing_implemented : service);
  return builder.BuildAndStart();
}

TEST(Diagnosis, ACoordinatorsBadCertificateIsExplained) {
  Rig rig;
  const std::string dns_name = CoordinatorDnsName(kProject, "coordinator");
  const std::string uri = "spiffe://heart/coordinator/coordinator";
  const std::pair<TlsFiles, std::string> cases[] = {
      {rig.parties().Forge({.uri = uri,
                            .use = crypto::CertificateUse::kServer,
                            .begins_in = std::chrono::hours(-48),
                            .ends_in = std::chrono::hours(-24),
                            .dns_names = {dns_name}}),
       "expired on 20"},
      {rig.parties().Forge({.uri = uri,
                            .use = crypto::CertificateUse::kServer,
                            .begins_in = std::chrono::hours(24),
                            .ends_in = std::chrono::hours(48),
                            .dns_names = {dns_name}}),
       "is not valid before"},
      {rig.parties().tls("beta"), "is not made for this role"},
      {rig.parties().Forge({.uri = uri, .use = crypto::CertificateUse::kServer, .dns_names = {"other.example.org"}}),
       "is not the coordinator of this project"},
  };
  for (const auto& [files, reason] : cases) {
    int port = 0;
    const auto server = ServeWith(files, &port);
    ASSERT_NE(server, nullptr);
    GrpcClientOptions options = rig.ClientOptions("alpha");
    options.port = port;
    const Status status = rig.TryConnect(options);
    EXPECT_EQ(status.code(), StatusCode::kUnauthenticated) << reason;
    EXPECT_THAT(status.message(), AllOf(HasSubstr("the coordinator's certificate"), HasSubstr(reason)));
    server->Shutdown();
  }
}

TEST(Diagnosis, ACoordinatorThatRejectsOurCertificateIsNotAskedForEver) {
  Rig rig;
  // It has our authority's certificate, but trusts another: as after a new provisioning of the sites alone.
  Parties others({"alpha"});
  TlsFiles files = rig.parties().tls("coordinator");
  files.ca = others.tls("alpha").ca;
  int port = 0;
  const auto server = ServeWith(files, &port);
  ASSERT_NE(server, nullptr);
  GrpcClientOptions options = rig.ClientOptions("alpha");
  options.port = port;
  const Status status = rig.TryConnect(options);
  EXPECT_EQ(status.code(), StatusCode::kUnauthenticated);
  EXPECT_THAT(status.message(), AllOf(HasSubstr("coordinator"), HasSubstr("our certificate"), HasSubstr("authority")));
  server->Shutdown();
}

TEST(Diagnosis, AGrpcServerThatIsNoCoordinatorIsRecognised) {
  Rig rig;
  int port = 0;
  const auto server = ServeWith(rig.parties().tls("coordinator"), &port);  // the service's methods are not implemented
  GrpcClientOptions options = rig.ClientOptions("alpha");
  options.port = port;
  SiteRecorder events;
  const auto blobs = BlobStore::Open(rig.folder("blobs")).value();
  options.blobs = blobs.get();
  const auto transport = ConnectGrpc(options, &events);
  ASSERT_TRUE(IsOk(transport.status()));
  EXPECT_EQ(events.AwaitDisconnect().code(), StatusCode::kFailedPrecondition);
  server->Shutdown();
}

// Takes a session and says nothing.
class MuteService final : public v1::Federation::CallbackService {
 public:
  grpc::ServerBidiReactor<v1::Envelope, v1::Envelope>* Session(grpc::CallbackServerContext*) override {
    class Mute final : public grpc::ServerBidiReactor<v1::Envelope, v1::Envelope> {
      void OnCancel() override { Finish(grpc::Status::OK); }
      void OnDone() override { delete this; }
    };
    return new Mute;
  }
};

TEST(Diagnosis, ACoordinatorThatDoesNotAnswerHelloIsGivenUp) {
  Rig rig;
  MuteService mute;
  int port = 0;
  const auto server = ServeWith(rig.parties().tls("coordinator"), &port, &mute);
  GrpcClientOptions options = rig.ClientOptions("alpha");
  options.port = port;
  options.connect_timeout = std::chrono::milliseconds(300);
  SiteRecorder events;
  const auto blobs = BlobStore::Open(rig.folder("blobs")).value();
  options.blobs = blobs.get();
  const auto transport = ConnectGrpc(options, &events);
  ASSERT_TRUE(IsOk(transport.status()));
  const Status reason = events.AwaitDisconnect();
  EXPECT_EQ(reason.code(), StatusCode::kUnavailable);
  EXPECT_THAT(reason.message(), HasSubstr("did not answer Hello"));
  (*transport)->Close();
  server->Shutdown();
}

TEST(Diagnosis, AKeyOfAnotherKitIsNoticedBeforeDialling) {
  Rig rig;
  GrpcClientOptions options = rig.ClientOptions("alpha");
  options.tls.key = rig.parties().tls("beta").key;
  const Status status = rig.TryConnect(options);
  EXPECT_EQ(status.code(), StatusCode::kUnauthenticated);
  EXPECT_THAT(status.message(), HasSubstr("does not belong to the certificate"));
}

}  // namespace
}  // namespace consilium::transport::testing
