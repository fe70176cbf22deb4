#include "privacy/crypto/x509.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "privacy/crypto/openssl.h"

namespace consilium::crypto {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const WallTime kNow = std::chrono::system_clock::from_time_t(1'780'000'000);

CertificateSpec AuthoritySpec(const std::string& name) {
  return {.use = CertificateUse::kAuthority,
          .organization = "heart",
          .common_name = name,
          .not_before = kNow,
          .not_after = kNow + std::chrono::hours(24 * 365)};
}

CertificateSpec PartySpec(CertificateUse use) {
  return {.use = use,
          .organization = "heart",
          .unit = "site",
          .common_name = "alpha",
          .dns_names = {"alpha.example.org"},
          .ip_addresses = {"127.0.0.1", "2001:db8::1"},
          .uris = {"spiffe://heart/site/alpha"},
          .not_before = kNow,
          .not_after = kNow + std::chrono::hours(24)};
}

class X509Test : public ::testing::Test {
 protected:
  X509Test() : authority_(SelfSign(AuthoritySpec("ca"), authority_key_, entropy_).value()) {}

  Certificate Sign(const CertificateSpec& spec, const PrivateKey& key) {
    return SignCertificate(spec, PublicKey::Of(key), authority_, authority_key_, entropy_).value();
  }
  // X509_V_OK, or why OpenSSL does not trust it for this purpose at this time.
  static int Verify(const Certificate& certificate, const Certificate& authority, int purpose, WallTime when) {
    const std::unique_ptr<X509_STORE, Freer<&X509_STORE_free>> store(X509_STORE_new());
    X509_STORE_add_cert(store.get(), authority.get());
    const std::unique_ptr<X509_STORE_CTX, Freer<&X509_STORE_CTX_free>> context(X509_STORE_CTX_new());
    X509_STORE_CTX_init(context.get(), store.get(), certificate.get(), nullptr);
    X509_STORE_CTX_set_purpose(context.get(), purpose);
    X509_STORE_CTX_set_time(context.get(), 0, std::chrono::system_clock::to_time_t(when));
    X509_STORE_CTX_set_flags(context.get(), X509_V_FLAG_X509_STRICT);  // RFC 5280 to the letter
    X509_verify_cert(context.get());
    const int error = X509_STORE_CTX_get_error(context.get());
    ERR_clear_error();
    return error;
  }

  SeededEntropy entropy_{3};
  PrivateKey authority_key_ = PrivateKey::Generate().value();
  Certificate authority_;
  PrivateKey key_ = PrivateKey::Generate().value();
  const WallTime noon_ = kNow + std::chrono::hours(12);
};

TEST_F(X509Test, AnEndEntityIsTrustedForItsOwnPurposeOnly) {
  const Certificate client = Sign(PartySpec(CertificateUse::kClient), key_);
  const Certificate server = Sign(PartySpec(CertificateUse::kServer), key_);
  EXPECT_EQ(Verify(client, authority_, X509_PURPOSE_SSL_CLIENT, noon_), X509_V_OK);
  EXPECT_EQ(Verify(client, authority_, X509_PURPOSE_SSL_SERVER, noon_), X509_V_ERR_INVALID_PURPOSE);
  EXPECT_EQ(Verify(server, authority_, X509_PURPOSE_SSL_SERVER, noon_), X509_V_OK);
  EXPECT_EQ(Verify(server, authority_, X509_PURPOSE_SSL_CLIENT, noon_), X509_V_ERR_INVALID_PURPOSE);
}

TEST_F(X509Test, ItHoldsFromNotBeforeToNotAfter) {
  const Certificate certificate = Sign(PartySpec(CertificateUse::kClient), key_);
  const std::chrono::seconds second(1);
  EXPECT_EQ(Verify(certificate, authority_, X509_PURPOSE_SSL_CLIENT, kNow - second), X509_V_ERR_CERT_NOT_YET_VALID);
  EXPECT_EQ(Verify(certificate, authority_, X509_PURPOSE_SSL_CLIENT, kNow + second), X509_V_OK);
  EXPECT_EQ(Verify(certificate, authority_, X509_PURPOSE_SSL_CLIENT, kNow + std::chrono::hours(24) + second),
            X509_V_ERR_CERT_HAS_EXPIRED);
  EXPECT_EQ(certificate.not_before(), kNow);
  EXPECT_EQ(certificate.not_after(), kNow + std::chrono::hours(24));
}

TEST_F(X509Test, AnotherAuthorityOfTheSameNameDoesNotVouchForIt) {
  const Certificate certificate = Sign(PartySpec(CertificateUse::kClient), key_);
  const PrivateKey other_key = PrivateKey::Generate().value();
  const Certificate other = SelfSign(AuthoritySpec("ca"), other_key, entropy_).value();
  EXPECT_NE(Verify(certificate, other, X509_PURPOSE_SSL_CLIENT, noon_), X509_V_OK);
}

TEST_F(X509Test, AnEndEntityCannotSignFurtherCertificates) {
  const Certificate middle = Sign(PartySpec(CertificateUse::kClient), key_);
  const PrivateKey leaf_key = PrivateKey::Generate().value();
  const Certificate leaf =
      SignCertificate(PartySpec(CertificateUse::kClient), PublicKey::Of(leaf_key), middle, key_, entropy_).value();
  EXPECT_NE(Verify(leaf, middle, X509_PURPOSE_SSL_CLIENT, noon_), X509_V_OK);
  EXPECT_NE(Verify(leaf, authority_, X509_PURPOSE_SSL_CLIENT, noon_), X509_V_OK);
}

TEST_F(X509Test, NamesAndSubjectReadBackAsGiven) {
  CertificateSpec spec = PartySpec(CertificateUse::kClient);
  spec.dns_names.push_back("evil.example.org,DNS:coordinator.heart.consilium");  // one odd name, not two
  const Certificate certificate = Certificate::FromPem(Sign(spec, key_).ToPem().value()).value();
  EXPECT_EQ(certificate.dns_names(), spec.dns_names);
  EXPECT_THAT(certificate.uris(), ElementsAre("spiffe://heart/site/alpha"));
  EXPECT_EQ(certificate.subject(), "O = heart, OU = site, CN = alpha");
  EXPECT_EQ(X509_check_ip_asc(certificate.get(), "127.0.0.1", 0), 1);
  EXPECT_EQ(X509_check_ip_asc(certificate.get(), "2001:db8::1", 0), 1);
  EXPECT_EQ(X509_check_ip_asc(certificate.get(), "127.0.0.2", 0), 0);
}

TEST_F(X509Test, BadNamesAndPemAreErrors) {
  CertificateSpec spec = PartySpec(CertificateUse::kClient);
  spec.ip_addresses = {"not-an-address"};
  EXPECT_FALSE(SignCertificate(spec, PublicKey::Of(key_), authority_, authority_key_, entropy_).ok());
  spec = PartySpec(CertificateUse::kClient);
  spec.common_name = std::string(65, 'a');  // X.520's upper bound is 64
  EXPECT_FALSE(SignCertificate(spec, PublicKey::Of(key_), authority_, authority_key_, entropy_).ok());
  EXPECT_EQ(Certificate::FromPem("").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Certificate::FromPem("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(PrivateKey::FromPem(SecretBytes(Bytes{1, 2, 3})).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(ERR_peek_error(), 0u);  // nothing is left for the next caller's error
}

TEST_F(X509Test, KeysReadBackAndDiffer) {
  const SecretBytes pem = key_.ToPem().value();
  EXPECT_THAT(std::string(AsText(pem.Reveal())), HasSubstr("-----BEGIN PRIVATE KEY-----"));
  const PrivateKey again = PrivateKey::FromPem(pem).value();
  EXPECT_EQ(EVP_PKEY_eq(key_.get(), again.get()), 1);
  EXPECT_EQ(EVP_PKEY_eq(key_.get(), PrivateKey::Generate().value().get()), 0);
  EXPECT_EQ(EVP_PKEY_get_bits(key_.get()), 256);
}

TEST_F(X509Test, SerialNumbersArePositiveAndDiffer) {
  const Certificate one = Sign(PartySpec(CertificateUse::kClient), key_);
  const Certificate two = Sign(PartySpec(CertificateUse::kClient), key_);
  const ASN1_INTEGER *first = X509_get0_serialNumber(one.get()), *second = X509_get0_serialNumber(two.get());
  EXPECT_NE(ASN1_INTEGER_cmp(first, second), 0);
  EXPECT_EQ(ASN1_STRING_type(first), V_ASN1_INTEGER);  // V_ASN1_NEG_INTEGER otherwise
  EXPECT_EQ(ASN1_STRING_length(first), 16);
}

}  // namespace
}  // namespace consilium::crypto
