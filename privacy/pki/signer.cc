#include "privacy/pki/signer.h"

#include <sys/stat.h>

#include <cerrno>

#include "comm/base/file.h"
#include "comm/base/secret_file.h"
#include "comm/transport/kit.h"
#include "privacy/pki/utc.h"

namespace consilium::pki {
namespace {

namespace fs = std::filesystem;
using crypto::Certificate;
using crypto::CertificateUse;
using crypto::SigningKey;

constexpr std::size_t kPemBytesMax = 1 << 20;

Status CheckKeyMode(const fs::path& key) {
  struct stat info {};
  if (::stat(key.c_str(), &info) != 0) return ErrnoStatus(errno, "opening the signing key " + key.string());
  if ((info.st_mode & (S_IRWXG | S_IRWXO)) == 0) return Status();
  return InvalidArgument("the signing key ", key.string(),
                         " can be used by other users of this machine; run: chmod 600 ", key.string());
}

StatusOr<SigningKey> ReadKey(const fs::path& file) {
  RETURN_IF_ERROR(CheckKeyMode(file));
  ASSIGN_OR_RETURN(const SecretBytes pem, ReadSecretFile(file, kPemBytesMax));
  StatusOr<SigningKey> key = SigningKey::FromPem(pem);
  if (!key.ok()) return Annotate(key.status(), file.string());
  return key;
}

StatusOr<Certificate> ReadCertificate(const fs::path& file) {
  ASSIGN_OR_RETURN(const std::string pem, ReadFile(file, kPemBytesMax));
  StatusOr<Certificate> certificate = Certificate::FromPem(pem);
  if (!certificate.ok()) return Annotate(certificate.status(), file.string());
  return certificate;
}

}  // namespace

SigningFiles SigningFilesIn(const fs::path& kit_folder) {
  return {kit_folder / "signing.key", kit_folder / "signing.pem", kit_folder / "roster.json"};
}

std::string SigningUri(const transport::PeerName& party) {
  return Concat("spiffe://", party.project, "/signing/", transport::RoleName(party.role), "/", party.name);
}

StatusOr<Signer> Signer::Load(const SigningFiles& files, const Certificate& authority, const transport::PeerName& self,
                              WallTime now) {
  std::error_code error;
  if (!fs::exists(files.key, error) && !fs::exists(files.certificate, error))
    return NotFound(files.key.parent_path().string(),
                    " has no signing key: the kit is older than signing. Run `consilium enroll --renew --kit ",
                    files.key.parent_path().string(), "` to get one, or take part with a new kit");
  ASSIGN_OR_RETURN(SigningKey key, ReadKey(files.key));
  ASSIGN_OR_RETURN(Certificate certificate, ReadCertificate(files.certificate));
  const std::string whose = "the signing certificate " + files.certificate.string();
  RETURN_IF_ERROR(CheckCertificate(certificate, authority, CertificateUse::kSigning, now, whose));
  if (!certificate.public_key().Matches(crypto::PublicKey::Of(key)))
    return Unauthenticated("the key ", files.key.string(), " does not belong to ", whose, ": take both from one kit");
  if (certificate.uris() != std::vector<std::string>{SigningUri(self)})
    return Unauthenticated(whose, " (", certificate.subject(), ") is not for the ", transport::RoleName(self.role),
                           " '", self.name, "' of project '", self.project, "'");
  return Signer(self.name, std::move(key), std::move(certificate));
}

StatusOr<Trust> LoadTrust(const fs::path& kit_folder, const transport::PeerName& self, WallTime now) {
  return LoadTrust(SigningFilesIn(kit_folder), transport::TlsFilesIn(kit_folder).ca, self, now);
}

StatusOr<Trust> LoadTrust(const SigningFiles& files, const fs::path& authority_file, const transport::PeerName& self,
                          WallTime now) {
  ASSIGN_OR_RETURN(Certificate authority, ReadCertificate(authority_file));
  ASSIGN_OR_RETURN(Signer signer, Signer::Load(files, authority, self, now));
  ASSIGN_OR_RETURN(Roster roster, Roster::Read(files.roster, authority, now));
  const std::string where = files.roster.string();
  if (roster.project() != self.project)
    return Unauthenticated(where, " is the roster of project '", roster.project(), "', not of '", self.project, "'");
  const RosterEntry* own = roster.Find(self.name);
  if (own == nullptr || own->role != self.role)
    return Unauthenticated(where, " (serial ", roster.serial(), ") does not name the ", transport::RoleName(self.role),
                           " '", self.name, "': it was taken off, or the roster is older than this kit");
  if (const Revocation* revoked = roster.FindRevoked(signer.certificate().serial()))
    return Unauthenticated("our signing certificate ", files.certificate.string(), " was revoked on ",
                           FormatSecond(revoked->when), ": ", revoked->reason,
                           ". A new one comes with `consilium enroll --renew`");
  if (own->key != signer.key().public_key())
    return Unauthenticated(where, " (serial ", roster.serial(), ") has another signing key for '", self.name, "' than ",
                           files.key.string(), ": get the newest roster from whoever runs `consilium provision`");
  return Trust{std::move(authority), std::move(signer), std::move(roster)};
}

std::vector<std::string> ExpiryWarnings(const Trust& trust, WallTime now) {
  std::vector<std::string> warnings;
  const auto warn = [&](const std::string& what, WallTime end, const std::string& mend) {
    if (end - now < kExpiryWarning)
      warnings.push_back(Concat(what, " ends on ", FormatSecond(end), ", in ", DaysUntil(end, now), " days: ", mend));
  };
  warn("the signing certificate", trust.signer.certificate().not_after(), "run `consilium enroll --renew`");
  warn("the roster", trust.roster.contents().expires,
       "the administrator runs `consilium provision roster --renew` and hands it out");
  warn("the authority's certificate", trust.authority.not_after(), "every party needs a new kit");
  return warnings;
}

}  // namespace consilium::pki
