#include "privacy/pki/enrolment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "comm/base/file.h"
#include "privacy/crypto/request.h"
#include "tests/unit/privacy/pki/pki_fixture.h"

namespace consilium::pki {
namespace {

using ::testing::HasSubstr;

EnrolmentRequest MakeEnrolmentRequest() {
  EnrolmentRequest request{.project = "heart", .role = "site", .name = "delta"};
  request.tls_pem = crypto::MakeRequest("delta", crypto::PrivateKey::Generate().value()).value();
  request.signing_pem = crypto::MakeRequest("delta", crypto::SigningKey::Generate(SystemEntropy())).value();
  return request;
}

TEST(EnrolmentTest, ARequestProvesItsTwoKeysAndReadsBack) {
  consilium::testing::ScratchFolder scratch;
  EnrolmentRequest request = MakeEnrolmentRequest();
  request.by_current_key = crypto::SigningKey::Generate(SystemEntropy()).Sign(CanonicalBytes(request));
  ASSERT_TRUE(WriteJson(scratch / "request.json", ToJson(request)).ok());
  const EnrolmentRequest read = ReadRequest(scratch / "request.json").value();
  EXPECT_EQ(CanonicalBytes(read), CanonicalBytes(request));
  EXPECT_EQ(read.by_current_key, request.by_current_key);
  EXPECT_EQ(FingerprintOf(read), FingerprintOf(request));
  EXPECT_TRUE(KeysOf(read).ok());
}

TEST(EnrolmentTest, TheFingerprintMovesWithEveryPartAndIsComparedAsPeopleTypeIt) {
  const EnrolmentRequest request = MakeEnrolmentRequest();
  const std::string fingerprint = FingerprintOf(request);
  EXPECT_EQ(fingerprint.size(), 39u);  // eight groups of four
  EnrolmentRequest other = request;
  other.name = "gamma";
  EXPECT_NE(FingerprintOf(other), fingerprint);
  other = request;
  other.tls_pem = MakeEnrolmentRequest().tls_pem;
  EXPECT_NE(FingerprintOf(other), fingerprint);
  std::string typed = fingerprint;
  for (char& c : typed) c = c == ' ' ? ':' : static_cast<char>(std::toupper(c));
  EXPECT_TRUE(SameFingerprint(typed, fingerprint));
  EXPECT_FALSE(SameFingerprint(fingerprint.substr(0, 20), fingerprint));  // half of it is not the whole
  EXPECT_FALSE(SameFingerprint("", fingerprint));
}

TEST(EnrolmentTest, KeysOfTheWrongKindOrNotProvenAreRefused) {
  EnrolmentRequest request = MakeEnrolmentRequest();
  std::swap(request.tls_pem, request.signing_pem);
  EXPECT_THAT(KeysOf(request).status().message(), HasSubstr("tls: the key is not an elliptic-curve key"));
  request = MakeEnrolmentRequest();
  // One character of the body, as a bad line would.
  const std::size_t middle = request.signing_pem.size() / 2;
  request.signing_pem[middle] = request.signing_pem[middle] == 'A' ? 'B' : 'A';
  EXPECT_FALSE(KeysOf(request).ok());
  request.signing_pem = "nonsense";
  EXPECT_EQ(KeysOf(request).code(), StatusCode::kInvalidArgument);
}

TEST(EnrolmentTest, OnePaperIsNotTakenForAnother) {
  consilium::testing::ScratchFolder scratch;
  ASSERT_TRUE(WriteJson(scratch / "request.json", ToJson(MakeEnrolmentRequest())).ok());
  EXPECT_THAT(ReadAnswer(scratch / "request.json").status().message(),
              HasSubstr("is of the kind 'enrolment request'; here the 'enrolment answer' is needed"));
  ASSERT_TRUE(WriteFileAtomic(scratch / "list.json", "[]").ok());
  EXPECT_EQ(ReadInvitation(scratch / "list.json").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadInvitation(scratch / "none.json").code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace consilium::pki
