// Who may come in: a site is who its certificate says, and nobody else comes in at all.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "comm/base/file.h"
#include "comm/transport/grpc/status_codes.h"
#include "tests/unit/comm/transport/grpc/rig.h"

namespace consilium::transport::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Event = CoordinatorRecorder::Event;

// Opens a session as `files` say and sends Hello; the first message that comes back, or the call's status.
StatusOr<wire::CoordinatorMessage> Greet(Rig* rig, const TlsFiles& files, const wire::Hello& hello = {}) {
  const auto stub = rig->Stub(files);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  const auto stream = stub->Session(&context);
  v1::Envelope envelope;
  const Bytes bytes = wire::Encode(wire::SiteMessage(hello));
  envelope.set_body(bytes.data(), bytes.size());
  stream->Write(envelope);
  const bool answered = stream->Read(&envelope);
  if (answered) context.TryCancel();
  const grpc::Status end = stream->Finish();
  if (!answered) return end.ok() ? Failed("an end without an answer") : FromGrpcStatus(end);
  return wire::DecodeCoordinatorMessage(AsBytes(envelope.body()));
}

Status RefusalOf(const StatusOr<wire::CoordinatorMessage>& answer) {
  if (!answer.ok()) return answer.status();
  const auto* refusal = std::get_if<wire::Refusal>(&*answer);
  return refusal == nullptr ? Status() : Status(refusal->code, refusal->message);
}

// The handshake itself failed: nothing of ours has answered.
void ExpectShutOut(Rig* rig, const TlsFiles& files, const std::string& reason) {
  // The log lets a few lines of a kind through each second, and other tests have had some: some tries may go
  // unreported.
  for (int i = 0; i < 300 && rig->log().find(reason) == std::string::npos; ++i) {
    const auto answer = Greet(rig, files);
    ASSERT_FALSE(answer.ok());
    EXPECT_EQ(answer.code(), StatusCode::kUnavailable) << answer.status();
  }
  EXPECT_THAT(rig->log(), AllOf(HasSubstr("event=tls_handshake_failed"), HasSubstr(reason)));
  EXPECT_TRUE(rig->events().events().empty());
}

TEST(Identity, ASiteOfTheRosterComesInUnderTheNameInItsCertificate) {
  Rig rig;
  const auto site = rig.Connect("beta");
  EXPECT_EQ(rig.events().Await(Event::kConnect, "beta").build, "test");
}

TEST(Identity, ASiteCannotClaimToBeAnother) {
  Rig rig;
  const auto beta = rig.Connect("beta");
  rig.events().Await(Event::kConnect, "beta");
  // alpha's certificate, and everything that the sender chooses says beta.
  const auto answer = Greet(&rig, rig.parties().tls("alpha"), {.build = "beta", .instance = "beta"});
  ASSERT_TRUE(IsOk(answer.status()));
  EXPECT_TRUE(std::holds_alternative<wire::Welcome>(*answer));
  EXPECT_EQ(rig.events().Await(Event::kConnect, "alpha").build, "beta");
  rig.ExpectWorks(beta.get());
  for (const Event& event : rig.events().events())
    EXPECT_FALSE(event.site == SiteName("beta") && event.kind == Event::kDisconnect);
}

TEST(Identity, ACertificateOfAnotherAuthorityIsShutOut) {
  Rig rig;
  Parties others({"alpha"});
  const auto beta = rig.Connect("beta");
  GrpcClientOptions options = rig.ClientOptions("alpha");
  options.tls = others.tls("alpha");
  const Status status = rig.TryConnect(options);
  EXPECT_EQ(status.code(), StatusCode::kUnauthenticated);
  EXPECT_THAT(status.message(), AllOf(HasSubstr("the coordinator's certificate"),
                                      HasSubstr("signed by another authority"), HasSubstr("consilium provision")));
  Rig fresh;
  ExpectShutOut(&fresh, others.tls("alpha"),
                "the peer's certificate (O = heart, OU = site, CN = alpha, spiffe://heart/site/alpha) is signed by "
                "another authority");
  rig.ExpectWorks(beta.get());
}

