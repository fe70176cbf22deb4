// From one phase of a job to the next.
#include <algorithm>

#include "coordinator/core/cohort.h"
#include "coordinator/core/job_machine.h"

namespace consilium::coordinator {

// Takes up the phase that the state is in: after a transition, and after a restart.
void JobMachine::EnterPhase() {
  const wire::DeadlinePolicy deadlines = state_.plan().deadlines();
  straggler_timer_ = 0;
  straggler_grace_over_ = false;
  straggler_until_.reset();
  switch (state_.phase()) {
    case Phase::kGathering:
      return EnterGathering();
    case Phase::kCollecting:
      ArmDeadline(deadlines.task);
      if (state_.secure()) {
        for (const SiteName& site : state_.Awaited()) SendTask(site);
        if (session_) return EnterStage();
      } else if (!state_.async()) {
        for (const SiteName& site : state_.Awaited()) SendTask(site);
      } else {  // who has a task in hand has been told of it
        const std::map<SiteName, PendingUpdate> held = pending_;
        for (const auto& [site, pending] : held)
          if (pending.verdict && state_.phase() == Phase::kCollecting) TakeVerdict(site, *pending.verdict);
        if (state_.phase() == Phase::kCollecting) GiveTasks();
      }
      return TryClose();
    case Phase::kEvaluating:
      // A site does one subject after the other.
      ArmDeadline(deadlines.evaluation * static_cast<std::int64_t>(state_.evaluation()->subjects.size()));
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
  grace_until_.reset();
  building_ = false;
  if (state_.next() == NextStep::kNothing) return FinishJob(StatusCode::kOk, "");
  if (state_.plan().mode != RoundMode::kWait) {
    const wire::DeadlinePolicy deadlines = state_.plan().deadlines();
    grace_until_ = now_ + deadlines.gather_grace;
    grace_timer_ = Arm(deadlines.gather_grace);
    ArmDeadline(deadlines.gather);
  }
  TryOpen();
}

std::vector<SiteName> JobMachine::ConnectedMembers() const {
  std::vector<SiteName> members;
  for (const SiteName& site : connected_)
    if (state_.IsMember(site)) members.push_back(site);
  return members;
}

std::vector<SiteName> JobMachine::FitMembers() const {
  std::vector<SiteName> members = ConnectedMembers();
  std::erase_if(members, [this](const SiteName& site) { return !WhyUnfit(site).empty(); });
  return members;
}

// To open a round with.  Once groups are drawn, it is their sums that need sites.
bool JobMachine::IsEnough(const std::vector<SiteName>& sites) const {
  return state_.grouped() && state_.beacon() ? state_.CanSum(sites) : sites.size() >= state_.plan().sites_min;
}

// Before round 0 everybody is expected; later those whose last update was used.  Who has been missing is welcome, but
// not waited for.  A coordinator that has just come back draws from few sites when it draws at once, so it also expects
// whoever has not been missing lately.
std::vector<SiteName> JobMachine::GatherAwaited() const {
  std::vector<SiteName> awaited;
  const auto expect = [&](const auto& sites) {
    for (const SiteName& site : sites)
      if (!connected_.contains(site)) awaited.push_back(site);
  };
  const bool too_few = !IsEnough(FitMembers()) && state_.next() == NextStep::kRound;
  if (state_.past().empty() || too_few || state_.past().back().empty()) {
    expect(state_.opened().sites);
  } else if (first_gathering_ && state_.plan().fraction < 1) {
    std::vector<SiteName> well;
    for (const SiteName& site : state_.opened().sites)
      if (state_.HealthOf(site).failures_in_row == 0) well.push_back(site);
    expect(well);
  } else {
    expect(state_.past().back());
  }
  return awaited;
}

void JobMachine::TryOpen() {
  if (state_.next() == NextStep::kRound) return TryOpenRound();
  if (state_.plan().mode == RoundMode::kWait) return OpenEvaluation(state_.opened().sites);
  if (grace_over_ || GatherAwaited().empty()) OpenEvaluation(FitMembers());
}

void JobMachine::TryOpenRound() {
  const FederationPlan& plan = state_.plan();
  if (state_.paused_by()) return;
  if (state_.preparing()) return TryOpenPreparation();
  if (plan.mode == RoundMode::kWait) return OpenRound(state_.opened().sites, state_.opened().sites.size());
  const bool going_on = state_.async() && !state_.past().empty();  // sites are at work all the time
  if (going_on) return OpenRound(state_.opened().sites, plan.buffer);
  if (!grace_over_ && !GatherAwaited().empty()) return;
  const std::vector<SiteName> present = FitMembers();
  if (!IsEnough(present)) return;
  if (state_.async()) return OpenRound(state_.opened().sites, plan.buffer);
  std::vector<SiteName> eligible = WithoutResting(
      present, plan.sites_min, [this](const SiteName& site) { return state_.HealthOf(site).Rests(state_.round()); });
  if (!IsEnough(eligible)) eligible = present;
  const Cohort cohort =
      SelectCohort({plan.seed, state_.round(), plan.sites_min, plan.fraction, plan.over_select}, eligible);
  OpenRound(cohort.sites, cohort.target);
}

void JobMachine::OpenRound(const std::vector<SiteName>& cohort, std::size_t target) {
  first_gathering_ = false;
  Commit(RoundOpened{state_.round(), cohort, state_.model().digest, static_cast<std::uint32_t>(target)});
  NoteOpened(cohort, target);
  EnterPhase();
}

void JobMachine::NoteOpened(const std::vector<SiteName>& cohort, std::size_t target) {
  Json fields = {{"round", ToInt(state_.round())}, {"cohort", NamesJson(cohort)}, {"target", target}};
  if (!state_.preparing()) {
    Json& resting = fields["resting"] = Json::array();
    for (const SiteName& site : ConnectedMembers())
      if (state_.HealthOf(site).Rests(state_.round()) && !state_.cohort().contains(site))
        resting.push_back(site.value());
  }
  Note(Concat(WorkName(state_.work()), "_opened"), std::move(fields));
}

// --- collecting

void JobMachine::ArmDeadline(Duration after) {
  deadline_over_ = false;
  deadline_timer_ = Arm(after);
  deadline_at_ = now_ + after;
}

// The work that an awaited site has in hand; nothing for others.  The same key is the same work, so saying it again
// after a reconnect does no harm.
void JobMachine::SendTask(const SiteName& site) {
  if (!connected_.contains(site) || !WhyUnfit(site).empty()) return;
  if (state_.async() && state_.phase() == Phase::kCollecting) {
    if (!state_.in_hand().contains(site)) return;
  } else {
    const auto work = state_.cohort().find(site);
    if (work == state_.cohort().end() || state_.IsDone(work->second)) return;
  }
  std::uint64_t deadline_ms = 0;
  if (state_.plan().mode == RoundMode::kClose) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline_at_ - now_).count();
    deadline_ms = static_cast<std::uint64_t>(std::max<std::int64_t>(left, 1));
  }
  const wire::TaskKey key = state_.KeyFor(site);
  const bool train = key.kind == wire::TaskKind::kTrain;
  Tell(site, wire::Task{key, state_.job_json(), state_.ModelOfTask(site), deadline_ms,
                        train ? state_.auxiliary() : std::nullopt});
  Json fields = {{"site", site.value()},
                 {"round", ToInt(key.round)},
                 {"attempt", ToInt(key.attempt)},
                 {"task", wire::TaskKindName(key.kind)}};
  if (!key.subject.empty()) fields["subject"] = key.subject;
  Note("task_sent", std::move(fields));
}

