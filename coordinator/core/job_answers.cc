// What sites say about their tasks.
#include "coordinator/core/fold.h"
#include "coordinator/core/job_machine.h"

namespace consilium::coordinator {
namespace {

constexpr std::size_t kFailureTextBytesMax = 4096;  // what the journal keeps of a site's message

Json TaskJson(const SiteName& site, const wire::TaskKey& task) {
  return {{"site", site.value()},
          {"round", ToInt(task.round)},
          {"attempt", ToInt(task.attempt)},
          {"task", wire::TaskKindName(task.kind)}};
}

}  // namespace

// True when the answer does not count; the site has then been told why.
bool JobMachine::Drop(const SiteName& site, const wire::TaskKey& task, std::string_view message,
                      const Verdict& verdict) {
  if (verdict.counts()) return false;
  ++drops_[site][verdict.reason];
  Tell(site, wire::Receipt{task, verdict.reason, verdict.detail});
  Json fields = TaskJson(site, task);
  fields["message"] = message;
  fields["reason"] = wire::DropReasonName(verdict.reason);
  fields["detail"] = verdict.detail;
  Note("drop", std::move(fields));
  return true;
}

// A site that works on what nobody waits for any more (it was away when it was told to stop) is told again, once.
void JobMachine::OnAnswer(const SiteName& site, const wire::Heartbeat& beat) {
  beats_[site] = beat;
  if (beat.task.job != state_.opened().job || beat.phase == wire::SitePhase::kIdle) return;
  if (beat.phase == wire::SitePhase::kUploading || stood_down_[site] == beat.task) return;
  const Verdict verdict = JudgeAnswer(state_, site, beat.task);
  if (verdict.counts() || verdict.reason == wire::DropReason::kUnknownTask) return;
  // In an open round the receipt that is under way, or the next attempt, says it better.
  const bool open = state_.phase() == Phase::kCollecting || state_.phase() == Phase::kEvaluating;
  if (open && !state_.async() && beat.task.round == state_.KeyFor(site).round) return;
  stood_down_[site] = beat.task;
  Tell(site, wire::StandDown{beat.task, verdict.detail});
}

void JobMachine::OnAnswer(const SiteName& site, const wire::UpdateReady& ready) {
  Verdict verdict = JudgeAnswer(state_, site, ready.task);
  if (verdict.counts() && !wire::HasUpload(ready.task.kind))
    verdict = {wire::DropReason::kUnknownTask, "an evaluation has no update"};
  if (verdict.counts() && state_.secure())
    verdict = {wire::DropReason::kUnknownTask, "this job's updates are summed in secret; none is taken by itself"};
  if (Drop(site, ready.task, "update", verdict)) {
    if (verdict.reason == wire::DropReason::kStale) GiveTasks();
    return;
  }
  const auto refuse = [&](const std::string& why) {
    RecordFailure(site, ready.task, StatusCode::kDataLoss, why, {ready.task, wire::DropReason::kBadUpdate, why});
  };
  if (!(ready.weight > 0) || ready.weight > kWeightMax)
    return refuse(Concat("the update's weight is ", ready.weight, ", expected more than 0 and at most ", kWeightMax));
  if (ready.update.bytes > AnswerBytesMax(state_))
    return refuse(
        Concat("the update has ", ready.update.bytes, " bytes; at most ", AnswerBytesMax(state_), " are taken"));
  const auto given = given_at_.find(site);
  const Instant since = state_.async() && given != given_at_.end() ? given->second : phase_since_;
  // Said again while the first is being checked: the receipt will answer both.
  if (!pending_.try_emplace(site, PendingUpdate{ready, now_ - since}).second) return;
  actions_.push_back(CheckUpdate{site, ready.task, ready.update});
}

void JobMachine::On(const UpdateChecked& input) {
  const auto found = pending_.find(input.site);
  if (found == pending_.end() || found->second.ready.task != input.task) return;   // overtaken by a failure
  if (input.update && *input.update != found->second.ready.update.digest) return;  // of a session that is over
  // Mode async: the round that it will be part of opens when the present one is folded.
  if (state_.async() && state_.phase() != Phase::kCollecting) {
    found->second.verdict = input.verdict;
    return;
  }
  TakeVerdict(input.site, input.verdict);
}

void JobMachine::TakeVerdict(const SiteName& site, const Status& verdict) {
  const PendingUpdate pending = std::move(pending_.extract(site).mapped());
  const wire::TaskKey& task = pending.ready.task;
  // Rounds may have passed while it was being checked.
  const Verdict now = JudgeAnswer(state_, site, task);
  if (Drop(site, task, "update", now)) return GiveTasks();
  if (verdict.ok() && pending.masked) {
    if (session_ && session_->number() == pending.masked->session) TakeSecure(site, *pending.masked);
    return;
  }
  if (verdict.ok()) return AcceptUpdate(site, pending);
  RecordFailure(site, task, verdict.code(), verdict.message(), {task, wire::DropReason::kBadUpdate, verdict.message()});
}

void JobMachine::AcceptUpdate(const SiteName& site, const PendingUpdate& pending) {
  const wire::UpdateReady& ready = pending.ready;
  Commit(UpdateAccepted{site, ready.task, ready.update, ready.weight, ready.metrics, Seconds(pending.after)});
  Tell(site, wire::Receipt{ready.task, wire::DropReason::kNone, ""});
  Json fields = TaskJson(site, ready.task);
  fields["weight"] = ready.weight;
  fields["bytes"] = ready.update.bytes;
  fields["update"] = ready.update.digest.ToHex();
  fields["seconds"] = Seconds(pending.after);
  if (state_.async()) fields["staleness"] = ToInt(state_.round()) - ToInt(ready.task.round);
  fields["metrics"] = MetricsJson(ready.metrics);
  Note("update_accepted", std::move(fields));
  TryClose();
  if (state_.async()) GiveTasks();
}

void JobMachine::OnAnswer(const SiteName& site, const wire::EvaluationReport& report) {
  Verdict verdict = JudgeAnswer(state_, site, report.task);
  if (verdict.counts() && wire::HasUpload(report.task.kind))
    verdict = {wire::DropReason::kUnknownTask, "this task asks for an update"};
  if (Drop(site, report.task, "evaluation", verdict)) return;
  Commit(EvaluationAccepted{site, report.task, report.metrics});
  Tell(site, wire::Receipt{report.task, wire::DropReason::kNone, ""});
  Json fields = TaskJson(site, report.task);
  fields["seconds"] = Seconds(now_ - phase_since_);
  fields["metrics"] = MetricsJson(report.metrics);
  Note("evaluation", std::move(fields));
  SendTask(site);  // the next subject
  TryClose();
}

void JobMachine::OnAnswer(const SiteName& site, const wire::TaskFailed& failed) {
  if (Drop(site, failed.task, "failure", JudgeAnswer(state_, site, failed.task))) return;
  RecordFailure(site, failed.task, failed.code, failed.message, {failed.task, wire::DropReason::kNone, ""});
}

void JobMachine::RecordFailure(const SiteName& site, const wire::TaskKey& task, StatusCode code,
                               const std::string& message, const wire::Receipt& receipt) {
  pending_.erase(site);
  ready_.erase(site);
  if (session_) session_->GiveUp(site);
  if (beacon_) beacon_->GiveUp(site);
  Commit(TaskFailureRecorded{site, task, code == StatusCode::kOk ? StatusCode::kFailed : code,
                             message.substr(0, kFailureTextBytesMax)});
  if (receipt.reason != wire::DropReason::kNone) ++drops_[site][receipt.reason];
  Tell(site, receipt);
  Json fields = TaskJson(site, task);
  fields["code"] = StatusCodeName(code);
  fields["message"] = message;
  if (receipt.reason != wire::DropReason::kNone) fields["reason"] = wire::DropReasonName(receipt.reason);
  Note("site_failed", std::move(fields));

  if (state_.async() && state_.phase() != Phase::kEvaluating) return TryClose();
  const SiteWork& work = state_.cohort().at(site);
  if (!state_.IsDone(work)) {
    SendTask(site);
    if (!session_ && !beacon_) return;
  }
  if (state_.plan().mode == RoundMode::kWait && state_.phase() == Phase::kCollecting)
    return FinishJob(state_.CodeOfFailures(),
                     Concat(Title(), ": ", site, " failed ", work.failures, work.failures == 1 ? " time" : " times",
                            ", the last time with: ", work.last_failure->message));
  TryClose();
}

}  // namespace consilium::coordinator
