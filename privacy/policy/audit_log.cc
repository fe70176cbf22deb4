#include "privacy/policy/audit_log.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "comm/base/descriptor.h"
#include "comm/base/file.h"
#include "comm/base/json_number.h"
#include "privacy/policy/audit_check.h"

namespace consilium::policy {

Bytes CanonicalBytes(const AuditEntry& entry) {
  ByteWriter writer;
  writer.PutString("consilium audit entry");
  writer.Put(entry.seq);
  writer.PutString(entry.time), writer.PutString(entry.actor), writer.PutString(entry.type);
  writer.PutRaw(Sha256Of(entry.detail.dump()).bytes);
  writer.PutRaw(entry.previous.bytes);
  return std::move(writer).Take();
}

Digest HashOf(const AuditEntry& entry) { return Sha256Of(CanonicalBytes(entry)); }

std::string ToLine(const AuditEntry& entry) {
  return Json({{"seq", entry.seq},
               {"time", entry.time},
               {"actor", entry.actor},
               {"type", entry.type},
               {"detail", entry.detail},
               {"previous", entry.previous.ToHex()},
               {"hash", HashOf(entry).ToHex()}})
      .dump();
}

StatusOr<AuditEntry> ParseEntry(const std::string& line) {
  StatusOr<Json> json = ParseJson(line, "the entry");
  if (!json.ok()) return DataLoss("no JSON: ", json.status().message());
  AuditEntry entry;
  std::string previous, hash;
  try {
    entry.seq = WholeNumber<std::uint64_t>(json->at("seq"));
    json->at("time").get_to(entry.time);
    json->at("actor").get_to(entry.actor);
    json->at("type").get_to(entry.type);
    entry.detail = json->at("detail");
    json->at("previous").get_to(previous);
    json->at("hash").get_to(hash);
  } catch (const Json::exception& error) {
    return DataLoss("no audit entry: ", error.what());
  }
  if (!entry.detail.is_object() || json->size() != 7)
    return DataLoss("an audit entry has seven fields, and its detail is a map");
  const StatusOr<Digest> before = Digest::FromHex(previous);
  if (!before.ok()) return DataLoss("'previous' is no hash");
  entry.previous = *before;
  if (HashOf(entry).ToHex() != hash) return DataLoss("the entry was changed: its hash is not that of its contents");
  return entry;
}

Bytes CheckpointBytes(std::uint64_t size, const Digest& root) {
  ByteWriter writer;
  writer.PutString("consilium audit checkpoint");
  writer.Put(size);
  writer.PutRaw(root.bytes);
  return std::move(writer).Take();
}

Status AuditLog::OpenFile() {
  const std::string path = options_.path.string();
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (descriptor_ < 0) return ErrnoStatus(errno, "opening " + path);
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0)
    return FailedPrecondition(path, " is being written by another process");
  ASSIGN_OR_RETURN(std::string text, ReadFile(options_.path, std::size_t{4} << 30));
  const std::size_t whole = text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1;
  const std::size_t torn = text.size() - whole;
  text.resize(whole);
  ASSIGN_OR_RETURN(const AuditFindings findings, CheckAuditText(text, {}));
  if (!findings.faults.empty()) return DataLoss(path, " does not hold: ", findings.faults.front());
  tree_ = findings.tree;
  head_ = findings.head;
  if (torn == 0) return SyncDirectory(options_.path.parent_path());
  if (::ftruncate(descriptor_, static_cast<off_t>(whole)) != 0) return ErrnoStatus(errno, "mending " + path);
  return Append("recovered", {{"torn_bytes", torn}});
}

StatusOr<std::unique_ptr<AuditLog>> AuditLog::Open(Options options) {
  std::unique_ptr<AuditLog> log(new AuditLog(std::move(options)));
  RETURN_IF_ERROR(log->OpenFile());
  return log;
}

AuditLog::~AuditLog() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Status AuditLog::Append(const std::string& type, Json detail) {
  AuditEntry entry = {.seq = tree_.size(),
                      .time = FormatUtc(options_.clock->WallNow()),
                      .actor = options_.actor,
                      .type = type,
                      .detail = std::move(detail),
                      .previous = head_};
  const off_t before = ::lseek(descriptor_, 0, SEEK_END);
  const std::string what = "writing " + options_.path.string();
  Status status = WriteAll(descriptor_, AsBytes(ToLine(entry) + "\n"), what);
  if (status.ok() && ::fdatasync(descriptor_) != 0) status = ErrnoStatus(errno, what);
  if (!status.ok()) {
    // What was half written must not stand before the next entry.
    if (::ftruncate(descriptor_, before) != 0)
      return Annotate(status, "and the half-written entry could not be removed");
    return status;
  }
  tree_.Add(CanonicalBytes(entry));
  head_ = HashOf(entry);
  return Status();
}

Status AuditLog::NoteHead(const std::string& party, std::uint64_t entries, const Digest& head) {
  return Append(kHeadSeen, {{"party", party}, {"entries", entries}, {"head", head.ToHex()}});
}

Status AuditLog::Checkpoint(const crypto::SigningKey& key) {
  const std::uint64_t size = tree_.size();
  const Digest root = tree_.Root();
  return Append(kCheckpoint, {{"size", size},
                              {"root", root.ToHex()},
                              {"key", ToHex(key.public_key())},
                              {"signature", ToHex(key.Sign(CheckpointBytes(size, root)))}});
}

}  // namespace consilium::policy