void JobMachine::OnDeadline() {
  const bool gathering = state_.phase() == Phase::kGathering;
  if (!gathering && state_.phase() != Phase::kCollecting && state_.phase() != Phase::kEvaluating) return;
  const bool secure_round = state_.secure() && state_.phase() == Phase::kCollecting;
  const bool may_give_up = state_.plan().mode != RoundMode::kWait && !(state_.secure() && gathering);
  const std::vector<SiteName> missing = awaited();
  Note("awaited", {{"round", ToInt(state_.round())},
                   {"sites", NamesJson(missing)},
                   {"for", gathering ? "connection" : "answer"},
                   {"seconds", Seconds(now_ - phase_since_)}});
  // Nothing is lost while the first round has not begun, and a consortium may take its time to arrive.
  const bool lost = gathering && !state_.past().empty() && state_.next() == NextStep::kRound && !state_.paused_by();
  if (lost && may_give_up)
    return FinishJob(StatusCode::kDeadlineExceeded,
                     Concat("round ", state_.round(), " could not open: ", FitMembers().size(), " of at least ",
                            state_.plan().sites_min, " sites connected within ",
                            FormatDuration(state_.plan().round_deadline), "; missing: ", Describe(missing)));
  if (secure_round) deadline_timer_ = Arm(state_.plan().deadlines().reminder);  // and the deadline stays over
  if (!gathering && may_give_up) return TryClose();
  ArmDeadline(state_.plan().deadlines().reminder);
}

// Closes what is open once nobody is awaited, or the deadline has passed and nothing that came in time is still being
// checked.
void JobMachine::TryClose() {
  const FederationPlan& plan = state_.plan();
  if (state_.phase() != Phase::kCollecting && state_.phase() != Phase::kEvaluating) return;
  if (state_.phase() == Phase::kCollecting && state_.async()) return TryCloseAsync();
  if (state_.phase() == Phase::kCollecting && state_.secure()) return TryCloseSecure();
  const bool overdue = deadline_over_ && plan.mode != RoundMode::kWait && pending_.empty();
  const bool all_answered = state_.Awaited().empty();
  if (state_.phase() == Phase::kEvaluating) {
    if (all_answered || overdue) CloseEvaluation(all_answered ? CloseReason::kAllAnswered : CloseReason::kDeadline);
    return;
  }
  if (all_answered) return CloseRound(CloseReason::kAllAnswered);
  const std::size_t replies = state_.HeldUpdates().size();
  if (replies >= state_.target()) return CloseRound(CloseReason::kEnough);
  if (overdue) return CloseRound(CloseReason::kDeadline);
  if (plan.enough == 0 || replies < plan.enough) return;
  if (straggler_grace_over_ && pending_.empty()) return CloseRound(CloseReason::kEnough);
  if (straggler_timer_ != 0) return;
  straggler_timer_ = Arm(plan.deadlines().straggler_grace);
  straggler_until_ = now_ + plan.deadlines().straggler_grace;
  Note("enough_replied", {{"round", ToInt(state_.round())},
                          {"replies", replies},
                          {"sites", NamesJson(state_.Awaited())},
                          {"grace_seconds", Seconds(plan.deadlines().straggler_grace)}});
}

