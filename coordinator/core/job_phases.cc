// From one phase of a job to the next.
#include <algorithm>

#include "coordinator/core/job_machine.h"

namespace consilium::coordinator {
namespace {

// How long a site that contributed to the last round is given to reconnect before a round opens without it.
Duration GraceOf(const FederationPlan& plan) {
  return std::min<Duration>(plan.round_deadline / 4, std::chrono::seconds(60));
}

}  // namespace

// Takes up the phase that the state is in: after a transition, and after a restart.
void JobMachine::EnterPhase() {
  switch (state_.phase()) {
    case Phase::kGathering:
      return EnterGathering();
    case Phase::kCollecting:
    case Phase::kEvaluating:
      ArmDeadline();
      for (const SiteName& site : state_.Awaited()) SendTask(site);
      return TryClose();
    case Phase::kFolding:
      return Fold();
    case Phase::kFinished:
      return actions_.push_back(Finish{});
    case Phase::kNew:
      return;
  }
}

// --- gathering: who takes part

void JobMachine::EnterGathering() {
  grace_over_ = false;
  if (state_.plan().mode == RoundMode::kClose) {
    grace_timer_ = Arm(GraceOf(state_.plan()));
    ArmDeadline();
  }
  TryOpen();
}

std::vector<SiteName> JobMachine::ConnectedMembers() const {
  std::vector<SiteName> members;
  for (const SiteName& site : connected_)
    if (state_.IsMember(site)) members.push_back(site);
  return members;
}

// Before round 0 everybody is expected; later those whose last update was used.  Who has been missing is welcome, but
// not waited for.
std::vector<SiteName> JobMachine::GatherAwaited() const {
  std::vector<SiteName> awaited;
  const auto expect = [&](const auto& sites) {
    for (const SiteName& site : sites)
      if (!connected_.contains(site)) awaited.push_back(site);
  };
  const bool too_few = ConnectedMembers().size() < state_.plan().sites_min && !state_.all_rounds_done();
  if (state_.past().empty() || too_few) {
    expect(state_.opened().sites);
  } else {
    expect(state_.past().back());
  }
  return awaited;
}

void JobMachine::TryOpen() {
  const bool evaluate = state_.all_rounds_done();
  if (state_.plan().mode == RoundMode::kWait)
    return evaluate ? OpenEvaluation(state_.opened().sites) : OpenRound(state_.opened().sites);
  if (!grace_over_ && !GatherAwaited().empty()) return;
  const std::vector<SiteName> present = ConnectedMembers();
  if (evaluate) return OpenEvaluation(present);
  if (present.size() >= state_.plan().sites_min) OpenRound(present);
}

void JobMachine::OpenRound(const std::vector<SiteName>& cohort) {
  Commit(RoundOpened{state_.round(), cohort, state_.model().digest});
  Note("round_opened", {{"round", ToInt(state_.round())}, {"cohort", NamesJson(cohort)}});
  EnterPhase();
}

void JobMachine::OpenEvaluation(const std::vector<SiteName>& cohort) {
  Commit(EvaluationOpened{cohort});
  Note("evaluation_opened", {{"cohort", NamesJson(cohort)}});
  EnterPhase();
}

// --- collecting and evaluating

void JobMachine::ArmDeadline() {
  deadline_over_ = false;
  deadline_timer_ = Arm(state_.plan().round_deadline);
  deadline_at_ = now_ + state_.plan().round_deadline;
}

// The work that an awaited site has in hand; nothing for others.  The same key is the same work, so saying it again
// after a reconnect does no harm.
void JobMachine::SendTask(const SiteName& site) {
  const auto work = state_.cohort().find(site);
  if (work == state_.cohort().end() || work->second.answered() || state_.GaveUp(work->second)) return;
  if (!connected_.contains(site)) return;
  std::uint64_t deadline_ms = 0;
  if (state_.plan().mode == RoundMode::kClose) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline_at_ - now_).count();
    deadline_ms = static_cast<std::uint64_t>(std::max<std::int64_t>(left, 1));
  }
  const wire::TaskKey key = state_.KeyFor(site);
  Tell(site, wire::Task{key, state_.opened().job_json, state_.ModelFor(site), deadline_ms, state_.auxiliary()});
  Note("task_sent", {{"site", site.value()},
                     {"round", ToInt(key.round)},
                     {"attempt", ToInt(key.attempt)},
                     {"task", wire::TaskKindName(key.kind)}});
}

