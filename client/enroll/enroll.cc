#include "client/enroll/enroll.h"

#include <sys/stat.h>

#include <cerrno>

#include "comm/base/entropy.h"
#include "comm/base/file.h"
#include "comm/base/secret_file.h"
#include "comm/transport/kit.h"
#include "privacy/crypto/request.h"
#include "privacy/pki/signer.h"

namespace consilium::client {
namespace {

namespace fs = std::filesystem;
using crypto::Certificate;
using crypto::PrivateKey;
using crypto::SigningKey;
using crypto::WallTime;
using transport::PeerName;

fs::path Waiting(const fs::path& kit) { return kit / "enrolment"; }

Status MakePrivateFolder(const fs::path& folder) {
  std::error_code error;
  if (fs::is_directory(folder, error)) return Status();
  if (::mkdir(folder.c_str(), 0700) != 0) return ErrnoStatus(errno, "creating folder " + folder.string());
  return Status();
}

template <typename Key>
Status WriteKey(const fs::path& path, const Key& key) {
  ASSIGN_OR_RETURN(const SecretBytes pem, key.ToPem());
  return WriteFileAtomic(path, pem.Reveal(), 0600);
}

StatusOr<Certificate> ReadCertificate(const fs::path& file) {
  ASSIGN_OR_RETURN(const std::string pem, ReadFile(file, 1 << 20));
  StatusOr<Certificate> certificate = Certificate::FromPem(pem);
  if (!certificate.ok()) return Annotate(certificate.status(), file.string());
  return certificate;
}

// Makes the keys that wait, and the request for them.
StatusOr<BegunEnrolment> MakeRequest(const fs::path& kit, const PeerName& self, const SigningKey* current) {
  const fs::path folder = Waiting(kit);
  RETURN_IF_ERROR(MakePrivateFolder(folder));
  ASSIGN_OR_RETURN(const PrivateKey tls, PrivateKey::Generate());
  const SigningKey signing = SigningKey::Generate(SystemEntropy());
  RETURN_IF_ERROR(WriteKey(folder / "tls.key", tls));
  RETURN_IF_ERROR(WriteKey(folder / "signing.key", signing));
  pki::EnrolmentRequest request{
      .project = self.project, .role = std::string(transport::RoleName(self.role)), .name = self.name};
  ASSIGN_OR_RETURN(request.tls_pem, crypto::MakeRequest(self.name, tls));
  ASSIGN_OR_RETURN(request.signing_pem, crypto::MakeRequest(self.name, signing));
  if (current != nullptr) request.by_current_key = current->Sign(pki::CanonicalBytes(request));
  BegunEnrolment begun{.request = folder / "request.json", .fingerprint = pki::FingerprintOf(request)};
  RETURN_IF_ERROR(WriteJson(begun.request, pki::ToJson(request)));
  ASSIGN_OR_RETURN(const Certificate authority, ReadCertificate(transport::TlsFilesIn(kit).ca));
  begun.authority_fingerprint = pki::FingerprintOf(authority);
  return begun;
}

// Who the kit is for; an enrolled kit has no TLS key before its answer, so that ReadKit would refuse it.
StatusOr<PeerName> SelfOf(const fs::path& kit) {
  std::error_code error;
  if (fs::exists(transport::TlsFilesIn(kit).key, error)) {
    ASSIGN_OR_RETURN(const transport::Kit read, transport::ReadKit(kit));
    return read.self;
  }
  ASSIGN_OR_RETURN(const Json json, ReadJson(kit / "kit.json"));
  try {
    PeerName self{json.at("project").get<std::string>(), {}, json.at("name").get<std::string>(), {}};
    ASSIGN_OR_RETURN(self.role, transport::RoleFromName(json.at("role").get<std::string>()));
    return self;
  } catch (const Json::exception& broken) {
    return InvalidArgument((kit / "kit.json").string(), ": ", broken.what());
  }
}

Status CheckTls(const Certificate& certificate, const PrivateKey& key, const Certificate& authority,
                const PeerName& self, WallTime now) {
  const auto use =
      self.role == transport::Role::kCoordinator ? crypto::CertificateUse::kServer : crypto::CertificateUse::kClient;
  RETURN_IF_ERROR(crypto::CheckCertificate(certificate, authority, use, now, "the answer's TLS certificate"));
  if (!certificate.public_key().Matches(crypto::PublicKey::Of(key)))
    return Unauthenticated(
        "the answer's TLS certificate is for another key than the one that waits here: it answers "
        "another request");
  const std::vector<std::string> uris = certificate.uris();
  const StatusOr<PeerName> named =
      uris.size() == 1 ? transport::PeerNameFromUri(uris.front()) : StatusOr<PeerName>(Unauthenticated("no name"));
  if (!named.ok() || named->project != self.project || named->role != self.role || named->name != self.name)
    return Unauthenticated("the answer's TLS certificate (", certificate.subject(), ") is not for '", self.name, "'");
  return Status();
}

// A roster can only be followed by a newer one: an old one would bring back what was revoked.
Status CheckNotOlder(const pki::Roster& roster, const fs::path& there, const Certificate& authority) {
  std::error_code error;
  if (!fs::exists(there, error)) return Status();
  const StatusOr<pki::Roster> old = pki::Roster::Read(there, authority, WallTime());
  if (!old.ok() || old->serial() < roster.serial() || old->digest() == roster.digest()) return Status();
  return Unauthenticated("the roster has serial ", roster.serial(), ", and ", there.string(), " has ", old->serial(),
                         " already: ask for the newest one");
}

}  // namespace

StatusOr<BegunEnrolment> BeginEnrolment(const fs::path& invitation_file, const fs::path& kit,
                                        const std::string& authority_fingerprint) {
  ASSIGN_OR_RETURN(const pki::Invitation invitation, pki::ReadInvitation(invitation_file));
  StatusOr<Certificate> authority = Certificate::FromPem(invitation.authority_pem);
  if (!authority.ok()) return Annotate(authority.status(), invitation_file.string(), ": authority");
  if (!authority->HasUse(crypto::CertificateUse::kAuthority))
    return Unauthenticated(invitation_file.string(), ": the certificate in it is no authority's");
  const std::string fingerprint = pki::FingerprintOf(*authority);
  if (!authority_fingerprint.empty() && !pki::SameFingerprint(authority_fingerprint, fingerprint))
    return Unauthenticated("the authority in ", invitation_file.string(), " has the fingerprint ", fingerprint,
                           ", not ", authority_fingerprint.substr(0, 80), ": the file was changed on the way");
  std::error_code error;
  if (fs::exists(kit, error) && !fs::is_empty(kit, error))
    return AlreadyExists(kit.string(), " is not empty; to renew the keys of a kit run `consilium enroll --renew --kit ",
                         kit.string(), "`");
  RETURN_IF_ERROR(MakeDirectories(fs::absolute(kit).lexically_normal().parent_path()));
  RETURN_IF_ERROR(MakePrivateFolder(kit));
  RETURN_IF_ERROR(MakePrivateFolder(kit / "tls"));
  RETURN_IF_ERROR(WriteFileAtomic(transport::TlsFilesIn(kit).ca, invitation.authority_pem));
  transport::Kit made;
  made.self = invitation.self;
  made.coordinator_name = invitation.coordinator_name;
  made.coordinator_host = invitation.coordinator_host;
  made.coordinator_port = invitation.coordinator_port;
  RETURN_IF_ERROR(transport::WriteKitFile(made, kit));
  return MakeRequest(kit, invitation.self, nullptr);
}

StatusOr<BegunEnrolment> BeginRenewal(const fs::path& kit, WallTime now) {
  ASSIGN_OR_RETURN(const PeerName self, SelfOf(kit));
  const StatusOr<pki::Trust> trust = pki::LoadTrust(kit, self, now);
  return MakeRequest(kit, self, trust.ok() ? &trust->signer.key() : nullptr);
}

Status InstallAnswer(const fs::path& kit, const fs::path& answer_file, WallTime now) {
  const fs::path waiting = Waiting(kit);
  std::error_code error;
  if (!fs::exists(waiting / "tls.key", error))
    return FailedPrecondition("no keys wait in ", waiting.string(),
                              " for an answer; begin with `consilium enroll INVITATION --kit ", kit.string(),
                              "` or `consilium enroll --renew --kit ", kit.string(), "`");
  ASSIGN_OR_RETURN(const PeerName self, SelfOf(kit));
  ASSIGN_OR_RETURN(const pki::EnrolmentAnswer answer, pki::ReadAnswer(answer_file));
  if (answer.name != self.name)
    return InvalidArgument(answer_file.string(), " is the answer for '", answer.name, "'; this kit is '", self.name,
                           "'");
  const transport::TlsFiles tls = transport::TlsFilesIn(kit);
  ASSIGN_OR_RETURN(const Certificate authority, ReadCertificate(tls.ca));
  ASSIGN_OR_RETURN(const SecretBytes tls_pem, ReadSecretFile(waiting / "tls.key"));
  ASSIGN_OR_RETURN(const PrivateKey tls_key, PrivateKey::FromPem(tls_pem));
  ASSIGN_OR_RETURN(const Certificate tls_certificate, Certificate::FromPem(answer.tls_pem));
  RETURN_IF_ERROR(CheckTls(tls_certificate, tls_key, authority, self, now));
  // The signing half is checked as it will be read: from files.
  const pki::SigningFiles staged = pki::SigningFilesIn(waiting);
  RETURN_IF_ERROR(WriteFileAtomic(staged.certificate, answer.signing_pem));
  RETURN_IF_ERROR(WriteFileAtomic(staged.roster, answer.roster));
  ASSIGN_OR_RETURN(const pki::Trust trust, pki::LoadTrust(staged, tls.ca, self, now));
  const pki::SigningFiles files = pki::SigningFilesIn(kit);
  RETURN_IF_ERROR(CheckNotOlder(trust.roster, files.roster, authority));
  ASSIGN_OR_RETURN(const SecretBytes signing_pem, ReadSecretFile(staged.key));
  RETURN_IF_ERROR(WriteFileAtomic(tls.key, tls_pem.Reveal(), 0600));
  RETURN_IF_ERROR(WriteFileAtomic(tls.certificate, answer.tls_pem));
  RETURN_IF_ERROR(WriteFileAtomic(files.key, signing_pem.Reveal(), 0600));
  RETURN_IF_ERROR(WriteFileAtomic(files.certificate, answer.signing_pem));
  RETURN_IF_ERROR(WriteFileAtomic(files.roster, answer.roster));
  fs::remove_all(waiting, error);
  return Status();
}

Status InstallRoster(const fs::path& kit, const fs::path& roster_file, WallTime now) {
  ASSIGN_OR_RETURN(const PeerName self, SelfOf(kit));
  ASSIGN_OR_RETURN(const Certificate authority, ReadCertificate(transport::TlsFilesIn(kit).ca));
  ASSIGN_OR_RETURN(const pki::Roster roster, pki::Roster::Read(roster_file, authority, now));
  if (roster.project() != self.project)
    return Unauthenticated(roster_file.string(), " is the roster of project '", roster.project(), "', not of '",
                           self.project, "'");
  const pki::SigningFiles files = pki::SigningFilesIn(kit);
  RETURN_IF_ERROR(CheckNotOlder(roster, files.roster, authority));
  return WriteFileAtomic(files.roster, roster.ToText());
}

}  // namespace consilium::client
