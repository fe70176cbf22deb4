// A project's certificate authority, in a folder of its own (<kits>/ca) on a machine that is best kept offline:
//
//   ca.crt, ca.key   the authority; the key has mode 0600
//   project.json     the project, as in project.yaml
//   issued.json      every certificate it made: serial, name, role, use, end
//   roster.json      the newest roster
#pragma once

#include <filesystem>

#include "coordinator/provision/project.h"
#include "privacy/pki/roster.h"

namespace consilium::coordinator {

struct IssuedCertificate {
  std::string serial, name, use;  // "tls", "signing"
  crypto::WallTime not_after;
};

// Value semantics; nothing is durable before Save.  Strand-bound.
class Authority {
 public:
  // A new one.
  static StatusOr<Authority> Make(const Project& project, crypto::WallTime now);
  // Errors: NotFound when the folder is no authority's; Unauthenticated when its roster does not hold or it has
  // expired.
  static StatusOr<Authority> Open(const std::filesystem::path& folder, crypto::WallTime now);
  // Writes the whole into a folder that exists.
  Status Save(const std::filesystem::path& folder) const;

  struct Certified {
    crypto::Certificate tls, signing;
  };
  // Certificates for the party's two keys; it is then in the roster under the new signing key.  The TLS certificate
  // that it had stays good until its end.
  StatusOr<Certified> Certify(const transport::PeerName& party, const crypto::PublicKey& tls,
                              const crypto::PublicKey& signing, crypto::WallTime now);
  // Takes the party off the roster and revokes every certificate it has that has not ended.  Returns how many.  Errors:
  // NotFound when it has none.
  StatusOr<std::size_t> Revoke(const std::string& name, const std::string& reason, crypto::WallTime now);
  // The next roster, of what was certified and revoked.
  Status SignRoster(crypto::WallTime now);

  const Project& project() const { return project_; }
  const crypto::Certificate& certificate() const { return certificate_; }
  const pki::RosterContents& roster() const { return roster_; }
  const std::string& roster_text() const { return roster_text_; }

 private:
  Authority(Project project, crypto::PrivateKey key, crypto::Certificate certificate)
      : project_(std::move(project)), key_(std::move(key)), certificate_(std::move(certificate)) {}
  crypto::CertificateSpec SpecFor(const transport::PeerName& party, crypto::WallTime now) const;
  Project project_;
  crypto::PrivateKey key_;
  crypto::Certificate certificate_;
  std::vector<IssuedCertificate> issued_;
  pki::RosterContents roster_;
  std::string roster_text_;
};

}  // namespace consilium::coordinator
