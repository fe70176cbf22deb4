// Does an audit log hold?
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "privacy/policy/audit_log.h"

namespace consilium::policy {

struct AuditExpectations {
  std::optional<crypto::RawPublicKey> key;  // checkpoints must be signed with it
  // Heads that somebody else noted: after so many entries the head was this.  A log that was cut short, or of which
  // there are two versions, contradicts them.
  std::multimap<std::uint64_t, Digest> heads;
};

// What one log says of another.
struct SeenHead {
  std::string party;
  std::uint64_t entries = 0;
  Digest head;
};

struct AuditFindings {
  std::uint64_t entries = 0, checkpoints = 0;
  std::string actor;                               // of the first entry
  std::uint64_t signed_entries = 0;                // covered by the newest checkpoint whose signature holds
  std::optional<crypto::RawPublicKey> newest_key;  // that checkpoint's
  std::vector<SeenHead> seen;
  std::vector<AuditEntry> shared;  // what another party's log speaks of too (audit_compare.h)
  Digest head;
  MerkleTree tree;
  std::vector<std::string> faults;  // "line 7: ..."; empty: it holds
};

// Checks everything and lists every fault; after a broken link it goes on with what the next entry claims.  Errors:
// ResourceExhausted for a line of more than 1 MiB.
StatusOr<AuditFindings> CheckAuditText(const std::string& text, const AuditExpectations& expectations);
// What several parties' logs say of each other: the heads of party's log that the others noted.
std::multimap<std::uint64_t, Digest> HeadsOf(const std::string& party, std::span<const AuditFindings> others);
// Of a file.  Errors: NotFound, Storage.
StatusOr<AuditFindings> CheckAuditFile(const std::filesystem::path& path, const AuditExpectations& expectations);

}  // namespace consilium::policy
