#include "coordinator/provision/authority.h"

#include <arpa/inet.h>

#include <algorithm>

#include "comm/base/entropy.h"
#include "comm/base/file.h"
#include "comm/base/secret_file.h"
#include "privacy/pki/signer.h"
#include "privacy/pki/utc.h"

namespace consilium::coordinator {
namespace {

namespace fs = std::filesystem;
using crypto::Certificate;
using crypto::CertificateSpec;
using crypto::CertificateUse;
using crypto::PrivateKey;
using crypto::PublicKey;
using crypto::WallTime;
using transport::PeerName;
using transport::Role;

// Clocks of hospitals disagree; a certificate made now must be good at a site whose clock is an hour behind.
constexpr std::chrono::hours kClockSkew{1};
constexpr std::chrono::hours kDay{24};

bool IsAddress(const std::string& host) {
  unsigned char address[sizeof(in6_addr)];
  return ::inet_pton(AF_INET, host.c_str(), address) == 1 || ::inet_pton(AF_INET6, host.c_str(), address) == 1;
}

Json ToJson(const std::vector<IssuedCertificate>& issued) {
  Json json = Json::array();
  for (const IssuedCertificate& one : issued)
    json.push_back({{"serial", one.serial},
                    {"name", one.name},
                    {"use", one.use},
                    {"not_after", pki::FormatSecond(one.not_after)}});
  return json;
}

StatusOr<std::vector<IssuedCertificate>> ReadIssued(const fs::path& file) {
  ASSIGN_OR_RETURN(const Json json, ReadJson(file));
  std::vector<IssuedCertificate> issued;
  try {
    for (const Json& one : json) {
      ASSIGN_OR_RETURN(const WallTime end, pki::ParseSecond(one.at("not_after").get<std::string>()));
      issued.push_back({one.at("serial").get<std::string>(), one.at("name").get<std::string>(),
                        one.at("use").get<std::string>(), end});
    }
  } catch (const Json::exception& error) {
    return InvalidArgument(file.string(), ": ", error.what());
  }
  return issued;
}

}  // namespace

StatusOr<Authority> Authority::Make(const Project& project, WallTime now) {
  ASSIGN_OR_RETURN(PrivateKey key, PrivateKey::Generate());
  CertificateSpec spec;
  spec.use = CertificateUse::kAuthority;
  spec.organization = project.name;
  // The random part tells the authorities of two attempts at one project apart, in an error about the wrong one.
  spec.common_name = "consilium CA " + RandomHex(SystemEntropy(), 4);
  spec.not_before = now - kClockSkew;
  spec.not_after = now + kDay * project.ca_valid_days;
  ASSIGN_OR_RETURN(Certificate certificate, crypto::SelfSign(spec, key));
  Authority authority(project, std::move(key), std::move(certificate));
  authority.roster_.project = project.name;
  return authority;
}

StatusOr<Authority> Authority::Open(const fs::path& folder, WallTime now) {
  std::error_code error;
  if (!fs::exists(folder / "ca.key", error) || !fs::exists(folder / "project.json", error))
    return NotFound(folder.string(),
                    " is not an authority's folder: `consilium provision PROJECT.yaml -o KITS` makes KITS/ca");
  ASSIGN_OR_RETURN(const ConfigNode node, ConfigNode::ReadFile(folder / "project.json"));
  ASSIGN_OR_RETURN(Project project, ReadProject(node));
  ASSIGN_OR_RETURN(const SecretBytes pem, ReadSecretFile(folder / "ca.key"));
  ASSIGN_OR_RETURN(PrivateKey key, PrivateKey::FromPem(pem));
  ASSIGN_OR_RETURN(const std::string certificate_pem, ReadFile(folder / "ca.crt"));
  ASSIGN_OR_RETURN(Certificate certificate, Certificate::FromPem(certificate_pem));
  if (!certificate.public_key().Matches(PublicKey::Of(key)))
    return Unauthenticated((folder / "ca.key").string(), " does not belong to ", (folder / "ca.crt").string());
  if (now > certificate.not_after())
    return Unauthenticated("the authority '", certificate.subject(), "' expired on ",
                           pki::FormatSecond(certificate.not_after()), ": make new kits with `consilium provision`");
  Authority authority(std::move(project), std::move(key), std::move(certificate));
  ASSIGN_OR_RETURN(authority.issued_, ReadIssued(folder / "issued.json"));
  // An expired roster is one that is to be signed again here: judged as of when it was good.
  const fs::path file = pki::SigningFilesIn(folder).roster;
  ASSIGN_OR_RETURN(const pki::Roster roster, pki::Roster::Read(file, authority.certificate_, WallTime()));
  authority.roster_ = roster.contents();
  authority.roster_text_ = roster.ToText();
  return authority;
}

Status Authority::Save(const fs::path& folder) const {
  ASSIGN_OR_RETURN(const std::string certificate, certificate_.ToPem());
  ASSIGN_OR_RETURN(const SecretBytes key, key_.ToPem());
  RETURN_IF_ERROR(WriteFileAtomic(folder / "ca.crt", certificate));
  RETURN_IF_ERROR(WriteFileAtomic(folder / "ca.key", key.Reveal(), 0600));
  RETURN_IF_ERROR(WriteJson(folder / "project.json", ProjectToJson(project_)));
  // Before the roster: a certificate that nobody can look up could never be revoked by name.
  RETURN_IF_ERROR(WriteJson(folder / "issued.json", ToJson(issued_)));
  return WriteFileAtomic(pki::SigningFilesIn(folder).roster, roster_text_);
}

CertificateSpec Authority::SpecFor(const PeerName& party, WallTime now) const {
  CertificateSpec spec;
  spec.use = party.role == Role::kCoordinator ? CertificateUse::kServer : CertificateUse::kClient;
  spec.organization = party.project;
  spec.unit = std::string(transport::RoleName(party.role));
  spec.common_name = party.name;
  spec.uris = {transport::ToUri(party)};
  spec.not_before = now - kClockSkew;
  spec.not_after = std::min(now + kDay * project_.valid_days, certificate_.not_after());
  if (party.role != Role::kCoordinator) return spec;
  // Our own clients check the first name alone; the others are for people's tools.
  spec.dns_names = {transport::CoordinatorDnsName(party.project, party.name)};
  std::vector<std::string> hosts = project_.extra_hosts;
  hosts.insert(hosts.begin(), project_.host);
  for (const std::string& host : hosts) (IsAddress(host) ? spec.ip_addresses : spec.dns_names).push_back(host);
  return spec;
}

StatusOr<Authority::Certified> Authority::Certify(const PeerName& party, const PublicKey& tls, const PublicKey& signing,
                                                  WallTime now) {
  ASSIGN_OR_RETURN(const crypto::RawPublicKey raw, signing.Raw());
  CertificateSpec spec = SpecFor(party, now);
  ASSIGN_OR_RETURN(Certificate tls_certificate, crypto::SignCertificate(spec, tls, certificate_, key_));
  spec.use = CertificateUse::kSigning;
  spec.dns_names.clear();
  spec.ip_addresses.clear();
  spec.uris = {pki::SigningUri(party)};
  ASSIGN_OR_RETURN(Certificate signing_certificate, crypto::SignCertificate(spec, signing, certificate_, key_));
  issued_.push_back({tls_certificate.serial(), party.name, "tls", spec.not_after});
  issued_.push_back({signing_certificate.serial(), party.name, "signing", spec.not_after});
  std::erase_if(roster_.parties, [&](const pki::RosterEntry& entry) { return entry.name == party.name; });
  roster_.parties.push_back({.name = party.name,
                             .role = party.role,
                             .key = raw,
                             .certificate = signing_certificate.serial(),
                             .not_after = spec.not_after});
  return Certified{std::move(tls_certificate), std::move(signing_certificate)};
}

StatusOr<std::size_t> Authority::Revoke(const std::string& name, const std::string& reason, WallTime now) {
  std::size_t count = 0;
  for (const IssuedCertificate& one : issued_) {
    if (one.name != name || one.not_after < now) continue;
    const auto same = [&](const pki::Revocation& revoked) { return revoked.certificate == one.serial; };
    if (std::any_of(roster_.revoked.begin(), roster_.revoked.end(), same)) continue;
    roster_.revoked.push_back({one.serial, name, reason, now});
    ++count;
  }
  if (count == 0) return NotFound("'", name, "' has no certificate that is in force; see issued.json");
  std::erase_if(roster_.parties, [&](const pki::RosterEntry& entry) { return entry.name == name; });
  return count;
}

Status Authority::SignRoster(WallTime now) {
  // What has ended by itself need not be listed any more.
  std::erase_if(roster_.revoked, [&](const pki::Revocation& revoked) {
    return std::any_of(issued_.begin(), issued_.end(), [&](const IssuedCertificate& one) {
      return one.serial == revoked.certificate && one.not_after + kDay < now;
    });
  });
  ++roster_.serial;
  roster_.issued = now;
  roster_.expires = std::min(now + kDay * project_.valid_days, certificate_.not_after());
  ASSIGN_OR_RETURN(const pki::Roster roster, pki::Roster::Sign(roster_, key_));
  roster_ = roster.contents();
  roster_text_ = roster.ToText();
  return Status();
}

}  // namespace consilium::coordinator
