// Who takes part, by which signing key: a list that the consortium's authority signed, so that sites can know each
// other through a coordinator that they need not trust.  It is also the list of what was revoked.
//
// In JSON, for people and tools: version, project, serial, issued, expires, parties, revoked, signature.  The signature
// (ECDSA with SHA-256 by the authority's key) is over canonical bytes of the fields, not over the text.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "comm/base/digest.h"
#include "comm/base/ids.h"
#include "comm/transport/peer_name.h"
#include "privacy/crypto/x509.h"

namespace consilium::pki {

using crypto::WallTime;

struct RosterEntry {
  std::string name;  // "hospital-a"
  transport::Role role = transport::Role::kSite;
  crypto::RawPublicKey key{};  // Ed25519
  std::string certificate;     // serial of the signing certificate, hexadecimal
  WallTime not_after;          // to the second, as all times here
  friend bool operator==(const RosterEntry&, const RosterEntry&) = default;
};

struct Revocation {
  std::string certificate;  // serial of a TLS or signing certificate, hexadecimal
  std::string name, reason;
  WallTime when;
  friend bool operator==(const Revocation&, const Revocation&) = default;
};

struct RosterContents {
  std::string project;
  std::uint64_t serial = 0;  // grows with every change: of two rosters the one with the higher serial counts
  WallTime issued, expires;
  std::vector<RosterEntry> parties;  // in name order, each once
  std::vector<Revocation> revoked;   // in order of certificate, each once
  friend bool operator==(const RosterContents&, const RosterContents&) = default;
};

// Immutable.  There is no roster whose signature was not made or checked.
class Roster {
 public:
  // Times are cut to the second, lists sorted.  Errors: InvalidArgument for a party or certificate that is there twice,
  // or a name that is none.
  static StatusOr<Roster> Sign(RosterContents contents, const crypto::PrivateKey& authority_key);
  // `where` names the text in errors.  Errors: InvalidArgument for what is no roster; Unauthenticated when the
  // authority did not sign exactly this, or when it has expired.
  static StatusOr<Roster> Verify(const std::string& text, const crypto::Certificate& authority, WallTime now,
                                 const std::string& where);
  // Of a file; also NotFound.
  static StatusOr<Roster> Read(const std::filesystem::path& file, const crypto::Certificate& authority, WallTime now);

  const RosterContents& contents() const { return contents_; }
  const std::string& project() const { return contents_.project; }
  std::uint64_t serial() const { return contents_.serial; }
  // SHA-256 of the canonical bytes: equal for all who hold the same roster.
  const Digest& digest() const { return digest_; }
  // As a file; ends with a line feed.
  std::string ToText() const;

  const RosterEntry* Find(const std::string& name) const;  // null: nobody of that name; owned by the roster
  std::vector<SiteName> sites() const;                     // in name order
  const Revocation* FindRevoked(const std::string& certificate_serial) const;
  // The key that this site's messages must be signed with.  Errors: PermissionDenied when there is no such site in the
  // roster, its certificate has expired, or it was revoked.
  StatusOr<crypto::RawPublicKey> KeyOf(const SiteName& site, WallTime now) const;

 private:
  RosterContents contents_;
  Bytes signature_;
  Digest digest_;
};

// What is signed.
Bytes CanonicalBytes(const RosterContents& contents);

}  // namespace consilium::pki
