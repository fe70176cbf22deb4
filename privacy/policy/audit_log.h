// A log that cannot be changed afterwards without being found out: every entry contains the hash of the one before it,
// and now and then the party signs the whole.
//
// A line: {"seq": 0, "time": "...", "actor": "...", "type": "...", "detail": {...}, "previous": hex, "hash": hex}; hash
// = SHA-256 of the canonical bytes of seq, time, actor, type, SHA-256(detail), previous.  A checkpoint is an entry of
// type "checkpoint" whose detail has the number of entries before it, their Merkle root (RFC 6962), the public key and
// an Ed25519 signature of both.
//
// No entry may hold a secret, a share, or anything about one record; whoever appends sees to it.
#pragma once

#include <filesystem>
#include <memory>

#include "comm/base/json.h"
#include "comm/base/time.h"
#include "privacy/crypto/raw_keys.h"
#include "privacy/policy/merkle.h"

namespace consilium::policy {

struct AuditEntry {
  std::uint64_t seq = 0;
  std::string time;   // UTC, to the millisecond; what the writer's clock said
  std::string actor;  // a party's name
  std::string type;   // "update_sent", "refused", "checkpoint"
  Json detail;        // a map
  Digest previous;    // zeros for the first
  friend bool operator==(const AuditEntry&, const AuditEntry&) = default;
};
inline constexpr char kCheckpoint[] = "checkpoint";
// What a party says of another's log: after so many entries its head was this.  Detail: {"party", "entries", "head"}.
// Two logs that say so of each other cannot be rewritten, or kept in two versions, without contradicting somebody.
inline constexpr char kHeadSeen[] = "head_seen";

// What is hashed, and is a leaf of the tree.
Bytes CanonicalBytes(const AuditEntry& entry);
Digest HashOf(const AuditEntry& entry);
// One line without its end.  Errors of ParseEntry: DataLoss saying what is wrong, also when the hash is not the
// entry's.
std::string ToLine(const AuditEntry& entry);
StatusOr<AuditEntry> ParseEntry(const std::string& line);
// What a checkpoint signs.
Bytes CheckpointBytes(std::uint64_t size, const Digest& root);

// Strand-bound; one writer a file.
class AuditLog {
 public:
  struct Options {
    std::filesystem::path path;
    std::string actor;
    const Clock* clock = &SystemClock();
  };
  // Makes the file (mode 0600) or goes on with one, after checking all of it.  A last line without its end, which a
  // crash left, is removed, and an entry "recovered" says how many bytes it had.  Errors: DataLoss when the log does
  // not hold; Storage; FailedPrecondition when another process writes it.
  static StatusOr<std::unique_ptr<AuditLog>> Open(Options options);
  ~AuditLog();

  // Durable when it returns.  Errors: Storage; nothing may be done then that the entry was to tell of.
  Status Append(const std::string& type, Json detail);
  // Notes another party's head, as that party signed it to us.
  Status NoteHead(const std::string& party, std::uint64_t entries, const Digest& head);
  // Signs what is there.
  Status Checkpoint(const crypto::SigningKey& key);

  std::uint64_t size() const { return tree_.size(); }
  const Digest& head() const { return head_; }  // hash of the last entry; zeros when there is none

 private:
  explicit AuditLog(Options options) : options_(std::move(options)) {}
  Status OpenFile();
  Options options_;
  int descriptor_ = -1;
  MerkleTree tree_;
  Digest head_;
};

}  // namespace consilium::policy
