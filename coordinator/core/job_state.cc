#include "coordinator/core/job_state.h"

#include <algorithm>

#include "comm/wire/preparation.h"

namespace consilium::coordinator {
namespace {

constexpr std::uint32_t kAttemptsMaxWaiting = 3;

// Asked again, a site would say the same: its policy or its privacy budget forbids the job.
bool IsFinal(StatusCode code) { return code == StatusCode::kPermissionDenied || code == StatusCode::kPrivacyBudget; }

}  // namespace

std::string_view PhaseName(Phase phase) {
  static constexpr std::string_view kNames[] = {"new", "gathering", "collecting", "folding", "evaluating", "finished"};
  return kNames[static_cast<std::size_t>(phase)];
}

Status JobState::Apply(const Record& record) {
  return std::visit(
      [this, &record](const auto& fact) {
        if (const Status status = Check(fact); !status.ok())
          return Annotate(status, "the journal's ", RecordName(record), " cannot follow a job that is ",
                          PhaseName(phase_), " in round ", round_);
        Take(fact);
        return Status();
      },
      record);
}

StatusOr<JobState> JobState::Restore(std::span<const Record> records) {
  JobState state;
  for (std::size_t i = 0; i < records.size(); ++i) RETURN_IF_ERROR(Annotate(state.Apply(records[i]), "record ", i));
  return state;
}

std::string_view WorkName(Work work) {
  static constexpr std::string_view kNames[] = {"statistics", "initial_model", "round"};
  return kNames[static_cast<std::size_t>(work)];
}

Work JobState::work() const {
  if (!pinned_) return plan_.plans ? Work::kStatistics : Work::kTraining;
  return model_.bytes == 0 ? Work::kInitialModel : Work::kTraining;
}

NextStep JobState::next() const {
  const bool last_is_final = all_rounds_done() && plan_.evaluate_heldout;  // the same cases and the same model
  if (plan_.evaluate_every > 0 && ToInt(round_) > 0 && ToInt(round_) % plan_.evaluate_every == 0 &&
      evaluated_ != round_ && !last_is_final && !final_done_)
    return NextStep::kRoundEvaluation;
  if (!all_rounds_done()) return NextStep::kRound;
  if (!plan_.evaluates()) return NextStep::kNothing;
  if (!final_done_) return NextStep::kFinalEvaluation;
  return plan_.cross_site && !cross_done_ ? NextStep::kCrossSite : NextStep::kNothing;
}

bool JobState::IsMember(const SiteName& site) const {
  return std::binary_search(opened_.sites.begin(), opened_.sites.end(), site);
}

const SiteHealth& JobState::HealthOf(const SiteName& site) const {
  static const SiteHealth kNone;
  const auto found = health_.find(site);
  return found == health_.end() ? kNone : found->second;
}

const LastTask* JobState::LastTaskOf(const SiteName& site) const {
  const auto found = last_tasks_.find(site);
  return found == last_tasks_.end() ? nullptr : &found->second;
}

bool JobState::IsStale(const wire::TaskKey& task) const {
  return ToInt(round_) > ToInt(task.round) && ToInt(round_) - ToInt(task.round) > plan_.staleness_max;
}

// --- the work in hand

std::optional<std::string> JobState::SubjectInHand(const SiteWork& work) const {
  if (!evaluation_) return std::nullopt;
  for (const auto& [subject, model] : evaluation_->subjects)
    if (!work.answers.contains(subject) && !work.given_up.contains(subject)) return subject;
  return std::nullopt;
}

wire::TaskKey JobState::KeyFor(const SiteName& site) const {
  const auto found = cohort_.find(site);
  const Attempt attempt{found == cohort_.end() ? 0 : found->second.failures};
  if (evaluation_) {
    const std::optional<std::string> subject = found == cohort_.end() ? std::nullopt : SubjectInHand(found->second);
    return {opened_.job, Round(ToInt(round_) - 1), attempt, evaluation_->kind, subject.value_or("")};
  }
  if (work() == Work::kStatistics) return {opened_.job, round_, attempt, wire::TaskKind::kStatistics, ""};
  if (work() == Work::kInitialModel)
    return {opened_.job, round_, attempt, wire::TaskKind::kStatistics, wire::kInitialModelSubject};
  if (!async()) return {opened_.job, round_, attempt, wire::TaskKind::kTrain, ""};
  if (const auto given = in_hand_.find(site); given != in_hand_.end()) return given->second;
  const auto count = tasks_given_.find(site);
  return {opened_.job, round_, Attempt{count == tasks_given_.end() ? 0 : count->second}, wire::TaskKind::kTrain, ""};
}

bool JobState::GaveUp(const SiteWork& work) const {
  if (evaluation_) return !work.given_up.empty() && !SubjectInHand(work);
  const bool patient = plan_.mode == RoundMode::kWait || secure();
  const bool is_final = work.last_failure && IsFinal(work.last_failure->code);
  return work.failures >= (patient && !is_final ? kAttemptsMaxWaiting : 1);
}

StatusCode JobState::CodeOfFailures() const {
  for (const auto& [site, work] : cohort_)
    if (!work.update && work.last_failure && IsFinal(work.last_failure->code)) return work.last_failure->code;
  return StatusCode::kFailed;
}

bool JobState::IsDone(const SiteWork& work) const {
  return evaluation_ ? !SubjectInHand(work) : work.update.has_value() || work.left_out != LeftOut::kNo || GaveUp(work);
}

std::vector<SiteName> JobState::Awaited() const {
  std::vector<SiteName> awaited;
  if (phase_ == Phase::kCollecting && async()) {
    for (const auto& [site, task] : in_hand_) awaited.push_back(site);
  } else if (phase_ == Phase::kCollecting || phase_ == Phase::kEvaluating) {
    for (const auto& [site, work] : cohort_)
      if (!IsDone(work)) awaited.push_back(site);
  }
  return awaited;
}

std::size_t JobState::SumMin(std::uint32_t group) const {
  if (!grouped() || group >= groups_.size()) return plan_.min_cohort;
  return secagg::BoundsOf(*beacon_, *plan_.grouping, groups_[group].size()).survivors_min;
}

std::size_t JobState::groups_summed() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(settled_, [](const auto& group) { return group.second.why_not.empty(); }));
}

