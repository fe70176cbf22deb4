#include "tests/unit/privacy/pki/pki_fixture.h"

#include "comm/base/file.h"
#include "comm/transport/kit.h"

namespace consilium::pki {

using crypto::CertificateSpec;
using crypto::CertificateUse;

Authority MakeAuthority(const std::string& name) {
  const CertificateSpec spec = {.use = CertificateUse::kAuthority,
                                .organization = "heart",
                                .common_name = name,
                                .not_before = kNow - kDay,
                                .not_after = kNow + 3650 * kDay};
  crypto::PrivateKey key = crypto::PrivateKey::Generate().value();
  crypto::Certificate certificate = crypto::SelfSign(spec, key).value();
  return {std::move(key), std::move(certificate)};
}

CertificateSpec SpecFor(const transport::PeerName& party, CertificateUse use) {
  return {.use = use,
          .organization = party.project,
          .unit = std::string(transport::RoleName(party.role)),
          .common_name = party.name,
          .uris = {use == CertificateUse::kSigning ? SigningUri(party) : transport::ToUri(party)},
          .not_before = kNow - kDay,
          .not_after = kNow + 365 * kDay};
}

KitOnDisk::KitOnDisk() : key(crypto::SigningKey::Generate(SystemEntropy())) {
  std::filesystem::create_directories(folder() / "tls");
  CONSILIUM_CHECK(WriteFileAtomic(transport::TlsFilesIn(folder()).ca, authority.certificate.ToPem().value()).ok());
  const crypto::Certificate certificate =
      crypto::SignCertificate(SpecFor(self, CertificateUse::kSigning), crypto::PublicKey::Of(key),
                              authority.certificate, authority.key)
          .value();
  WriteKey(key);
  WriteCertificate(certificate);
  roster = {.project = "heart", .serial = 7, .issued = kNow, .expires = kNow + 365 * kDay};
  roster.parties = {{"beta", transport::Role::kSite, crypto::RawPublicKey{9}, "ab12", kNow + 365 * kDay},
                    {"alpha", transport::Role::kSite, key.public_key(), certificate.serial(), kNow + 365 * kDay},
                    {"admin", transport::Role::kOperator, crypto::RawPublicKey{8}, "cd34", kNow + 365 * kDay}};
  WriteRoster(roster);
}

void KitOnDisk::WriteCertificate(const crypto::Certificate& certificate) const {
  CONSILIUM_CHECK(WriteFileAtomic(files().certificate, certificate.ToPem().value()).ok());
}

void KitOnDisk::WriteKey(const crypto::SigningKey& signing_key) const {
  CONSILIUM_CHECK(WriteFileAtomic(files().key, signing_key.ToPem().value().Reveal(), 0600).ok());
}

void KitOnDisk::WriteRoster(RosterContents contents) const {
  CONSILIUM_CHECK(WriteFileAtomic(files().roster, Roster::Sign(std::move(contents), authority.key)->ToText()).ok());
}

}  // namespace consilium::pki