TEST(Identity, OurCertificateWithAnotherAuthorityBesideItIsNotEvenShown) {
  Rig rig;
  Parties others({"alpha"});
  GrpcClientOptions options = rig.ClientOptions("alpha");
  options.tls.ca = others.tls("alpha").ca;
  const Status status = rig.TryConnect(options);
  EXPECT_EQ(status.code(), StatusCode::kUnauthenticated);
  EXPECT_THAT(status.message(), AllOf(HasSubstr("our certificate"), HasSubstr("signed by another authority")));
  EXPECT_THAT(rig.log(), Not(HasSubstr("tls_handshake_failed")));
}

TEST(Identity, AnExpiredCertificateIsExplainedHereAndShutOutThere) {
  Rig rig;
  const TlsFiles expired = rig.parties().Forge(
      {.uri = "spiffe://heart/site/alpha", .begins_in = std::chrono::hours(-48), .ends_in = std::chrono::hours(-24)});
  GrpcClientOptions options = rig.ClientOptions("alpha");
  options.tls = expired;
  const Status status = rig.TryConnect(options);
  EXPECT_EQ(status.code(), StatusCode::kUnauthenticated);
  EXPECT_THAT(status.message(), AllOf(HasSubstr("our certificate"), HasSubstr("expired on 20")));
  ExpectShutOut(&rig, expired, "(O = heart, CN = forged, spiffe://heart/site/alpha) expired on 20");
  rig.ExpectWorks(rig.Connect("alpha").get());
}

TEST(Identity, ACertificateThatIsNotValidYetIsExplainedHereAndShutOutThere) {
  Rig rig;
  const TlsFiles early = rig.parties().Forge(
      {.uri = "spiffe://heart/site/alpha", .begins_in = std::chrono::hours(24), .ends_in = std::chrono::hours(48)});
  GrpcClientOptions options = rig.ClientOptions("alpha");
  options.tls = early;
  const Status status = rig.TryConnect(options);
  EXPECT_EQ(status.code(), StatusCode::kUnauthenticated);
  EXPECT_THAT(status.message(), AllOf(HasSubstr("our certificate"), HasSubstr("not valid before"), HasSubstr("clock")));
  ExpectShutOut(&rig, early, "is not valid before 20");
}

TEST(Identity, WithoutACertificateNobodyComesIn) {
  Rig rig;
  ExpectShutOut(&rig, {}, "peer did not return a certificate");
  rig.ExpectWorks(rig.Connect("alpha").get());
}

TEST(Identity, TheCoordinatorsCertificateIsShutOutAsASites) {
  Rig rig;
  ExpectShutOut(&rig, rig.parties().tls("coordinator"), "is not made for this role");
  GrpcClientOptions options = rig.ClientOptions("alpha");
  options.tls = rig.parties().tls("coordinator");
  const Status status = rig.TryConnect(options);
  EXPECT_EQ(status.code(), StatusCode::kUnauthenticated);
  EXPECT_THAT(status.message(), HasSubstr("is for the coordinator 'coordinator'; here the site's is needed"));
}

TEST(Identity, ASitesCertificateCannotServeAsTheCoordinators) {
  Rig rig;
  const auto started = [&] {
    GrpcServerOptions options;
    options.tls = rig.parties().tls("alpha");
    options.blobs = &rig.blobs();
    return StartGrpcServer(options, &rig.events());
  }();
  ASSERT_FALSE(started.ok());
  EXPECT_EQ(started.status().code(), StatusCode::kUnauthenticated);
  EXPECT_THAT(started.status().message(), HasSubstr("is for the site 'alpha'; here the coordinator's is needed"));
}

struct RefusedIdentity {
  const char* uri;
  const char* reason;
};

TEST(Identity, CertificatesOfOurAuthorityWithAnotherIdentityAreRefusedByName) {
  Rig rig;
  const RefusedIdentity cases[] = {
      {"spiffe://heart/site/delta", "'delta' of the certificate is not on the roster of project 'heart'"},
      {"spiffe://heart/coordinator/alpha", "is for the coordinator 'alpha'; only sites"},
      {"spiffe://heart/operator/admin", "is for the operator 'admin'; only sites"},
      {"spiffe://lung/site/alpha", "is for project 'lung', this is project 'heart'"},
      {"spiffe://heart/site/alpha/beta", "not of the form"},
      {"spiffe://heart/site/", "not of the form"},
      {"https://heart/site/alpha", "not of the form"},
      {"", "0 URI names"},
  };
  for (const RefusedIdentity& refused : cases) {
    const Status status = RefusalOf(Greet(&rig, rig.parties().Forge({.uri = refused.uri})));
    EXPECT_FALSE(status.ok()) << refused.uri;
    EXPECT_THAT(status.message(), HasSubstr(refused.reason)) << refused.uri;
    EXPECT_THAT(rig.log(), HasSubstr(refused.reason)) << refused.uri;
  }
  EXPECT_TRUE(rig.events().events().empty());
}