std::uint32_t JobState::SessionsOf(std::uint32_t group) const {
  const auto found = group_sessions_.find(group);
  return found == group_sessions_.end() ? 0 : found->second;
}

bool JobState::CanSum(const std::vector<SiteName>& sites) const {
  std::size_t enough = 0;
  for (std::uint32_t group = 0; group < groups_.size(); ++group) {
    const auto there = [&](const SiteName& site) { return std::ranges::binary_search(sites, site); };
    enough += static_cast<std::size_t>(std::ranges::count_if(groups_[group], there)) >= SumMin(group);
  }
  return enough >= plan_.groups_min;
}

std::vector<UpdateAccepted> JobState::HeldUpdates() const {
  std::vector<UpdateAccepted> updates;
  if (async()) {
    updates = buffer_;
    std::sort(updates.begin(), updates.end(),
              [](const auto& a, const auto& b) { return std::tie(a.site, a.task) < std::tie(b.site, b.task); });
  } else if (phase_ == Phase::kCollecting || phase_ == Phase::kFolding) {
    for (const auto& [site, work] : cohort_)
      if (work.update) updates.push_back(*work.update);
  }
  return updates;
}

// --- models

const wire::BlobManifest& JobState::ModelFor(const SiteName& site) const {
  const auto own = site_models_.find(site);
  return own == site_models_.end() ? model_ : own->second;
}

const wire::BlobManifest& JobState::ModelOfTask(const SiteName& site) const {
  if (evaluation_ && evaluation_->purpose == Purpose::kCrossSite) {
    const auto subject = evaluation_->subjects.find(KeyFor(site).subject);
    if (subject != evaluation_->subjects.end()) return subject->second;
  }
  if (!evaluation_ && async()) {
    const auto base = bases_.find(KeyFor(site).round);
    if (base != bases_.end()) return base->second;
  }
  return ModelFor(site);
}

const wire::BlobManifest& JobState::BaseOf(const UpdateAccepted& update) const {
  const auto base = bases_.find(update.task.round);
  return base == bases_.end() ? ModelFor(update.site) : base->second;
}

std::set<Digest> JobState::LiveBlobs() const {
  std::set<Digest> live;
  if (model_.bytes > 0) live.insert(model_.digest);
  for (const auto* kept : {&strategy_state_, &auxiliary_})
    if (*kept) live.insert((*kept)->digest);
  for (const auto& [site, model] : site_models_) live.insert(model.digest);
  for (const UpdateAccepted& update : HeldUpdates()) live.insert(update.update.digest);
  for (const auto& [round, model] : bases_) live.insert(model.digest);
  if (best_) live.insert(best_->model.digest);
  if (pinned_) live.insert(pinned_->plans.digest);
  for (const auto& [site, local] : local_updates_) live.insert({local.update.digest, local.base.digest});
  if (evaluation_)
    for (const auto& [subject, model] : evaluation_->subjects) live.insert(model.digest);
  return live;
}

}  // namespace consilium::coordinator
