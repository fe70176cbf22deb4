// The parts that need no connection: codes, the log's limit, our own certificate.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "comm/transport/grpc/log_limiter.h"
#include "comm/transport/grpc/own_certificate.h"
#include "comm/transport/grpc/status_codes.h"
#include "comm/transport/grpc/work_queue.h"
#include "tests/unit/comm/transport/grpc/parties.h"

namespace consilium::transport::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(StatusCodes, EveryCodeOfOursSurvivesACall) {
  for (int i = 1; i <= static_cast<int>(StatusCode::kUnimplemented); ++i) {
    const Status status(static_cast<StatusCode>(i), "why");
    const grpc::Status carried = ToGrpcStatus(status);
    EXPECT_FALSE(carried.ok());
    EXPECT_EQ(FromGrpcStatus(carried).code(), status.code());
    EXPECT_EQ(FromGrpcStatus(carried).message(), "why");
    EXPECT_TRUE(IsFromPeer(carried));
  }
  EXPECT_TRUE(ToGrpcStatus(Status()).ok());
  EXPECT_TRUE(FromGrpcStatus(grpc::Status::OK).ok());
}

TEST(StatusCodes, WhatTheNetworkSaysIsUnavailableUnlessItIsKnownBetter) {
  using Code = grpc::StatusCode;
  for (const Code code : {Code::UNAVAILABLE, Code::UNKNOWN, Code::INTERNAL, Code::ABORTED})
    EXPECT_EQ(FromGrpcStatus(grpc::Status(code, "x")).code(), StatusCode::kUnavailable);
  EXPECT_EQ(FromGrpcStatus(grpc::Status(Code::UNIMPLEMENTED, "x")).code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(FromGrpcStatus(grpc::Status(Code::DEADLINE_EXCEEDED, "x")).code(), StatusCode::kDeadlineExceeded);
  EXPECT_FALSE(IsFromPeer(grpc::Status(Code::UNAVAILABLE, "x")));
}

TEST(StatusCodes, DetailsThatAPeerMadeUpAreNotBelieved) {
  for (const std::string details : {"consilium-status-code:", "consilium-status-code:0", "consilium-status-code:-1",
                                    "consilium-status-code:999", "consilium-status-code:3x", "something"}) {
    const grpc::Status status(grpc::StatusCode::UNAVAILABLE, "x", details);
    EXPECT_EQ(FromGrpcStatus(status).code(), StatusCode::kUnavailable) << details;
    EXPECT_FALSE(IsFromPeer(status));
  }
}

TEST(LogLimiter, LetsTheFirstOfASecondThroughAndCountsTheRest) {
  ManualClock clock;
  LogLimiter limiter(2, clock);
  std::uint64_t suppressed = 99;
  EXPECT_TRUE(limiter.Admit("a", &suppressed));
  EXPECT_EQ(suppressed, 0u);
  EXPECT_TRUE(limiter.Admit("a", &suppressed));
  for (int i = 0; i < 7; ++i) EXPECT_FALSE(limiter.Admit("a", &suppressed));
  EXPECT_TRUE(limiter.Admit("b", &suppressed));  // another kind is not hidden by it
  clock.Advance(std::chrono::milliseconds(999));
  EXPECT_FALSE(limiter.Admit("a", &suppressed));
  clock.Advance(std::chrono::milliseconds(1));
  EXPECT_TRUE(limiter.Admit("a", &suppressed));
  EXPECT_EQ(suppressed, 8u);
}

TEST(LogLimiter, KindsThatAPeerInventsShareOneLimit) {
  ManualClock clock;
  LogLimiter limiter(1, clock);
  std::uint64_t suppressed = 0;
  int admitted = 0;
  for (int i = 0; i < 1000; ++i) admitted += limiter.Admit(Concat("kind ", i), &suppressed) ? 1 : 0;
  EXPECT_EQ(admitted, 65);
}

TEST(WorkQueue, RunsEverythingThatWasAddedBeforeItEnds) {
  std::atomic<int> sum{0};
  {
    WorkQueue queue(3);
    for (int i = 1; i <= 1000; ++i) queue.Add([&sum, i] { sum += i; });
  }
  EXPECT_EQ(sum, 500500);
}

TEST(OwnCertificate, AGoodOneSaysWhoWeAre) {
  const OwnCertificate own = LoadOwnCertificate(SharedParties().tls("beta"), Role::kSite).value();
  EXPECT_EQ(own.self, (PeerName{kProject, Role::kSite, "beta"}));
  EXPECT_GT(own.not_after, std::chrono::system_clock::now() + std::chrono::hours(24 * 360));
}

TEST(OwnCertificate, FilesThatAreMissingOrNotPemAreNamed) {
  const TlsFiles good = SharedParties().tls("beta");
  TlsFiles files = good;
  files.certificate = "/nonexistent/tls.crt";
  EXPECT_EQ(LoadOwnCertificate(files, Role::kSite).code(), StatusCode::kNotFound);
  files = good;
  files.certificate = good.key;
  EXPECT_THAT(LoadOwnCertificate(files, Role::kSite).status().message(), HasSubstr("is not a certificate in PEM"));
  files = good;
  files.key = good.certificate;
  EXPECT_THAT(LoadOwnCertificate(files, Role::kSite).status().message(),
              HasSubstr("is not an unencrypted private key in PEM"));
}

TEST(OwnCertificate, OneForServersIsNotAcceptedForASite) {
  const TlsFiles files =
      SharedParties().Forge({.uri = "spiffe://heart/site/alpha", .use = crypto::CertificateUse::kServer});
  const auto own = LoadOwnCertificate(files, Role::kSite);
  EXPECT_EQ(own.code(), StatusCode::kUnauthenticated);
  EXPECT_THAT(own.status().message(), AllOf(HasSubstr("our certificate"), HasSubstr("not made for this role")));
}

TEST(OwnCertificate, OneWithoutAnIdentityIsRefused) {
  const auto own = LoadOwnCertificate(SharedParties().Forge({}), Role::kSite);
  EXPECT_THAT(own.status().message(), HasSubstr("has no URI name"));
}

}  // namespace
}  // namespace consilium::transport::testing
