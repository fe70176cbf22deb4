#include "privacy/policy/audit_check.h"

#include <algorithm>

#include "comm/base/file.h"
#include "comm/base/json_number.h"
#include "privacy/policy/audit_compare.h"

namespace consilium::policy {
namespace {

constexpr std::size_t kLineBytesMax = 1 << 20;

template <std::size_t N>
bool FromHexInto(const Json& json, const char* key, std::array<std::uint8_t, N>* out) {
  if (!json.contains(key) || !json[key].is_string()) return false;
  const StatusOr<Bytes> bytes = FromHex(json[key].get<std::string>());
  if (!bytes.ok() || bytes->size() != N) return false;
  std::copy(bytes->begin(), bytes->end(), out->begin());
  return true;
}

// "" when the checkpoint is right for what stands before it.
std::string FaultOfCheckpoint(const AuditEntry& entry, const MerkleTree& before,
                              const AuditExpectations& expectations) {
  crypto::RawPublicKey key;
  crypto::Signature signature;
  Digest root;
  if (!FromHexInto(entry.detail, "key", &key) || !FromHexInto(entry.detail, "signature", &signature) ||
      !FromHexInto(entry.detail, "root", &root.bytes) || !entry.detail.contains("size") ||
      !entry.detail["size"].is_number_unsigned())
    return "a checkpoint without size, root, key or signature";
  const auto size = WholeNumber<std::uint64_t>(entry.detail["size"]);
  if (size != before.size() || root != before.Root()) return "the checkpoint signs other entries than those before it";
  if (expectations.key && key != *expectations.key)
    return "the checkpoint is signed with another key than this party's";
  if (!crypto::Verify(key, CheckpointBytes(size, root), signature)) return "the checkpoint's signature is wrong";
  return "";
}

// What is no such note is another writer's fault, and not one of the chain.
void TakeSeenHead(const AuditEntry& entry, std::vector<SeenHead>* seen) {
  const Json& detail = entry.detail;
  SeenHead head;
  if (!detail.contains("party") || !detail["party"].is_string() || !detail.contains("entries") ||
      !detail["entries"].is_number_unsigned() || !FromHexInto(detail, "head", &head.head.bytes))
    return;
  head.party = detail["party"].get<std::string>();
  head.entries = WholeNumber<std::uint64_t>(detail["entries"]);
  seen->push_back(std::move(head));
}

}  // namespace

std::multimap<std::uint64_t, Digest> HeadsOf(const std::string& party, std::span<const AuditFindings> others) {
  std::multimap<std::uint64_t, Digest> heads;
  for (const AuditFindings& other : others)
    for (const SeenHead& seen : other.seen)
      if (seen.party == party && seen.entries > 0) heads.emplace(seen.entries, seen.head);
  return heads;
}

StatusOr<AuditFindings> CheckAuditText(const std::string& text, const AuditExpectations& expectations) {
  AuditFindings findings;
  std::size_t line_number = 0;
  const auto fault = [&](const std::string& what) {
    findings.faults.push_back(Concat("line ", line_number, ": ", what));
  };
  for (std::size_t at = 0; at < text.size();) {
    ++line_number;
    const std::size_t end = text.find('\n', at);
    const std::string line = text.substr(at, end == std::string::npos ? end : end - at);
    at = end == std::string::npos ? text.size() : end + 1;
    if (line.size() > kLineBytesMax) return ResourceExhausted("line ", line_number, " has ", line.size(), " bytes");
    if (end == std::string::npos) {
      fault("the last line has no end: it was cut short");
      break;
    }
    const StatusOr<AuditEntry> entry = ParseEntry(line);
    if (!entry.ok()) {
      fault(entry.status().message());
      continue;
    }
    if (entry->seq != findings.tree.size())
      fault(Concat("entry ", entry->seq, " where ", findings.tree.size(),
                   " should be: entries are missing, repeated or moved"));
    if (entry->previous != findings.head) fault("it does not follow from the entry before it");
    if (entry->type == kCheckpoint) {
      ++findings.checkpoints;
      crypto::RawPublicKey key;
      if (const std::string wrong = FaultOfCheckpoint(*entry, findings.tree, expectations); !wrong.empty())
        fault(wrong);
      else if (FromHexInto(entry->detail, "key", &key))
        findings.newest_key = key, findings.signed_entries = findings.tree.size();
    }
    if (entry->type == kHeadSeen) TakeSeenHead(*entry, &findings.seen);
    if (IsShared(entry->type)) findings.shared.push_back(*entry);
    if (findings.entries == 0) findings.actor = entry->actor;
    if (entry->actor != findings.actor)
      fault(Concat("written by '", entry->actor, "' in the log of '", findings.actor, "'"));
    findings.tree.Add(CanonicalBytes(*entry));
    findings.head = HashOf(*entry);
    ++findings.entries;
    const auto [first, last] = expectations.heads.equal_range(findings.entries);
    if (std::any_of(first, last, [&](const auto& noted) { return noted.second != findings.head; }))
      fault("another party noted another head here: there are two versions of this log");
  }
  for (const auto& [entries, head] : expectations.heads)
    if (entries > findings.entries)
      findings.faults.push_back(
          Concat("the log ends after ", findings.entries, " entries; another party saw ", entries));
  return findings;
}

StatusOr<AuditFindings> CheckAuditFile(const std::filesystem::path& path, const AuditExpectations& expectations) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, std::size_t{4} << 30));
  StatusOr<AuditFindings> findings = CheckAuditText(text, expectations);
  if (!findings.ok()) return Annotate(findings.status(), path.string());
  return findings;
}

}  // namespace consilium::policy