void JobMachine::OnDeadline() {
  const bool gathering = state_.phase() == Phase::kGathering;
  if (!gathering && state_.phase() != Phase::kCollecting && state_.phase() != Phase::kEvaluating) return;
  const bool may_give_up = state_.plan().mode == RoundMode::kClose;
  const std::vector<SiteName> missing = awaited();
  Note("awaited", {{"round", ToInt(state_.round())},
                   {"sites", NamesJson(missing)},
                   {"for", gathering ? "connection" : "answer"},
                   {"seconds", Seconds(now_ - phase_since_)}});
  // Nothing is lost while the first round has not begun, and a consortium may take its time to arrive.
  if (gathering && may_give_up && !state_.past().empty())
    return FinishJob(StatusCode::kDeadlineExceeded,
                     Concat("round ", state_.round(), " could not open: ", ConnectedMembers().size(), " of at least ",
                            state_.plan().sites_min, " sites connected within ",
                            FormatDuration(state_.plan().round_deadline), "; missing: ", Describe(missing)));
  if (!gathering && may_give_up) return TryClose();
  ArmDeadline();
}

// Closes what is open once nobody is awaited, or the deadline has passed and nothing that came in time is still being
// checked.
void JobMachine::TryClose() {
  if (state_.phase() != Phase::kCollecting && state_.phase() != Phase::kEvaluating) return;
  const bool overdue = deadline_over_ && state_.plan().mode == RoundMode::kClose && pending_.empty();
  if (!state_.Awaited().empty() && !overdue) return;
  if (state_.phase() == Phase::kCollecting) return CloseRound();
  FinishJob(StatusCode::kOk, "");
}

void JobMachine::CloseRound() {
  RoundClosed closed{state_.round(), {}, {}};
  for (const auto& [site, work] : state_.cohort()) (work.update ? closed.contributors : closed.missing).push_back(site);
  const std::vector<SiteName> awaited = state_.Awaited();
  if (closed.contributors.size() < state_.plan().sites_min)
    return FinishJob(
        awaited.empty() ? StatusCode::kFailed : StatusCode::kDeadlineExceeded,
        Concat("round ", state_.round(), " has ", closed.contributors.size(), " of at least ", state_.plan().sites_min,
               " updates after ", FormatDuration(now_ - phase_since_), "; missing: ", Describe(closed.missing)));
  const double seconds = Seconds(now_ - phase_since_);
  Commit(closed);
  for (const SiteName& site : awaited)
    Tell(site, wire::StandDown{state_.KeyFor(site), Concat("round ", state_.round(), " closed at its deadline")});
  Note("round_closed", {{"round", ToInt(state_.round())},
                        {"contributors", NamesJson(closed.contributors)},
                        {"missing", NamesJson(closed.missing)},
                        {"seconds", seconds}});
  EnterPhase();
}

// "hospital-b (not connected), hospital-c (failed: out of memory)"
std::string JobMachine::Describe(const std::vector<SiteName>& missing) const {
  std::string text;
  for (const SiteName& site : missing) {
    text += (text.empty() ? "" : ", ") + site.value();
    const auto work = state_.cohort().find(site);
    if (work != state_.cohort().end() && work->second.last_failure)
      text += " (failed: " + work->second.last_failure->message + ")";
    else
      text += connected_.contains(site) ? " (connected, no answer)" : " (not connected)";
  }
  return text.empty() ? "nobody" : text;
}

// --- folding and the end

void JobMachine::Fold() {
  FoldRound fold{state_.round(), {}, state_.model(), state_.strategy_state(), state_.opened().sites.size()};
  for (const auto& [site, work] : state_.cohort())
    if (work.update)
      fold.contributions.push_back({.site = site,
                                    .update = work.update->update,
                                    .weight = state_.plan().weighting == Weighting::kEqual ? 1.0 : work.update->weight,
                                    .metrics = work.update->metrics,
                                    .base = state_.ModelFor(site).digest});
  actions_.push_back(std::move(fold));
}

void JobMachine::FinishJob(StatusCode code, const std::string& message) {
  const std::vector<SiteName> missing = state_.Awaited();
  pending_.clear();
  Commit(JobFinished{code, message});
  actions_.push_back(Finish{});
  Note("job_finished", {{"code", StatusCodeName(code)}, {"message", message}, {"missing", NamesJson(missing)}});
  for (const SiteName& site : ConnectedMembers()) Tell(site, wire::JobEnded{state_.opened().job, code, message});
}

}  // namespace consilium::coordinator
