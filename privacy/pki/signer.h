// A party's own signing key with the certificate that vouches for it, and the files in a kit that hold them:
//
//   signing.key   Ed25519, PKCS#8 PEM, mode 0600
//   signing.pem   the authority's certificate for it
//   roster.json   everybody's (roster.h)
//
// Apart from the TLS key: that one proves who talks to the coordinator, this one who speaks to the other sites through
// it.  Neither certificate can stand for the other: key kind, extended usage and URI all differ.
#pragma once

#include <filesystem>

#include "privacy/pki/roster.h"

namespace consilium::pki {

struct SigningFiles {
  std::filesystem::path key, certificate, roster;
};
SigningFiles SigningFilesIn(const std::filesystem::path& kit_folder);

// The URI in a signing certificate, "spiffe://hippocampus/signing/site/hospital-a"; PeerNameFromUri refuses it.
std::string SigningUri(const transport::PeerName& party);

// Immutable; copies share the key.
class Signer {
 public:
  // Errors: NotFound for a missing file; InvalidArgument for files that are not PEM, or a key that others can read or
  // that is of another kind; Unauthenticated when the certificate is not valid now, is not the authority's, belongs to
  // another key or party, or is a TLS certificate.  Each says which file and what to do.
  static StatusOr<Signer> Load(const SigningFiles& files, const crypto::Certificate& authority,
                               const transport::PeerName& self, WallTime now);

  const std::string& name() const { return name_; }
  const crypto::SigningKey& key() const { return key_; }
  const crypto::Certificate& certificate() const { return certificate_; }

 private:
  Signer(std::string name, crypto::SigningKey key, crypto::Certificate certificate)
      : name_(std::move(name)), key_(std::move(key)), certificate_(std::move(certificate)) {}
  std::string name_;
  crypto::SigningKey key_;
  crypto::Certificate certificate_;
};

// Everything that a kit knows of signing, checked against each other.
struct Trust {
  crypto::Certificate authority;
  Signer signer;
  Roster roster;
};
// Also: the roster is of this project, and has this party under this key, not revoked.
// Errors: those of Signer::Load and Roster::Read; Unauthenticated for what does not fit together.
StatusOr<Trust> LoadTrust(const std::filesystem::path& kit_folder, const transport::PeerName& self, WallTime now);
// The same for files that are not in their place yet.
StatusOr<Trust> LoadTrust(const SigningFiles& files, const std::filesystem::path& authority,
                          const transport::PeerName& self, WallTime now);

// From 30 days before the end on people are warned.
inline constexpr std::chrono::hours kExpiryWarning{24 * 30};
// What ends soon, a sentence each: the signing certificate, the roster, the authority.
std::vector<std::string> ExpiryWarnings(const Trust& trust, WallTime now);

}  // namespace consilium::pki
