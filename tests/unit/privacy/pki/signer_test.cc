#include "privacy/pki/signer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "comm/base/file.h"
#include "tests/unit/privacy/pki/pki_fixture.h"

namespace consilium::pki {
namespace {

using crypto::CertificateUse;
using crypto::PublicKey;
using ::testing::HasSubstr;

class SignerTest : public ::testing::Test {
 protected:
  crypto::Certificate Certify(const crypto::CertificateSpec& spec, const PublicKey& key) const {
    return crypto::SignCertificate(spec, key, kit_.authority.certificate, kit_.authority.key).value();
  }
  void ExpectFault(StatusCode code, const std::string& text, WallTime now = kNow) const {
    const StatusOr<Trust> trust = LoadTrust(kit_.folder(), kit_.self, now);
    ASSERT_FALSE(trust.ok()) << text;
    EXPECT_EQ(trust.code(), code) << trust.status();
    EXPECT_THAT(trust.status().message(), HasSubstr(text));
  }
  KitOnDisk kit_;
};

TEST_F(SignerTest, AWholeKitSignsAndTheRosterKnowsTheKey) {
  const Trust trust = LoadTrust(kit_.folder(), kit_.self, kNow).value();
  const crypto::Signature signature = trust.signer.key().Sign(AsBytes("hello"));
  EXPECT_TRUE(crypto::Verify(trust.roster.KeyOf(SiteName("alpha"), kNow).value(), AsBytes("hello"), signature));
  EXPECT_FALSE(crypto::Verify(trust.roster.KeyOf(SiteName("beta"), kNow).value(), AsBytes("hello"), signature));
}

TEST_F(SignerTest, ATlsCertificateDoesNotStandForASigningOne) {
  // Worst case: the same key and the signing URI, but the usage of TLS.
  crypto::CertificateSpec spec = SpecFor(kit_.self, CertificateUse::kSigning);
  spec.use = CertificateUse::kClient;
  kit_.WriteCertificate(Certify(spec, PublicKey::Of(kit_.key)));
  ExpectFault(StatusCode::kUnauthenticated, "is a TLS client's, where a signing certificate is needed");
}

TEST_F(SignerTest, ASigningCertificateIsNoNameForTls) {
  EXPECT_FALSE(transport::PeerNameFromUri(SigningUri(kit_.self)).ok());
  const crypto::Certificate certificate =
      Certify(SpecFor(kit_.self, CertificateUse::kSigning), PublicKey::Of(kit_.key));
  EXPECT_FALSE(certificate.HasUse(CertificateUse::kClient));
  EXPECT_FALSE(certificate.HasUse(CertificateUse::kServer));
  EXPECT_FALSE(certificate.HasUse(CertificateUse::kAuthority));
}

TEST_F(SignerTest, EachFaultHasItsOwnSentence) {
  ExpectFault(StatusCode::kUnauthenticated, "expired on 2027-05-28", kNow + 366 * kDay);
  ExpectFault(StatusCode::kUnauthenticated, "is not valid before", kNow - 2 * kDay);

  const crypto::SigningKey other = crypto::SigningKey::Generate(SystemEntropy());
  kit_.WriteKey(other);
  ExpectFault(StatusCode::kUnauthenticated, "does not belong to");
  kit_.WriteCertificate(Certify(SpecFor(kit_.self, CertificateUse::kSigning), PublicKey::Of(other)));
  ExpectFault(StatusCode::kUnauthenticated, "has another signing key for 'alpha'");
  kit_.WriteKey(kit_.key);

  transport::PeerName beta = kit_.self;
  beta.name = "beta";
  kit_.WriteCertificate(Certify(SpecFor(beta, CertificateUse::kSigning), PublicKey::Of(kit_.key)));
  ExpectFault(StatusCode::kUnauthenticated, "is not for the site 'alpha'");

  const Authority impostor = MakeAuthority();  // of the same name
  kit_.WriteCertificate(crypto::SignCertificate(SpecFor(kit_.self, CertificateUse::kSigning), PublicKey::Of(kit_.key),
                                                impostor.certificate, impostor.key)
                            .value());
  ExpectFault(StatusCode::kUnauthenticated, "is not signed by the authority");
}

TEST_F(SignerTest, FilesThatAreMissingOpenOrOfAnotherKindAreNamed) {
  ASSERT_EQ(::chmod(kit_.files().key.c_str(), 0640), 0);
  ExpectFault(StatusCode::kInvalidArgument, "run: chmod 600 " + kit_.files().key.string());
  const crypto::PrivateKey tls = crypto::PrivateKey::Generate().value();
  ASSERT_TRUE(WriteFileAtomic(kit_.files().key, tls.ToPem().value().Reveal(), 0600).ok());
  ExpectFault(StatusCode::kInvalidArgument, "another kind (a TLS key?)");
  ASSERT_TRUE(WriteFileAtomic(kit_.files().key, "nonsense", 0600).ok());
  ExpectFault(StatusCode::kInvalidArgument, "not an unencrypted private key");
  std::filesystem::remove(kit_.files().key);
  ExpectFault(StatusCode::kNotFound, "signing.key");
  std::filesystem::remove(kit_.files().certificate);
  ExpectFault(StatusCode::kNotFound, "consilium enroll --renew");
}

TEST_F(SignerTest, TheRosterMustKnowThePartyUnderThisKey) {
  RosterContents contents = kit_.roster;
  contents.revoked = {{kit_.roster.parties[1].certificate, "alpha", "laptop stolen", kNow}};
  kit_.WriteRoster(contents);
  ExpectFault(StatusCode::kUnauthenticated, "was revoked on 2026-05-28T20:26:40Z: laptop stolen");
  contents = kit_.roster;
  contents.parties.erase(contents.parties.begin() + 1);
  kit_.WriteRoster(contents);
  ExpectFault(StatusCode::kUnauthenticated, "does not name the site 'alpha'");
  contents = kit_.roster;
  contents.project = "lung";
  kit_.WriteRoster(contents);
  ExpectFault(StatusCode::kUnauthenticated, "the roster of project 'lung'");
}

}  // namespace
}  // namespace consilium::pki
