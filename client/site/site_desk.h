// Where every task is put to the site's policy before anything of it is done, and where what leaves the site is noted.
//
// The policy, the roster and people's decisions are read anew for each task, so that a change at the site counts at
// once and needs no restart.  Default deny: whatever cannot be read, verified or understood is refused.
#pragma once

#include <memory>
#include <set>

#include "client/core/session_io.h"
#include "client/site/site_folder.h"
#include "comm/transport/kit.h"
#include "privacy/pki/signer.h"
#include "privacy/policy/audit_log.h"
#include "privacy/policy/release_ledger.h"
#include "privacy/policy/signed_policy.h"

namespace consilium::client {

// Strand-bound.
class SiteDesk {
 public:
  struct Options {
    transport::Kit kit;
    std::filesystem::path state;
    const Clock* clock = &SystemClock();
  };
  // Errors: Storage; DataLoss when the audit log or the ledger does not hold (it was changed from outside).
  static StatusOr<std::unique_ptr<SiteDesk>> Open(Options options);

  // The verdict is noted in the audit log and a task that may run is charged, both durable when this returns.  Errors:
  // Storage: nothing may be done then.
  StatusOr<SiteAnswer> Ask(const wire::TaskKey& task, const std::string& job_json);
  // Takes out of a message the metrics that may not leave.
  wire::SiteMessage Filtered(wire::SiteMessage message);

  // Facts for the audit log; each must be durable before what it tells of happens.
  Status NoteRun(const wire::TaskKey& task, const Digest& model);
  Status NoteRelease(const wire::TaskKey& task, const wire::BlobManifest& update);
  Status NoteReport(const wire::EvaluationReport& report);
  // Of the session machine's reports those about a secure sum: what was refused and why, who the survivors are said to
  // be, that shares of others' secrets were released.  The coordinator's audit head, which the site signs with the
  // survivors, is noted as that party's: a coordinator that keeps two versions of its log is found by any two sites.
  Status NoteSum(const std::string& event, const Json& fields);
  Status NoteStop(const Status& outcome);

  // As of the last Ask; null while they do not hold.
  const pki::Trust* trust() const { return trust_ ? &*trust_ : nullptr; }
  const policy::SitePolicy* policy() const { return policy_ ? &policy_->policy : nullptr; }
  policy::AuditLog* audit() { return audit_.get(); }

  // A sentence each: what ends soon (certificates, roster), and why nothing is allowed when nothing is.
  std::vector<std::string> Warnings() const;

 private:
  SiteDesk(Options options, SiteFolder folder) : options_(std::move(options)), folder_(std::move(folder)) {}
  // The policy in force, or why nothing is allowed.  Notes a policy that is another than before.
  StatusOr<std::optional<policy::Refusal>> LoadPolicy();
  StatusOr<std::optional<policy::Refusal>> JudgeTask(const wire::TaskKey& task, const policy::JobFacts& facts);
  // The person's decision on exactly these contents; a new one goes into the audit log.
  StatusOr<policy::Decision> DecisionOn(const policy::JobFacts& facts);
  Status NoteVerdict(const wire::TaskKey& task, const policy::JobFacts& facts,
                     const std::optional<policy::Refusal>& refusal);
  Status RememberJob(const policy::JobFacts& facts, const std::optional<policy::Refusal>& refusal);

  Options options_;
  SiteFolder folder_;
  std::unique_ptr<policy::AuditLog> audit_;
  std::unique_ptr<policy::ReleaseLedger> ledger_;
  std::optional<policy::SignedPolicy> policy_;
  std::optional<pki::Trust> trust_;
  std::optional<Digest> noted_policy_;
  SeenJobs jobs_;
  Decisions noted_decisions_;
  std::set<std::string> noted_;  // verdicts and releases of this run that are in the log
};

}  // namespace consilium::client
