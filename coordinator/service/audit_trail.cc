#include "coordinator/service/audit_trail.h"

#include <set>

namespace consilium::coordinator {
namespace {

// Not what each site measures, and nothing that comes many times a second.
const std::set<std::string>& Audited() {
  static const std::set<std::string> kEvents = {
      "job_opened", "round_opened",  "update_accepted",        "site_failed",    "model_published",
      "paused",     "resumed",       "job_finished",           "secure_session", "secure_answer_refused",
      "unmasking",  "round_skipped", "secure_session_aborted", "beacon_agreed",  "beacon_aborted"};
  return kEvents;
}

bool IsMilestone(const std::string& event) { return event == "model_published" || event == "job_finished"; }

}  // namespace

StatusOr<std::unique_ptr<AuditTrail>> AuditTrail::Open(const std::filesystem::path& state, const transport::Kit& kit,
                                                       const Clock& clock) {
  const auto now = clock.WallNow();
  StatusOr<pki::Trust> trust = pki::LoadTrust(kit.folder, kit.self, now);
  StatusOr<std::unique_ptr<policy::AuditLog>> log =
      policy::AuditLog::Open({.path = state / "audit.jsonl", .actor = kit.self.name, .clock = &clock});
  if (!log.ok())
    return Annotate(log.status(), "the audit log (keep it for whoever looks into this, and move it away to go on)");
  Json detail = {{"project", kit.self.project}, {"entries_before", (*log)->size()}};
  if (trust.ok()) {
    detail["roster"] = trust->roster.digest().ToHex();
    detail["roster_serial"] = trust->roster.serial();
  }
  RETURN_IF_ERROR((*log)->Append("started", std::move(detail)));
  return std::unique_ptr<AuditTrail>(
      new AuditTrail(*std::move(log), trust.ok() ? std::optional<pki::Trust>(*std::move(trust)) : std::nullopt));
}

Status AuditTrail::Checkpoint() { return trust_ ? log_->Checkpoint(trust_->signer.key()) : Status(); }

Status AuditTrail::Note(const JobId& job, const std::string& event, const Json& fields) {
  if (!Audited().contains(event)) return Status();
  Json detail = {{"job", job.value()}};
  // An audit shows that something was measured, not what.
  for (const auto& [key, value] : fields.items())
    if (key != "metrics" && key != "loss" && key != "seconds") detail[key] = value;
  RETURN_IF_ERROR(log_->Append(event, std::move(detail)));
  return IsMilestone(event) ? Checkpoint() : Status();
}

Status AuditTrail::NoteSubmission(const JobId& job, const Digest& contents, const std::string& by) {
  return log_->Append("job_submitted", {{"job", job.value()}, {"digest", contents.ToHex()}, {"by", by}});
}

Status AuditTrail::Close(const Status& outcome) {
  RETURN_IF_ERROR(log_->Append("stopped", {{"why", outcome.ok() ? "done" : outcome.message()}}));
  return Checkpoint();
}

}  // namespace consilium::coordinator