TEST(Identity, OurClientHearsTheRefusalOfTheRoster) {
  Rig rig;
  GrpcClientOptions options = rig.ClientOptions("alpha");
  options.tls = rig.parties().Forge({.uri = "spiffe://heart/site/delta"});
  const Status status = rig.TryConnect(options);
  EXPECT_EQ(status.code(), StatusCode::kPermissionDenied);
  EXPECT_THAT(status.message(), HasSubstr("the site 'delta' of the certificate is not on the roster"));
}

TEST(Identity, BlobCallsAreRefusedLikeSessions) {
  Rig rig;
  const auto stub = rig.Stub(rig.parties().Forge({.uri = "spiffe://heart/site/delta"}));
  grpc::ClientContext fetch_context, upload_context, status_context;
  v1::FetchRequest request;
  request.set_digest(std::string(32, 'x'));
  EXPECT_EQ(stub->Fetch(&fetch_context, request)->Finish().error_code(), grpc::StatusCode::PERMISSION_DENIED);
  v1::UploadResult result;
  EXPECT_EQ(stub->Upload(&upload_context, &result)->Finish().error_code(), grpc::StatusCode::PERMISSION_DENIED);
  v1::UploadStatusReply reply;
  EXPECT_EQ(stub->UploadStatus(&status_context, {}, &reply).error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

TEST(Identity, ACoordinatorOfAnotherNameIsNotTrusted) {
  Rig rig;
  GrpcClientOptions options = rig.ClientOptions("alpha");
  options.coordinator_name = "somebody-else";
  const Status status = rig.TryConnect(options);
  EXPECT_EQ(status.code(), StatusCode::kUnauthenticated);
  EXPECT_THAT(status.message(), HasSubstr("is not the coordinator of this project"));
}

TEST(Identity, AnotherMajorVersionIsRefusedWithBothNumbers) {
  Rig rig;
  const Status status = RefusalOf(Greet(&rig, rig.parties().tls("alpha"), {.protocol_major = 2, .build = "9.9"}));
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), AllOf(HasSubstr(Concat("protocol 2.", wire::kProtocolMinor)),
                                      HasSubstr(Concat("coordinator 1.", wire::kProtocolMinor))));
  EXPECT_THAT(rig.log(), HasSubstr("event=session_refused"));
  EXPECT_TRUE(rig.events().events().empty());
}

TEST(Identity, ARevokedCertificateIsRefusedWithTheReasonAndTheSitesNewOneIsNot) {
  // beta's certificate is the authority's and has not ended; its serial number stands on the roster's list.
  const StatusOr<std::string> pem = ReadFile(SharedParties().tls("beta").certificate);
  ASSERT_TRUE(pem.ok());
  const std::string serial = crypto::Certificate::FromPem(*pem)->serial();
  Rig rig([&](GrpcServerOptions* options) { options->revoked[serial] = "laptop stolen"; });
  const Status refusal = RefusalOf(Greet(&rig, rig.parties().tls("beta")));
  EXPECT_EQ(refusal.code(), StatusCode::kPermissionDenied) << refusal;
  EXPECT_THAT(refusal.message(), AllOf(HasSubstr(serial), HasSubstr("was revoked: laptop stolen")));
  EXPECT_TRUE(IsOk(RefusalOf(Greet(&rig, rig.parties().Forge({.uri = "spiffe://heart/site/beta"})))));
  const auto alpha = rig.Connect("alpha");
  rig.ExpectWorks(alpha.get());
}

TEST(Identity, ASigningCertificateOpensNoConnection) {
  Rig rig;
  // The authority's, for the right site, and even for a P-256 key: only the usage is another.
  const TlsFiles files =
      rig.parties().Forge({.uri = "spiffe://heart/site/alpha", .use = crypto::CertificateUse::kSigning});
  const auto answer = Greet(&rig, files);
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.code(), StatusCode::kUnavailable) << "the handshake itself fails: " << answer.status();
  EXPECT_TRUE(rig.events().events().empty());
}

}  // namespace
}  // namespace consilium::transport::testing
