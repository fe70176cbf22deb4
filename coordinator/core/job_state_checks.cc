// What may follow what.  A journal that breaks one of these is not one that we wrote.
#include <algorithm>

#include "coordinator/core/job_state.h"

namespace consilium::coordinator {
namespace {

bool StrictlyAscending(const std::vector<SiteName>& sites) {
  return std::adjacent_find(sites.begin(), sites.end(), [](const auto& a, const auto& b) { return a >= b; }) ==
         sites.end();
}

}  // namespace

Status JobState::Check(const JobOpened& record) const {
  if (phase_ != Phase::kNew) return DataLoss("the job is open already");
  if (record.sites.empty() || !StrictlyAscending(record.sites))
    return DataLoss("the sites must be named in order, each once");
  ASSIGN_OR_RETURN(const FederationPlan plan, PlanOf(record.job_json));
  if (plan.sites_min > record.sites.size())
    return InvalidArgument("federation.sites.min is ", plan.sites_min, ", but only ", record.sites.size(),
                           " sites take part");
  if (plan.plans && record.model.bytes > 0)
    return InvalidArgument(
        "model.architecture: plan, and no model.plans: the sites plan the network, so the job cannot "
        "begin with a model that is there already");
  if (plan.mode == RoundMode::kSecure && std::ssize(record.sites) > wire::kSecureSitesMax)
    return InvalidArgument("secure_aggregation is for at most ", wire::kSecureSitesMax, " sites, and ",
                           record.sites.size(), " take part; name fewer with federation.sites.names");
  return Status();
}

Status JobState::CheckCohort(const std::vector<SiteName>& cohort) const {
  if (phase_ != Phase::kGathering) return DataLoss("nothing is to be opened");
  if (!StrictlyAscending(cohort) ||
      !std::all_of(cohort.begin(), cohort.end(), [&](const SiteName& site) { return IsMember(site); }))
    return DataLoss("the cohort must be sites of the job, in order, each once");
  return Status();
}

Status JobState::Check(const RoundOpened& record) const {
  RETURN_IF_ERROR(CheckCohort(record.cohort));
  if (next() != NextStep::kRound || record.round != round_) return DataLoss("round ", record.round, " is not the next");
  if (record.model != model_.digest) return DataLoss("the round starts from a model that is not the newest");
  if (record.cohort.empty()) return DataLoss("the cohort is empty");
  if (!async() && record.target > record.cohort.size())
    return DataLoss("a target of ", record.target, " updates from ", record.cohort.size(), " sites");
  return Status();
}

Status JobState::Check(const TaskGiven& record) const {
  if (!async() || phase_ != Phase::kCollecting) return DataLoss("no round is open in mode async");
  if (!IsMember(record.site)) return DataLoss(record.site, " is not a site of the job");
  const auto given = in_hand_.find(record.site);
  if (given != in_hand_.end() && !IsStale(given->second)) return DataLoss(record.site, " has a task in hand");
  const auto count = tasks_given_.find(record.site);
  const wire::TaskKey expected{opened_.job, round_, Attempt{count == tasks_given_.end() ? 0 : count->second},
                               wire::TaskKind::kTrain, ""};
  return record.task == expected ? Status() : DataLoss("the task ", record.task, " is not the site's next");
}

Status JobState::CheckAwaited(const SiteName& site, const wire::TaskKey& task) const {
  if (async() && phase_ != Phase::kEvaluating) {
    const auto given = in_hand_.find(site);
    return given != in_hand_.end() && given->second == task
               ? Status()
               : DataLoss("the task ", task, " is not the one that ", site, " has in hand");
  }
  const auto work = cohort_.find(site);
  if (work == cohort_.end()) return DataLoss(site, " is not in the cohort");
  if (IsDone(work->second)) return DataLoss(site, " is not awaited");
  return task == KeyFor(site) ? Status() : DataLoss("the task ", task, " is not the one in hand");
}

Status JobState::Check(const UpdateAccepted& record) const {
  if (phase_ != Phase::kCollecting) return DataLoss("no round is open");
  if (secure()) return DataLoss("in mode secure there are no updates of single sites");
  RETURN_IF_ERROR(CheckAwaited(record.site, record.task));
  return async() && IsStale(record.task) ? DataLoss("the task ", record.task, " is stale") : Status();
}

Status JobState::Check(const EvaluationAccepted& record) const {
  if (phase_ != Phase::kEvaluating) return DataLoss("no evaluation is open");
  return CheckAwaited(record.site, record.task);
}

Status JobState::Check(const TaskFailureRecorded& record) const {
  const bool open = phase_ == Phase::kCollecting || phase_ == Phase::kEvaluating;
  const bool at_work = async() && (phase_ == Phase::kFolding || phase_ == Phase::kGathering);
  if (!open && !at_work) return DataLoss("no work is in hand");
  return CheckAwaited(record.site, record.task);
}

Status JobState::Check(const RoundClosed& record) const {
  if (phase_ != Phase::kCollecting || record.round != round_) return DataLoss("round ", record.round, " is not open");
  const std::vector<SiteName> contributors = Contributors();
  std::vector<SiteName> missing;
  for (const auto& [site, work] : cohort_)
    if (!async() && !work.update) missing.push_back(site);
  if (record.contributors != contributors || record.missing != missing || contributors.empty())
    return DataLoss("the contributors are not those whose updates were accepted");
  return HeldUpdates().size() < answers_min()
             ? DataLoss("a round of ", HeldUpdates().size(), " updates, fewer than the minimum of ", answers_min())
             : Status();
}

Status JobState::Check(const PlanPinned& record) const {
  if (phase_ != Phase::kFolding || work() != Work::kStatistics) return DataLoss("no statistics are to be planned from");
  ASSIGN_OR_RETURN(const FederationPlan plan, PlanOf(record.job_json));
  return plan.plans ? DataLoss("the job asks for a plan still") : Status();
}

Status JobState::Check(const ModelInitialized& record) const {
  if (phase_ != Phase::kFolding || work() != Work::kInitialModel) return DataLoss("no first model is asked for");
  return record.model.bytes == 0 ? DataLoss("the first model is empty") : Status();
}

Status JobState::Check(const SecureSessionOpened& record) const {
  if (!secure() || phase_ != Phase::kCollecting || record.round != round_ || unmasking_)
    return DataLoss("no secure sum of round ", record.round, " is to be opened");
  if (record.session != sessions_opened_ + 1) return DataLoss("session ", record.session, " is not the next");
  const bool known = std::all_of(record.cohort.begin(), record.cohort.end(),
                                 [&](const SiteName& site) { return cohort_.contains(site); });
  if (!known || !StrictlyAscending(record.cohort) || record.cohort.size() < plan_.min_cohort)
    return DataLoss("a secure sum of ", record.cohort.size(), " sites that are not at least ", plan_.min_cohort,
                    " of the round's, in order");
  return Status();
}

Status JobState::Check(const BeaconOpened& record) const {
  if (!secure() || phase_ != Phase::kCollecting || record.round != round_ || unmasking_)
    return DataLoss("no sum of round ", record.round, " is to be drawn");
  if (record.attempt != beacons_opened_ + 1) return DataLoss("beacon ", record.attempt, " is not the next");
  const bool known = std::all_of(record.sites.begin(), record.sites.end(),
                                 [&](const SiteName& site) { return cohort_.contains(site); });
  return known && StrictlyAscending(record.sites) && record.sites.size() >= plan_.min_cohort
             ? Status()
             : DataLoss("a beacon of ", record.sites.size(), " sites that are not at least ", plan_.min_cohort,
                        " of the round's, in order");
}

Status JobState::Check(const BeaconAgreed& record) const {
  if (!secure() || phase_ != Phase::kCollecting || record.round != round_ || unmasking_ || beacon_ ||
      record.attempt == 0 || record.attempt != beacons_opened_)
    return DataLoss("beacon ", record.attempt, " of round ", record.round, " is not the one that is asked for");
  ASSIGN_OR_RETURN(const secagg::BeaconNotice notice, secagg::DecodeBeaconNotice(record.notice));
  return notice.sites == beacon_sites_ && notice.nonces.size() == notice.sites.size()
             ? Status()
             : DataLoss("a beacon that is not of the sites that were asked for it");
}

Status JobState::Check(const UnmaskingBegan& record) const {
  if (!secure() || phase_ != Phase::kCollecting || record.round != round_ || record.session != sessions_opened_ ||
      record.session == 0 || unmasking_)
    return DataLoss("session ", record.session, " of round ", record.round, " is not the one in hand");
  for (const auto& [site, vector] : record.vectors)
    if (const auto work = cohort_.find(site); work == cohort_.end() || IsDone(work->second))
      return DataLoss(site, " is not awaited");
  return record.vectors.size() < plan_.min_cohort ? DataLoss("a sum of ", record.vectors.size(), " sites") : Status();
}

Status JobState::Check(const SharesReleased& record) const {
  if (phase_ != Phase::kCollecting || !unmasking_ || record.round != round_ || record.session != unmasking_->session)
    return DataLoss("nothing is being unmasked");
  if (!unmasking_->vectors.contains(record.site)) return DataLoss(record.site, " is not a survivor");
  return releases_.contains(record.site) ? DataLoss(record.site, " has released") : Status();
}

Status JobState::Check(const RoundSkipped& record) const {
  return secure() && (phase_ == Phase::kCollecting || phase_ == Phase::kFolding) && record.round == round_
             ? Status()
             : DataLoss("round ", record.round, " cannot be skipped");
}

Status JobState::Check(const ModelPublished& record) const {
  if (phase_ != Phase::kFolding || preparing() || record.round != round_)
    return DataLoss("round ", record.round, " is not closed");
  if (!(record.clip >= 0 && record.clip <= wire::kSiteClipMax)) return DataLoss("a clip of ", record.clip);
  return Status();
}

Status JobState::Check(const EvaluationOpened& record) const {
  RETURN_IF_ERROR(CheckCohort(record.cohort));
  const NextStep step = next();
  const bool due = (step == NextStep::kRoundEvaluation && record.purpose == Purpose::kRound) ||
                   (step == NextStep::kFinalEvaluation && record.purpose == Purpose::kFinal) ||
                   (step == NextStep::kCrossSite && record.purpose == Purpose::kCrossSite);
  if (!due) return DataLoss("an evaluation of purpose '", PurposeName(record.purpose), "' is not the next step");
  if (record.kind != wire::TaskKind::kEvaluate && record.kind != wire::TaskKind::kValidate)
    return DataLoss("an evaluation that is neither kEvaluate nor kValidate");
  return record.subjects.empty() ? DataLoss("an evaluation of nothing") : Status();
}

Status JobState::Check(const EvaluationClosed&) const {
  return phase_ == Phase::kEvaluating ? Status() : DataLoss("no evaluation is open");
}

Status JobState::Check(const JobFinished& record) const {
  if (phase_ == Phase::kNew || phase_ == Phase::kFinished) return DataLoss("there is nothing to finish");
  if (record.code == StatusCode::kOk && (phase_ != Phase::kGathering || next() != NextStep::kNothing))
    return DataLoss("work is left to do");
  return Status();
}

Status JobState::Check(const UpdateWithdrawn& record) const {
  if (!secure() && (phase_ == Phase::kCollecting || phase_ == Phase::kFolding))
    for (const UpdateAccepted& update : HeldUpdates())
      if (update.site == record.site && update.task == record.task) return Status();
  return DataLoss("no update of ", record.site, " for ", record.task, " is held");
}

Status JobState::Check(const JobPaused&) const {
  if (phase_ == Phase::kNew || phase_ == Phase::kFinished || paused_by_) return DataLoss("there is nothing to pause");
  return Status();
}

Status JobState::Check(const JobResumed&) const {
  return paused_by_ && phase_ != Phase::kFinished ? Status() : DataLoss("the job is not paused");
}

}  // namespace consilium::coordinator
