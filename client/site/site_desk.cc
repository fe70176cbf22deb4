#include "client/site/site_desk.h"

namespace consilium::client {
namespace {

using policy::Refusal;
using policy::RefusalCode;

Json TaskJson(const wire::TaskKey& task) {
  Json json = {{"job", task.job.value()},
               {"task", wire::TaskKindName(task.kind)},
               {"round", ToInt(task.round)},
               {"attempt", ToInt(task.attempt)}};
  if (!task.subject.empty()) json["subject"] = task.subject;
  return json;
}

std::string Text(const wire::TaskKey& task) { return TaskJson(task).dump(); }

RefusalCode CodeOf(const Status& status) {
  switch (status.code()) {
    case StatusCode::kNotFound:
      return RefusalCode::kNoPolicy;
    case StatusCode::kUnauthenticated:
      return RefusalCode::kPolicyNotSigned;
    default:
      return RefusalCode::kPolicyUnreadable;
  }
}

bool IsStorage(const Status& status) { return status.code() == StatusCode::kStorage; }

}  // namespace

StatusOr<std::unique_ptr<SiteDesk>> SiteDesk::Open(Options options) {
  SiteFolder folder(options.state);
  RETURN_IF_ERROR(folder.Make());
  std::unique_ptr<SiteDesk> desk(new SiteDesk(std::move(options), std::move(folder)));
  const Options& kept = desk->options_;
  StatusOr<std::unique_ptr<policy::AuditLog>> audit =
      policy::AuditLog::Open({.path = desk->folder_.audit(), .actor = kept.kit.self.name, .clock = kept.clock});
  if (!audit.ok())
    return Annotate(audit.status(), "the audit log (keep it for whoever looks into this, and move it away to go on)");
  desk->audit_ = *std::move(audit);
  ASSIGN_OR_RETURN(desk->ledger_, policy::ReleaseLedger::Open(desk->folder_.releases(), kept.clock));
  ASSIGN_OR_RETURN(desk->jobs_, desk->folder_.ReadJobs());
  ASSIGN_OR_RETURN(desk->noted_decisions_, desk->folder_.ReadDecisions());
  Json detail = {{"project", kept.kit.self.project}, {"entries_before", desk->audit_->size()}};
  RETURN_IF_ERROR(desk->audit_->Append("started", std::move(detail)));
  ASSIGN_OR_RETURN(const std::optional<Refusal> unfit, desk->LoadPolicy());
  if (unfit) RETURN_IF_ERROR(desk->audit_->Append("no_policy_in_force", {{"why", unfit->sentence}}));
  return desk;
}

StatusOr<std::optional<Refusal>> SiteDesk::LoadPolicy() {
  policy_.reset();
  trust_.reset();
  const transport::Kit& kit = options_.kit;
  StatusOr<pki::Trust> trust = pki::LoadTrust(kit.folder, kit.self, options_.clock->WallNow());
  if (!trust.ok()) return std::optional(Refusal{RefusalCode::kNoSigningKey, trust.status().message()});
  trust_ = *std::move(trust);
  StatusOr<policy::SignedPolicy> loaded = policy::LoadPolicy(kit.folder, kit.self, trust_->signer.key().public_key());
  if (!loaded.ok()) return std::optional(Refusal{CodeOf(loaded.status()), loaded.status().message()});
  policy_ = *std::move(loaded);
  if (noted_policy_ != policy_->digest) {
    RETURN_IF_ERROR(audit_->Append("policy", {{"digest", policy_->digest.ToHex()},
                                              {"signer", policy_->signer},
                                              {"roster", trust_->roster.digest().ToHex()},
                                              {"roster_serial", trust_->roster.serial()}}));
    noted_policy_ = policy_->digest;
  }
  return std::optional<Refusal>();
}

StatusOr<policy::Decision> SiteDesk::DecisionOn(const policy::JobFacts& facts) {
  ASSIGN_OR_RETURN(const Decisions decisions, folder_.ReadDecisions());
  const auto found = decisions.find(facts.name);
  if (found == decisions.end()) return policy::Decision::kNone;
  const NotedDecision& noted = found->second;
  if (const auto before = noted_decisions_.find(facts.name);
      before == noted_decisions_.end() || before->second != noted) {
    const bool approved = noted.decision == policy::Decision::kApproved;
    RETURN_IF_ERROR(audit_->Append("decision", {{"job", facts.name},
                                                {"digest", noted.digest.ToHex()},
                                                {"decision", approved ? "approved" : "refused"},
                                                {"by", noted.by},
                                                {"when", noted.when},
                                                {"reason", noted.reason}}));
    noted_decisions_[facts.name] = noted;
  }
  // A refusal holds for the name; an approval for exactly what was looked at.
  if (noted.decision == policy::Decision::kApproved && noted.digest != facts.digest) return policy::Decision::kNone;
  return noted.decision;
}

StatusOr<std::optional<Refusal>> SiteDesk::JudgeTask(const wire::TaskKey& task, const policy::JobFacts& facts) {
  if (task.job.value() != facts.name)
    return std::optional(Refusal{RefusalCode::kJobUnreadable, Concat("the task is of '", task.job, "', its job says '",
                                                                     facts.name.substr(0, 80), "'")});
  policy::Question question{.coordinator = options_.kit.coordinator_name, .task = task, .job = facts};
  const bool charged = ledger_->Has(facts.dataset, task);  // it counts already, and may be done again
  question.sites = static_cast<std::int64_t>(trust_->roster.sites().size());
  question.rounds_spent = ledger_->Rounds(facts.dataset);
  question.releases_spent = ledger_->Releases(facts.dataset) - (charged ? 1 : 0);
  question.opens_round = ledger_->OpensRound(facts.dataset, task);
  question.now = options_.clock->WallNow();
  ASSIGN_OR_RETURN(question.decision, DecisionOn(facts));
  return policy::Judge(policy_->policy, question);
}

StatusOr<SiteAnswer> SiteDesk::Ask(const wire::TaskKey& task, const std::string& job_json) {
  const StatusOr<policy::JobFacts> read = policy::FactsOf(job_json);
  policy::JobFacts facts = read.ok() ? *read : policy::JobFacts{.name = task.job.value()};
  facts.digest = Sha256Of(job_json);
  ASSIGN_OR_RETURN(std::optional<Refusal> refusal, LoadPolicy());
  if (!refusal && !read.ok()) refusal = Refusal{RefusalCode::kJobUnreadable, read.status().message()};
  if (!refusal) {
    StatusOr<std::optional<Refusal>> judged = JudgeTask(task, facts);
    if (!judged.ok() && IsStorage(judged.status())) return judged.status();
    // People's decisions cannot be read: without them nothing may run.
    refusal = judged.ok() ? *std::move(judged) : Refusal{RefusalCode::kPolicyUnreadable, judged.status().message()};
  }
  RETURN_IF_ERROR(NoteVerdict(task, facts, refusal));
  RETURN_IF_ERROR(RememberJob(facts, refusal));
  if (!refusal) {
    RETURN_IF_ERROR(ledger_->Charge(facts.dataset, task));
    return SiteAnswer{task, SiteAnswer::Kind::kYes, ""};
  }
  const bool waits = refusal->code == RefusalCode::kNotApproved;
  return SiteAnswer{task, waits ? SiteAnswer::Kind::kNotYet : SiteAnswer::Kind::kNo,
                    waits ? Concat("waits [", policy::RefusalCodeName(refusal->code), "]: ", refusal->sentence)
                          : policy::ToText(*refusal)};
}

Status SiteDesk::NoteVerdict(const wire::TaskKey& task, const policy::JobFacts& facts,
                             const std::optional<Refusal>& refusal) {
  const std::string code = refusal ? std::string(policy::RefusalCodeName(refusal->code)) : "";
  // A wait is asked about every few seconds, and a refused task is offered again: once is enough.
  if (!noted_.insert(Concat(Text(task), code)).second) return Status();
  Json detail = TaskJson(task);
  detail["digest"] = facts.digest.ToHex();
  if (!refusal) {
    detail["dataset"] = facts.dataset;
    detail["policy"] = policy_->digest.ToHex();
    return audit_->Append("task_accepted", std::move(detail));
  }
  detail["code"] = code;
  detail["why"] = refusal->sentence;
  return audit_->Append(refusal->code == RefusalCode::kNotApproved ? "task_waits" : "task_refused", std::move(detail));
}

Status SiteDesk::RememberJob(const policy::JobFacts& facts, const std::optional<Refusal>& refusal) {
  SeenJob job{.digest = facts.digest,
              .coordinator = options_.kit.coordinator_name,
              .dataset = facts.dataset,
              .architecture = facts.architecture,
              .rounds = facts.rounds,
              .cohort_min = facts.cohort_min,
              .stand = "allowed"};
  if (refusal) {
    job.stand = refusal->code == RefusalCode::kNotApproved ? "waits" : "refused";
    job.code = policy::RefusalCodeName(refusal->code);
    job.sentence = refusal->sentence;
  }
  const auto before = jobs_.find(facts.name);
  job.first_seen = before == jobs_.end() || before->second.digest != facts.digest ? FormatUtc(options_.clock->WallNow())
                                                                                  : before->second.first_seen;
  if (before != jobs_.end() && before->second == job) return Status();
  jobs_[facts.name] = std::move(job);
  return folder_.WriteJobs(jobs_);
}

wire::SiteMessage SiteDesk::Filtered(wire::SiteMessage message) {
  const auto filter = [this](wire::Metrics* metrics) {
    std::vector<std::string> withheld;
    *metrics = policy_ ? policy::FilterMetrics(policy_->policy, *metrics, &withheld) : wire::Metrics();
  };
  if (auto* beat = std::get_if<wire::Heartbeat>(&message)) filter(&beat->metrics);
  if (auto* ready = std::get_if<wire::UpdateReady>(&message)) filter(&ready->metrics);
  if (auto* report = std::get_if<wire::EvaluationReport>(&message)) filter(&report->metrics);
  return message;
}

Status SiteDesk::NoteRun(const wire::TaskKey& task, const Digest& model) {
  Json detail = TaskJson(task);
  detail["model"] = model.ToHex();
  return audit_->Append("task_started", std::move(detail));
}

Status SiteDesk::NoteRelease(const wire::TaskKey& task, const wire::BlobManifest& update) {
  if (!noted_.insert(Concat("release ", Text(task), update.digest)).second) return Status();
  Json detail = TaskJson(task);
  detail["update"] = update.digest.ToHex();
  detail["bytes"] = update.bytes;
  RETURN_IF_ERROR(audit_->Append("release", std::move(detail)));
  return trust_ ? audit_->Checkpoint(trust_->signer.key()) : Status();
}

Status SiteDesk::NoteReport(const wire::EvaluationReport& report) {
  if (!noted_.insert(Concat("report ", Text(report.task))).second) return Status();
  Json detail = TaskJson(report.task);
  detail["metrics"] = Json::array();
  for (const auto& [name, value] : report.metrics) detail["metrics"].push_back(name);
  return audit_->Append("report", std::move(detail));
}

Status SiteDesk::NoteSum(const std::string& event, const Json& fields) {
  if (event != "secure_refused" && event != "survivors_confirmed" && event != "shares_released") return Status();
  RETURN_IF_ERROR(audit_->Append(event, fields));
  if (event == "survivors_confirmed") {
    ASSIGN_OR_RETURN(const Digest head, Digest::FromHex(fields.value("head", "")));
    return audit_->NoteHead(options_.kit.coordinator_name, fields.value("entries", std::uint64_t{0}), head);
  }
  return trust_ ? audit_->Checkpoint(trust_->signer.key()) : Status();
}

Status SiteDesk::NoteStop(const Status& outcome) {
  RETURN_IF_ERROR(audit_->Append("stopped", {{"why", outcome.ok() ? "done" : outcome.message()}}));
  return trust_ ? audit_->Checkpoint(trust_->signer.key()) : Status();
}

std::vector<std::string> SiteDesk::Warnings() const {
  const auto now = options_.clock->WallNow();
  const StatusOr<pki::Trust> trust = pki::LoadTrust(options_.kit.folder, options_.kit.self, now);
  if (!trust.ok()) return {trust.status().message()};
  std::vector<std::string> warnings = pki::ExpiryWarnings(*trust, now);
  const auto loaded = policy::LoadPolicy(options_.kit.folder, options_.kit.self, trust->signer.key().public_key());
  if (!loaded.ok()) warnings.push_back("every task will be refused: " + loaded.status().message());
  return warnings;
}

}  // namespace consilium::client
