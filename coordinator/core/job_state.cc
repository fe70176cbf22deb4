#include "coordinator/core/job_state.h"

#include <algorithm>

#include "comm/wire/job.h"

namespace consilium::coordinator {
namespace {

constexpr std::uint32_t kAttemptsMaxWaiting = 3;
constexpr std::int64_t kRoundsMax = 1'000'000;

bool StrictlyAscending(const std::vector<SiteName>& sites) {
  return std::adjacent_find(sites.begin(), sites.end(), [](const auto& a, const auto& b) { return a >= b; }) ==
         sites.end();
}

}  // namespace

std::string_view PhaseName(Phase phase) {
  switch (phase) {
    case Phase::kNew:
      return "new";
    case Phase::kGathering:
      return "gathering";
    case Phase::kCollecting:
      return "collecting";
    case Phase::kFolding:
      return "folding";
    case Phase::kEvaluating:
      return "evaluating";
    case Phase::kFinished:
      return "finished";
  }
  return "unknown";
}

StatusOr<FederationPlan> PlanOf(const std::string& job_json) {
  ASSIGN_OR_RETURN(const ConfigNode root, ConfigNode::Parse(job_json, "job"));
  ASSIGN_OR_RETURN(const wire::JobSpec job, wire::ParseJob(root));
  if (!job.has_federation)
    return InvalidArgument("job '", job.name, "' has no 'federation' part; add one, e.g. federation: {rounds: 10}");
  const wire::FederationSpec& federation = job.federation;
  if (federation.rounds > kRoundsMax)
    return InvalidArgument("federation.rounds is ", federation.rounds, "; at most ", kRoundsMax, " are possible");
  return FederationPlan{.rounds = Round(static_cast<std::uint32_t>(federation.rounds)),
                        .mode = federation.mode == wire::RoundMode::kWait ? RoundMode::kWait : RoundMode::kClose,
                        .sites_min = static_cast<std::size_t>(federation.sites_min),
                        .round_deadline = federation.round_deadline,
                        .weighting = federation.weighting == "equal" ? Weighting::kEqual : Weighting::kExamples};
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

bool JobState::IsMember(const SiteName& site) const {
  return std::binary_search(opened_.sites.begin(), opened_.sites.end(), site);
}

wire::TaskKey JobState::KeyFor(const SiteName& site) const {
  const auto work = cohort_.find(site);
  const Attempt attempt{work == cohort_.end() ? 0 : work->second.failures};
  if (all_rounds_done()) return {opened_.job, Round(ToInt(round_) - 1), attempt, wire::TaskKind::kEvaluate};
  return {opened_.job, round_, attempt, wire::TaskKind::kTrain};
}

bool JobState::GaveUp(const SiteWork& work) const {
  return work.failures >= (plan_.mode == RoundMode::kWait ? kAttemptsMaxWaiting : 1);
}

std::vector<SiteName> JobState::Awaited() const {
  std::vector<SiteName> awaited;
  if (phase_ != Phase::kCollecting && phase_ != Phase::kEvaluating) return awaited;
  for (const auto& [site, work] : cohort_)
    if (!work.answered() && !GaveUp(work)) awaited.push_back(site);
  return awaited;
}

const wire::BlobManifest& JobState::ModelFor(const SiteName& site) const {
  const auto own = site_models_.find(site);
  return own == site_models_.end() ? model_ : own->second;
}

std::set<Digest> JobState::LiveBlobs() const {
  std::set<Digest> live = {model_.digest};
  for (const auto* kept : {&strategy_state_, &auxiliary_})
    if (*kept) live.insert((*kept)->digest);
  for (const auto& [site, model] : site_models_) live.insert(model.digest);
  for (const auto& [site, work] : cohort_)
    if (work.update) live.insert(work.update->update.digest);
  return live;
}

// --- what may follow what

Status JobState::Check(const JobOpened& record) const {
  if (phase_ != Phase::kNew) return DataLoss("the job is open already");
  if (record.sites.empty() || !StrictlyAscending(record.sites))
    return DataLoss("the sites must be named in order, each once");
  ASSIGN_OR_RETURN(const FederationPlan plan, PlanOf(record.job_json));
  if (plan.sites_min > record.sites.size())
    return InvalidArgument("federation.sites.min is ", plan.sites_min, ", but only ", record.sites.size(),
                           " sites take part");
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
  if (record.round != round_ || all_rounds_done()) return DataLoss("round ", record.round, " is not the next");
  if (record.model != model_.digest) return DataLoss("the round starts from a model that is not the newest");
  return record.cohort.empty() ? DataLoss("the cohort is empty") : Status();
}

Status JobState::Check(const EvaluationOpened& record) const {
  RETURN_IF_ERROR(CheckCohort(record.cohort));
  return all_rounds_done() ? Status() : DataLoss("rounds are left to do");
}

Status JobState::CheckAwaited(const SiteName& site, const wire::TaskKey& task) const {
  const auto work = cohort_.find(site);
  if (work == cohort_.end()) return DataLoss(site, " is not in the cohort");
  if (work->second.answered() || GaveUp(work->second)) return DataLoss(site, " is not awaited");
  return task == KeyFor(site) ? Status() : DataLoss("the task ", task, " is not the one in hand");
}

Status JobState::Check(const UpdateAccepted& record) const {
  if (phase_ != Phase::kCollecting) return DataLoss("no round is open");
  return CheckAwaited(record.site, record.task);
}

Status JobState::Check(const EvaluationAccepted& record) const {
  if (phase_ != Phase::kEvaluating) return DataLoss("no evaluation is open");
  return CheckAwaited(record.site, record.task);
}

Status JobState::Check(const TaskFailureRecorded& record) const {
  if (phase_ != Phase::kCollecting && phase_ != Phase::kEvaluating) return DataLoss("no work is in hand");
  return CheckAwaited(record.site, record.task);
}

Status JobState::Check(const RoundClosed& record) const {
  if (phase_ != Phase::kCollecting || record.round != round_) return DataLoss("round ", record.round, " is not open");
  std::vector<SiteName> contributors, missing;
  for (const auto& [site, work] : cohort_) (work.update ? contributors : missing).push_back(site);
  if (record.contributors != contributors || record.missing != missing || contributors.empty())
    return DataLoss("the contributors are not those whose updates were accepted");
  return Status();
}

Status JobState::Check(const ModelPublished& record) const {
  if (phase_ != Phase::kFolding || record.round != round_) return DataLoss("round ", record.round, " is not closed");
  return Status();
}

Status JobState::Check(const JobFinished& record) const {
  if (phase_ == Phase::kNew || phase_ == Phase::kFinished) return DataLoss("there is nothing to finish");
  if (record.code == StatusCode::kOk && phase_ != Phase::kEvaluating) return DataLoss("the job was not evaluated");
  return Status();
}

Status JobState::Check(const UpdateWithdrawn& record) const {
  const auto work = cohort_.find(record.site);
  const bool held =
      (phase_ == Phase::kCollecting || phase_ == Phase::kFolding) && work != cohort_.end() && work->second.update;
  return held ? Status() : DataLoss("no update of ", record.site, " is held");
}

Status JobState::Check(const EvaluationClosed&) const { return DataLoss("this job has no such step"); }
Status JobState::Check(const TaskGiven&) const { return DataLoss("this job has no such step"); }
Status JobState::Check(const JobPaused&) const { return DataLoss("this job has no such step"); }
Status JobState::Check(const JobResumed&) const { return DataLoss("this job has no such step"); }

// --- what follows

void JobState::Take(const JobOpened& record) {
  phase_ = Phase::kGathering;
  opened_ = record;
  plan_ = PlanOf(record.job_json).value();  // Check() has read it
  model_ = record.model;
}

void JobState::OpenCohort(const std::vector<SiteName>& cohort) {
  cohort_.clear();
  for (const SiteName& site : cohort) cohort_.emplace(site, SiteWork{});
}

void JobState::Take(const RoundOpened& record) {
  phase_ = Phase::kCollecting;
  OpenCohort(record.cohort);
}

void JobState::Take(const EvaluationOpened& record) {
  phase_ = Phase::kEvaluating;
  OpenCohort(record.cohort);
}

void JobState::Take(const UpdateAccepted& record) { cohort_.at(record.site).update = record; }

void JobState::Take(const EvaluationAccepted& record) { cohort_.at(record.site).evaluation = record; }

void JobState::Take(const TaskFailureRecorded& record) {
  SiteWork& work = cohort_.at(record.site);
  ++work.failures;
  work.last_failure = Failure{record.code, record.message};
}

void JobState::Take(const RoundClosed& record) {
  phase_ = Phase::kFolding;
  past_.emplace_back(record.contributors.begin(), record.contributors.end());
}

void JobState::Take(const ModelPublished& record) {
  phase_ = Phase::kGathering;
  model_ = record.model;
  parameters_ = record.parameters;
  strategy_state_ = record.strategy_state;
  auxiliary_ = record.auxiliary;
  site_models_ = record.site_models;
  round_ = Round(ToInt(round_) + 1);
  cohort_.clear();
}

void JobState::Take(const JobFinished& record) {
  phase_ = Phase::kFinished;
  outcome_ = record;
}

void JobState::Take(const UpdateWithdrawn& record) {
  cohort_.at(record.site).update.reset();
  if (phase_ == Phase::kFolding) past_.pop_back();
  phase_ = Phase::kCollecting;
}

}  // namespace consilium::coordinator