void JobMachine::CloseRound(CloseReason reason) {
  RoundClosed closed{state_.round(), {}, {}, reason};
  std::set<SiteName> contributors;
  for (const UpdateAccepted& update : state_.HeldUpdates()) contributors.insert(update.site);
  closed.contributors.assign(contributors.begin(), contributors.end());
  for (const auto& [site, work] : state_.cohort())
    if (!state_.async() && !work.update) closed.missing.push_back(site);
  const std::vector<SiteName> awaited = state_.Awaited();
  const std::size_t replies = state_.HeldUpdates().size();
  if (replies < state_.answers_min())
    return FinishJob(
        awaited.empty() ? state_.CodeOfFailures() : StatusCode::kDeadlineExceeded,
        Concat(Title(), " has ", replies, " of at least ", state_.answers_min(),
               state_.preparing() ? " answers after " : " updates after ", FormatDuration(now_ - phase_since_),
               "; missing: ", Describe(state_.async() ? awaited : closed.missing)));
  const double seconds = Seconds(now_ - phase_since_);
  std::map<SiteName, wire::TaskKey> overdue;  // mode async: they go on
  if (!state_.async()) {
    for (const SiteName& site : awaited) overdue[site] = state_.KeyFor(site);
    pending_.clear();
  }
  Commit(closed);
  const char* why = reason == CloseReason::kEnough ? " closed: enough sites had replied" : " closed at its deadline";
  for (const auto& [site, task] : overdue) Tell(site, wire::StandDown{task, Title() + why});
  Note(Concat(WorkName(state_.work()), "_closed"), {{"round", ToInt(state_.round())},
                                                    {"contributors", NamesJson(closed.contributors)},
                                                    {"missing", NamesJson(closed.missing)},
                                                    {"reason", CloseReasonName(reason)},
                                                    {"seconds", seconds}});
  EnterPhase();
}

// "hospital-b (not connected), hospital-c (failed: out of memory)"
std::string JobMachine::Describe(const std::vector<SiteName>& missing) const {
  std::string text;
  for (const SiteName& site : missing) {
    text += (text.empty() ? "" : ", ") + site.value();
    const auto work = state_.cohort().find(site);
    const std::string unfit = WhyUnfit(site);
    if (work != state_.cohort().end() && work->second.last_failure)
      text += " (failed: " + work->second.last_failure->message + ")";
    else if (connected_.contains(site) && !unfit.empty())
      text += " (connected, but " + unfit + ")";
    else
      text += connected_.contains(site) ? " (connected, no answer)" : " (not connected)";
  }
  return text.empty() ? "nobody" : text;
}

// --- folding and the end

void JobMachine::Fold() {
  if (state_.preparing()) return FinishPreparation();
  FoldRound fold{state_.round(), {}, state_.model(), state_.strategy_state(), state_.opened().sites.size()};
  for (const UpdateAccepted& update : state_.HeldUpdates())
    fold.contributions.push_back({.site = update.site,
                                  .update = update.update,
                                  .weight = state_.plan().weighting == Weighting::kEqual ? 1.0 : update.weight,
                                  .metrics = update.metrics,
                                  .staleness = state_.async() ? ToInt(state_.round()) - ToInt(update.task.round) : 0,
                                  .base = state_.BaseOf(update).digest});
  if (state_.unmasking()) fold.secure.push_back({0, state_.unmasking()->transcript, state_.releases()});
  for (const auto& [group, settled] : state_.settled())
    if (settled.why_not.empty()) fold.secure.push_back({group, settled.transcript, settled.releases});
  fold.groups_min = state_.plan().groups_min;
  actions_.push_back(std::move(fold));
}

void JobMachine::FinishJob(StatusCode code, const std::string& message) {
  std::vector<SiteName> missing = state_.Awaited();
  if (code == StatusCode::kOk)
    for (const EvaluationResult& result : state_.evaluations())
      if (result.purpose == Purpose::kFinal)
        for (const auto& [site, why] : result.missing) missing.push_back(site);
  EndSession();
  ForgetReady();
  Commit(JobFinished{code, message});
  actions_.push_back(Finish{});
  Note("job_finished", {{"code", StatusCodeName(code)}, {"message", message}, {"missing", NamesJson(missing)}});
  for (const SiteName& site : ConnectedMembers()) Tell(site, wire::JobEnded{state_.opened().job, code, message});
}

}  // namespace consilium::coordinator
