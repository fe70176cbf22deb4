// The coordinator's audit log, STATE/audit.jsonl: who handed in what, which site was asked, what came in by digest,
// what was made of it.  For people who must show later what happened; events.jsonl of each job says more, and proves
// nothing.
#pragma once

#include <memory>
#include <optional>

#include "comm/transport/kit.h"
#include "privacy/pki/signer.h"
#include "privacy/policy/audit_log.h"
#include "privacy/secagg/messages.h"

namespace consilium::coordinator {

// Strand-bound.
class AuditTrail {
 public:
  // Without a signing key in the kit nothing is signed, and a checkpoint cannot be made.  Errors: DataLoss when the log
  // does not hold; Storage.
  static StatusOr<std::unique_ptr<AuditTrail>> Open(const std::filesystem::path& state, const transport::Kit& kit,
                                                    const Clock& clock = SystemClock());

  // Takes of a job's events those that an audit is about; signs after each new model and at a job's end.  Errors:
  // Storage: the job may not go on.
  Status Note(const JobId& job, const std::string& event, const Json& fields);
  Status NoteSubmission(const JobId& job, const Digest& contents, const std::string& by);
  // What sites are told of it in a secure sum, to sign it and to keep it in logs of their own.
  secagg::AuditPoint point() const { return {log_->size(), log_->head()}; }
  // Signs what is there.
  Status Close(const Status& outcome);

 private:
  AuditTrail(std::unique_ptr<policy::AuditLog> log, std::optional<pki::Trust> trust)
      : log_(std::move(log)), trust_(std::move(trust)) {}
  Status Checkpoint();
  std::unique_ptr<policy::AuditLog> log_;
  std::optional<pki::Trust> trust_;
};

}  // namespace consilium::coordinator
