#include "coordinator/provision/provision.h"

#include <arpa/inet.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "comm/base/entropy.h"
#include "comm/base/file.h"
#include "comm/transport/kit.h"
#include "privacy/crypto/x509.h"
#include "privacy/pki/signer.h"

namespace consilium::coordinator {
namespace {

namespace fs = std::filesystem;
using crypto::Certificate;
using crypto::CertificateSpec;
using crypto::CertificateUse;
using crypto::PrivateKey;
using transport::Kit;
using transport::PeerName;
using transport::Role;

// Clocks of hospitals disagree; a certificate made now must be good at a site whose clock is an hour behind.
constexpr std::chrono::hours kClockSkew{1};

struct Authority {
  Certificate certificate;
  PrivateKey key;
};

bool IsAddress(const std::string& host) {
  unsigned char address[sizeof(in6_addr)];
  return ::inet_pton(AF_INET, host.c_str(), address) == 1 || ::inet_pton(AF_INET6, host.c_str(), address) == 1;
}

Status MakePrivateFolder(const fs::path& folder) {
  if (::mkdir(folder.c_str(), 0700) != 0) return ErrnoStatus(errno, "creating folder " + folder.string());
  return Status();
}

Status WritePem(const fs::path& path, const Certificate& certificate) {
  ASSIGN_OR_RETURN(const std::string pem, certificate.ToPem());
  return WriteFileAtomic(path, pem);
}

Status WriteKey(const fs::path& path, const PrivateKey& key) {
  ASSIGN_OR_RETURN(const SecretBytes pem, key.ToPem());
  return WriteFileAtomic(path, pem.Reveal(), 0600);
}

StatusOr<Authority> MakeAuthority(const Project& project, const KitOptions& options) {
  ASSIGN_OR_RETURN(PrivateKey key, PrivateKey::Generate());
  CertificateSpec spec;
  spec.use = CertificateUse::kAuthority;
  spec.organization = project.name;
  // The random part tells the authorities of two attempts at one project apart, in an error about the wrong one.
  spec.common_name = "consilium CA " + RandomHex(SystemEntropy(), 4);
  spec.not_before = options.now - kClockSkew;
  spec.not_after = options.now + std::chrono::hours(24) * project.ca_valid_days;
  ASSIGN_OR_RETURN(Certificate certificate, crypto::SelfSign(spec, key));
  return Authority{std::move(certificate), std::move(key)};
}

CertificateSpec SpecFor(const PeerName& peer, const Project& project, const KitOptions& options) {
  CertificateSpec spec;
  spec.use = peer.role == Role::kCoordinator ? CertificateUse::kServer : CertificateUse::kClient;
  spec.organization = peer.project;
  spec.unit = std::string(transport::RoleName(peer.role));
  spec.common_name = peer.name;
  spec.uris = {transport::ToUri(peer)};
  spec.not_before = options.now - kClockSkew;
  spec.not_after = options.now + std::chrono::hours(24) * project.valid_days;
  if (peer.role != Role::kCoordinator) return spec;
  // Our own clients check the first name alone; the others are for people's tools.
  spec.dns_names = {transport::CoordinatorDnsName(peer.project, peer.name)};
  std::vector<std::string> hosts = project.extra_hosts;
  hosts.insert(hosts.begin(), project.host);
  for (const std::string& host : hosts) (IsAddress(host) ? spec.ip_addresses : spec.dns_names).push_back(host);
  return spec;
}

// Writes the signing key and certificate; the entry is for the roster.
StatusOr<pki::RosterEntry> MakeSigner(const PeerName& peer, const Project& project, const Authority& authority,
                                      const KitOptions& options, const fs::path& folder) {
  const crypto::SigningKey key = crypto::SigningKey::Generate(SystemEntropy());
  CertificateSpec spec = SpecFor(peer, project, options);
  spec.use = CertificateUse::kSigning;
  spec.dns_names.clear();
  spec.ip_addresses.clear();
  spec.uris = {pki::SigningUri(peer)};
  ASSIGN_OR_RETURN(const Certificate certificate,
                   crypto::SignCertificate(spec, crypto::PublicKey::Of(key), authority.certificate, authority.key));
  const pki::SigningFiles files = pki::SigningFilesIn(folder);
  RETURN_IF_ERROR(WritePem(files.certificate, certificate));
  ASSIGN_OR_RETURN(const SecretBytes pem, key.ToPem());
  RETURN_IF_ERROR(WriteFileAtomic(files.key, pem.Reveal(), 0600));
  return pki::RosterEntry{.name = peer.name,
                          .role = peer.role,
                          .key = key.public_key(),
                          .certificate = certificate.serial(),
                          .not_after = certificate.not_after()};
}

Status MakeKit(const PeerName& peer, const Project& project, const Authority& authority, const KitOptions& options,
               const fs::path& folder) {
  RETURN_IF_ERROR(MakePrivateFolder(folder));
  RETURN_IF_ERROR(MakePrivateFolder(folder / "tls"));
  ASSIGN_OR_RETURN(const PrivateKey key, PrivateKey::Generate());
  ASSIGN_OR_RETURN(const Certificate certificate,
                   crypto::SignCertificate(SpecFor(peer, project, options), crypto::PublicKey::Of(key),
                                           authority.certificate, authority.key));
  const transport::TlsFiles tls = transport::TlsFilesIn(folder);
  RETURN_IF_ERROR(WritePem(tls.ca, authority.certificate));
  RETURN_IF_ERROR(WritePem(tls.certificate, certificate));
  RETURN_IF_ERROR(WriteKey(tls.key, key));
  Kit kit;
  kit.self = peer;
  kit.coordinator_name = project.coordinator_name;
  kit.coordinator_host = project.host;
  kit.coordinator_port = project.port;
  kit.listen_address = project.listen_address;
  kit.sites = project.sites;
  std::sort(kit.sites.begin(), kit.sites.end());
  return transport::WriteKitFile(kit, folder);
}

Status MakeAll(const Project& project, const fs::path& folder, const KitOptions& options) {
  ASSIGN_OR_RETURN(const Authority authority, MakeAuthority(project, options));
  RETURN_IF_ERROR(MakePrivateFolder(folder / "ca"));
  RETURN_IF_ERROR(WritePem(folder / "ca" / "ca.crt", authority.certificate));
  RETURN_IF_ERROR(WriteKey(folder / "ca" / "ca.key", authority.key));
  std::vector<PeerName> parties = {{project.name, Role::kCoordinator, project.coordinator_name}};
  for (const SiteName& site : project.sites) parties.push_back({project.name, Role::kSite, site.value()});
  for (const OperatorSpec& spec : project.operators)
    parties.push_back({project.name, Role::kOperator, spec.name, spec.rights});
  pki::RosterContents contents = {.project = project.name,
                                  .serial = 1,
                                  .issued = options.now,
                                  .expires = options.now + std::chrono::hours(24) * project.valid_days};
  for (const PeerName& party : parties) {
    const fs::path kit = KitFolder(folder, party.name);
    RETURN_IF_ERROR(MakeKit(party, project, authority, options, kit));
    ASSIGN_OR_RETURN(pki::RosterEntry entry, MakeSigner(party, project, authority, options, kit));
    contents.parties.push_back(std::move(entry));
  }
  ASSIGN_OR_RETURN(const pki::Roster roster, pki::Roster::Sign(std::move(contents), authority.key));
  RETURN_IF_ERROR(WriteFileAtomic(pki::SigningFilesIn(folder / "ca").roster, roster.ToText()));
  for (const PeerName& party : parties)
    RETURN_IF_ERROR(WriteFileAtomic(pki::SigningFilesIn(KitFolder(folder, party.name)).roster, roster.ToText()));
  return Status();
}

}  // namespace

fs::path KitFolder(const fs::path& kits, const std::string& party) { return kits / party; }

Status MakeKits(const Project& project, const fs::path& out, const KitOptions& options) {
  RETURN_IF_ERROR(CheckProject(project));
  const fs::path target = fs::absolute(out.lexically_normal().has_filename() ? out : out.parent_path());
  const auto taken = [&] {
    return AlreadyExists(target.string(),
                         " is not empty and is left as it is: new kits would come from a new authority, ",
                         "and every party would need its new one. Choose another folder with -o, or remove this one");
  };
  std::error_code error;
  if (fs::exists(target, error) && !fs::is_empty(target, error)) return taken();
  RETURN_IF_ERROR(MakeDirectories(target.parent_path()));
  std::string temporary = target.string() + ".XXXXXX";
  if (::mkdtemp(temporary.data()) == nullptr) return ErrnoStatus(errno, "creating folder " + temporary);
  Status status = MakeAll(project, temporary, options);
  // Onto an absent or empty folder only.
  if (status.ok() && ::rename(temporary.c_str(), target.c_str()) != 0)
    status = errno == ENOTEMPTY || errno == EEXIST ? taken() : ErrnoStatus(errno, "renaming onto " + target.string());
  if (!status.ok()) {
    fs::remove_all(temporary, error);
    return status;
  }
  return SyncDirectory(target.parent_path());
}

}  // namespace consilium::coordinator
