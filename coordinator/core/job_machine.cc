#include "coordinator/core/job_machine.h"

#include <cmath>

#include "coordinator/core/federation_planner.h"
#include "privacy/private_sum/adaptive_clip.h"
#include "privacy/secagg/vector.h"

namespace consilium::coordinator {

std::uint64_t UpdateBytesMax(const wire::BlobManifest& model) { return 2 * model.bytes + (std::uint64_t{1} << 20); }

std::uint64_t AnswerBytesMax(const JobState& state) {
  switch (state.work()) {
    case Work::kStatistics:
      return kStatementBytesMax;
    case Work::kInitialModel:
      return kPlannedModelBytesMax;
    case Work::kTraining:
      break;
  }
  return UpdateBytesMax(state.model());
}

Json NamesJson(const std::vector<SiteName>& sites) {
  Json names = Json::array();
  for (const SiteName& site : sites) names.push_back(site.value());
  return names;
}

Json MetricsJson(const wire::Metrics& metrics) {
  Json json = Json::object();
  for (const auto& [name, value] : metrics) json[name] = std::isfinite(value) ? Json(value) : Json(nullptr);
  return json;
}

StatusOr<JobMachine> JobMachine::Open(JobOpened job) {
  JobState tried;
  RETURN_IF_ERROR(Annotate(tried.Apply(job), "opening job '", job.job, "'"));
  JobMachine machine{JobState()};
  machine.opening_ = std::move(job);
  return machine;
}

StatusOr<JobMachine> JobMachine::Restore(std::span<const Record> records) {
  if (records.empty()) return DataLoss("the journal is empty");
  ASSIGN_OR_RETURN(JobState state, JobState::Restore(records));
  return JobMachine(std::move(state));
}

// What a sum tells of its sites' metrics: their means.
Json SummedMetrics(const Json& notes) {
  Json metrics = Json::object();
  for (const secagg::SummedMetric& metric : secagg::kMetrics)
    if (const std::string name(metric.name); notes.contains(name)) metrics[name] = notes[name];
  return metrics;
}

std::vector<Action> JobMachine::Step(const Input& input, Instant now) {
  now_ = now;
  actions_.clear();
  std::visit([this](const auto& alternative) { On(alternative); }, input);
  return std::move(actions_);
}

void JobMachine::On(const Started& input) {
  phase_since_ = now_;
  secure_ = input.secure;
  if (state_.phase() == Phase::kNew) {
    Commit(opening_);
    Note("job_opened", {{"rounds", ToInt(state_.plan().rounds)}, {"sites", NamesJson(state_.opened().sites)}});
  } else {
    Note("recovered", {{"phase", PhaseName(state_.phase())}, {"round", ToInt(state_.round())}});
  }
  const bool secure = state_.secure();
  if (const std::string lost = secure ? RestoreSession(input.lost_updates) : ""; !lost.empty()) {
    SkipRound(lost);
    return OnWatch();
  }
  for (const SiteName& site : input.lost_updates) {
    for (const UpdateAccepted& update : state_.HeldUpdates())
      if (update.site == site) Commit(UpdateWithdrawn{site, update.task});
    Note("update_lost", {{"site", site.value()}, {"round", ToInt(state_.round())}});
  }
  EnterPhase();
  OnWatch();
}

void JobMachine::On(const SiteConnected& input) {
  connected_.insert(input.site);
  capabilities_[input.site] = input.capability;
  heard_[input.site] = now_;
  stood_down_.erase(input.site);
  beats_.erase(input.site);
  Note("site_connected", {{"site", input.site.value()}});
  if (!state_.IsMember(input.site)) return;
  if (const std::string why = WhyUnfit(input.site); !why.empty())
    Note("site_unfit", {{"site", input.site.value()}, {"why", why}});
  switch (state_.phase()) {
    case Phase::kGathering:
      return TryOpen();
    case Phase::kCollecting:
      if (const auto given = state_.in_hand().find(input.site);
          state_.async() && (given == state_.in_hand().end() || state_.IsStale(given->second)))
        return GiveTasks();
      SendTask(input.site);
      return Ask(input.site);
    case Phase::kEvaluating:
      return SendTask(input.site);
    case Phase::kFinished:
      return Tell(input.site, wire::JobEnded{state_.opened().job, state_.outcome().code, state_.outcome().message});
    case Phase::kNew:
    case Phase::kFolding:
      return;
  }
}

void JobMachine::On(const SiteDisconnected& input) {
  if (connected_.erase(input.site) == 0) return;
  Note("site_disconnected", {{"site", input.site.value()}, {"reason", input.reason}});
  ready_.erase(input.site);
  StartAbsence(input.site);
}

void JobMachine::On(const FromSite& input) {
  heard_[input.site] = now_;
  std::visit([&](const auto& message) { OnAnswer(input.site, message); }, input.message);
}

void JobMachine::On(const TimerFired& input) {
  if (input.id == grace_timer_) {
    grace_over_ = true;
    grace_until_.reset();
    if (state_.phase() != Phase::kGathering) return;
    TryOpen();
    if (state_.phase() == Phase::kGathering)
      Note("awaited", {{"round", ToInt(state_.round())}, {"sites", NamesJson(GatherAwaited())}, {"for", "connection"}});
  } else if (input.id == deadline_timer_) {
    deadline_over_ = true;
    OnDeadline();
  } else if (input.id == straggler_timer_) {
    straggler_grace_over_ = true;
    straggler_until_.reset();
    TryClose();
  } else if (input.id == watch_timer_) {
    OnWatch();
  } else if (input.id == stage_timer_) {
    OnStageTimer();
  } else if (const auto absent = absences_.extract(input.id)) {
    OnAbsence(absent.mapped());
  }
}

void JobMachine::On(const FoldDone& input) {
  if (state_.phase() != Phase::kFolding || input.round != state_.round()) return;
  const double seconds = Seconds(now_ - phase_since_);
  const std::map<SiteName, wire::TaskKey> in_hand = state_.in_hand();
  std::map<SiteName, wire::BlobManifest> site_models = state_.site_models();
  for (const auto& [site, model] : input.site_models) site_models[site] = model;
  Json notes = input.notes;
  double clip = 0;
  if (const wire::SitePrivacySpec& privacy = state_.plan().site_privacy; privacy.enabled) {
    notes["privacy"] = PrivacyOf(input);
    if (input.share_below) clip = private_sum::NextClip(state_.clip(), *input.share_below, privacy.clip_quantile);
  }
  Commit(ModelPublished{input.round, input.model, input.parameters, input.strategy_state, input.auxiliary,
                        std::move(site_models), notes.dump(), clip});
  actions_.push_back(Publish{input.round, input.model});
  Json fields = {{"round", ToInt(input.round)},
                 {"digest", input.model.digest.ToHex()},
                 {"parameters", input.parameters.ToHex()},
                 {"bytes", input.model.bytes},
                 {"seconds", seconds}};
  if (state_.secure()) fields["metrics"] = SummedMetrics(input.notes);
  if (notes.contains("privacy")) fields["privacy"] = notes["privacy"];
  Note("model_published", std::move(fields));
  if (state_.async() && state_.all_rounds_done()) StandDownAll(in_hand, "all rounds are done");
  EnterPhase();
}

void JobMachine::On(const FoldFailed& input) {
  if (state_.phase() != Phase::kFolding || input.round != state_.round()) return;
  FinishJob(StatusCode::kFailed,
            state_.preparing() ? input.why : Concat("round ", input.round, " cannot be aggregated: ", input.why));
}

void JobMachine::On(const AbortJob& input) {
  if (state_.phase() == Phase::kFinished || state_.phase() == Phase::kNew) return;
  FinishJob(StatusCode::kCancelled, Concat("aborted by ", input.by, input.reason.empty() ? "" : ": " + input.reason));
}

void JobMachine::On(const PauseJob& input) {
  if (state_.phase() == Phase::kFinished || state_.phase() == Phase::kNew || state_.paused_by()) return;
  Commit(JobPaused{input.by});
  Note("paused", {{"by", input.by}});
}

void JobMachine::On(const ResumeJob& input) {
  if (!state_.paused_by()) return;
  Commit(JobResumed{input.by});
  Note("resumed", {{"by", input.by}});
  if (state_.phase() == Phase::kGathering) EnterGathering();
  if (state_.phase() == Phase::kCollecting && state_.async()) GiveTasks();
}

std::vector<SiteName> JobMachine::awaited() const {
  if (state_.phase() == Phase::kGathering) return GatherAwaited();
  if (beacon_) return beacon_->Awaited();
  return session_ ? session_->Awaited() : state_.Awaited();
}

std::set<Digest> JobMachine::LiveBlobs() const {
  std::set<Digest> live = state_.LiveBlobs();
  for (const auto& [site, pending] : pending_) live.insert(pending.ready.update.digest);
  if (session_)
    for (const auto& [site, vector] : session_->vectors()) live.insert(vector.digest);
  return live;
}

void JobMachine::Commit(Record record) {
  const Phase before = state_.phase();
  const Status applied = state_.Apply(record);
  CONSILIUM_CHECK(applied.ok(), applied.ToString());
  if (state_.phase() != before) phase_since_ = now_;
  actions_.push_back(Persist{std::move(record)});
}

void JobMachine::Note(std::string event, Json fields) {
  actions_.push_back(Report{std::move(event), std::move(fields)});
}

bool JobMachine::Awaits(std::uint64_t timer) const {
  return timer == grace_timer_ || timer == deadline_timer_ || timer == straggler_timer_ || timer == watch_timer_ ||
         timer == stage_timer_ || absences_.contains(timer);
}

std::uint64_t JobMachine::Arm(Duration after) {
  actions_.push_back(SetTimer{++timers_, after});
  return timers_;
}

void JobMachine::Tell(const SiteName& site, wire::CoordinatorMessage message) {
  if (connected_.contains(site)) actions_.push_back(Send{site, std::move(message)});
}

}  // namespace consilium::coordinator
