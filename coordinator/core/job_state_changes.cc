// What follows from each record, once it was checked.
#include <algorithm>
#include <cmath>

#include "coordinator/core/job_state.h"

namespace consilium::coordinator {

void JobState::Take(const JobOpened& record) {
  phase_ = Phase::kGathering;
  opened_ = record;
  plan_ = PlanOf(record.job_json).value();  // Check() has read it
  model_ = record.model;
  clip_ = plan_.site_privacy.enabled ? plan_.site_privacy.clip : plan_.clip;
}

void JobState::OpenCohort(const std::vector<SiteName>& cohort) {
  cohort_.clear();
  for (const SiteName& site : cohort) cohort_.emplace(site, SiteWork{});
}

void JobState::Take(const RoundOpened& record) {
  phase_ = Phase::kCollecting;
  OpenCohort(record.cohort);
  target_ = record.target == 0 ? record.cohort.size() : record.target;
  if (async()) bases_[round_] = model_;
}

void JobState::Take(const TaskGiven& record) {
  if (const auto old = in_hand_.find(record.site); old != in_hand_.end())
    last_tasks_[record.site] = {old->second, false};
  in_hand_[record.site] = record.task;
  ++tasks_given_[record.site];
  ForgetOldBases();
}

void JobState::Take(const UpdateAccepted& record) {
  if (!async()) {
    cohort_.at(record.site).update = record;
    return;
  }
  KeepLocalUpdate(record);
  buffer_.push_back(record);
  in_hand_.erase(record.site);
  last_tasks_[record.site] = {record.task, true};
  health_[record.site].Contributed(record.seconds, record.update.bytes);
}

void JobState::KeepLocalUpdate(const UpdateAccepted& update) {
  if (plan_.cross_site) local_updates_[update.site] = {update.update, ModelOfTask(update.site)};
}

void JobState::Take(const TaskFailureRecorded& record) {
  if (async() && phase_ != Phase::kEvaluating) {
    in_hand_.erase(record.site);
    last_tasks_[record.site] = {record.task, false};
    health_[record.site].Failed(round_, record.message);
    cohort_[record.site].last_failure = Failure{record.code, record.message};
    return;
  }
  SiteWork& work = cohort_.at(record.site);
  work.last_failure = Failure{record.code, record.message};
  ++work.failures;
  // 3 tries in mode wait, 1 otherwise, as for training.
  const bool last = work.failures >= (plan_.mode == RoundMode::kWait ? 3u : 1u);
  if (phase_ == Phase::kEvaluating && last) {
    work.given_up.insert(record.task.subject);
    work.failures = 0;
  }
}

std::vector<SiteName> JobState::Contributors() const {
  std::set<SiteName> sites;
  for (const UpdateAccepted& update : HeldUpdates()) sites.insert(update.site);
  return {sites.begin(), sites.end()};
}

void JobState::Take(const RoundClosed& record) {
  phase_ = Phase::kFolding;
  if (work() == Work::kStatistics) planned_from_ = {record.contributors.begin(), record.contributors.end()};
  if (preparing()) return;
  if (!async()) {
    for (const auto& [site, work] : cohort_) {
      SiteHealth& health = health_[site];
      if (work.update)
        health.Contributed(work.update->seconds, work.update->update.bytes);
      else if (work.failures > 0)
        health.Failed(round_, work.last_failure->message);
      else if (record.reason == CloseReason::kDeadline)
        health.Missed(round_);
      else
        health.Outpaced();
      if (work.update) KeepLocalUpdate(*work.update);
    }
  }
  past_.emplace_back(record.contributors.begin(), record.contributors.end());
}

// The masked vectors take the place of updates: they count from now on, and stay until the model is published.
void JobState::Take(const UnmaskingBegan& record) {
  unmasking_ = record;
  for (const auto& [site, masked] : record.vectors)
    cohort_.at(site).update =
        UpdateAccepted{.site = site, .task = KeyFor(site), .update = masked.vector, .seconds = masked.seconds};
}

void JobState::Take(const BeaconOpened& record) {
  beacons_opened_ = record.attempt;
  beacon_sites_ = record.sites;
  beacon_.reset();
  beacon_agreed_.reset();
}

void JobState::Take(const BeaconAgreed& record) {
  beacon_ = secagg::Beacon{beacon_sites_, record.value};
  beacon_agreed_ = record;
}

void JobState::ForgetSecureRound() {
  sessions_opened_ = 0;
  beacons_opened_ = 0;
  beacon_sites_.clear();
  beacon_.reset();
  beacon_agreed_.reset();
  unmasking_.reset();
  releases_.clear();
}

void JobState::Take(const RoundSkipped&) {
  if (phase_ == Phase::kFolding) past_.pop_back();
  phase_ = Phase::kGathering;
  past_.emplace_back();  // nobody's
  round_ = Round(ToInt(round_) + 1);
  ++skipped_in_row_;
  cohort_.clear();
  ForgetSecureRound();
}

void JobState::Take(const ModelPublished& record) {
  phase_ = Phase::kGathering;
  skipped_in_row_ = 0;
  ForgetSecureRound();
  model_ = record.model;
  parameters_ = record.parameters;
  strategy_state_ = record.strategy_state;
  auxiliary_ = record.auxiliary;
  site_models_ = record.site_models;
  if (record.clip > 0) clip_ = record.clip;
  if (plan_.site_privacy.enabled) {
    const Json notes = Json::parse(record.notes, nullptr, /*allow_exceptions=*/false);
    if (notes.is_object() && notes.contains("privacy")) site_privacy_ = notes["privacy"].dump();
  }
  round_ = Round(ToInt(round_) + 1);
  cohort_.clear();
  buffer_.clear();
  tasks_given_.clear();
  if (all_rounds_done()) {
    for (const auto& [site, task] : in_hand_) last_tasks_[site] = {task, false};
    in_hand_.clear();
  }
  ForgetOldBases();
}

void JobState::Take(const PlanPinned& record) {
  phase_ = Phase::kGathering;
  pinned_ = record;
  plan_ = PlanOf(record.job_json).value();  // Check() has read it
  cohort_.clear();
}

void JobState::Take(const ModelInitialized& record) {
  phase_ = Phase::kGathering;
  model_ = record.model;
  cohort_.clear();
}

void JobState::ForgetOldBases() {
  std::set<Round> needed = {round_};
  for (const auto& [site, task] : in_hand_) needed.insert(task.round);
  for (const UpdateAccepted& update : buffer_) needed.insert(update.task.round);
  std::erase_if(bases_, [&](const auto& base) { return !needed.contains(base.first); });
}

void JobState::Take(const EvaluationOpened& record) {
  phase_ = Phase::kEvaluating;
  evaluation_ = record;
  OpenCohort(record.cohort);
}

void JobState::Take(const EvaluationAccepted& record) {
  SiteWork& work = cohort_.at(record.site);
  work.answers[record.task.subject] = record.metrics;
  work.evaluation = record;
  work.failures = 0;
}

void JobState::Take(const EvaluationClosed&) {
  EvaluationResult result{.purpose = evaluation_->purpose,
                          .kind = evaluation_->kind,
                          .round = Round(ToInt(round_) - 1),
                          .metrics = {},
                          .missing = {}};
  for (const SiteName& site : opened_.sites) {
    const auto found = cohort_.find(site);
    if (found == cohort_.end()) {
      result.missing[site] = "it was not connected when the evaluation began";
      continue;
    }
    const SiteWork& work = found->second;
    for (const auto& [subject, metrics] : work.answers) result.metrics[subject][site] = metrics;
    if (work.answers.size() < evaluation_->subjects.size())
      result.missing[site] = work.last_failure ? work.last_failure->message : "it did not answer by the deadline";
  }
  phase_ = Phase::kGathering;
  switch (evaluation_->purpose) {
    case Purpose::kRound:
      evaluated_ = round_;
      JudgeModel(result);
      break;
    case Purpose::kFinal:
      final_done_ = true;
      break;
    case Purpose::kCrossSite:
      cross_done_ = true;
      local_updates_.clear();
      break;
  }
  evaluations_.push_back(std::move(result));
  evaluation_.reset();
}

// Prechelt, "Early stopping - but when?", 1998, the rule UP_s: stop after so many evaluations in a row without an
// improvement.  An evaluation that nobody answered says nothing and counts for nothing.
void JobState::JudgeModel(const EvaluationResult& result) {
  if (plan_.evaluate_heldout) return;
  const wire::Metrics mean = result.Mean();
  const auto found = mean.find(plan_.metric);
  if (found == mean.end()) return;
  const double sign = plan_.SmallerIsBetter() ? -1 : 1;
  if (!best_ || sign * found->second > sign * best_->value)
    best_ = BestModel{result.round, model_, parameters_, found->second};
  const bool improved = !bar_ || sign * found->second > sign * *bar_ + plan_.min_delta;
  if (improved) bar_ = found->second;
  not_improved_ = improved ? 0 : not_improved_ + 1;
  if (plan_.patience > 0 && not_improved_ >= plan_.patience) stopped_early_ = true;
}

void JobState::Take(const JobFinished& record) {
  phase_ = Phase::kFinished;
  outcome_ = record;
  ForgetSecureRound();
  paused_by_.reset();
  evaluation_.reset();
  in_hand_.clear();
  local_updates_.clear();
  ForgetOldBases();
}

void JobState::Take(const UpdateWithdrawn& record) {
  if (async()) {
    std::erase_if(buffer_, [&](const UpdateAccepted& update) {
      return update.site == record.site && update.task == record.task;
    });
    // Said again, it is not to be taken for a repetition of one that counts.
    if (LastTask& last = last_tasks_[record.site]; last.task == record.task) last.used = false;
  } else {
    cohort_.at(record.site).update.reset();
  }
  if (phase_ == Phase::kFolding && !preparing()) past_.pop_back();
  phase_ = Phase::kCollecting;
}

}  // namespace consilium::coordinator
