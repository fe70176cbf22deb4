// What is durably true about a job: the fold of its journal.  Restoring a journal is applying its records in order, and
// the live machine changes this state in no other way, so a replayed prefix equals the live state by construction.
//
//   kNew --JobOpened--> kGathering
//   kGathering --RoundOpened--> kCollecting --RoundClosed--> kFolding --ModelPublished--> kGathering
//   kGathering --EvaluationOpened--> kEvaluating --EvaluationClosed--> kGathering
//   kGathering --JobFinished--> kFinished
//   of a job that asks for a plan, first, each closed by RoundClosed as rounds are (work() tells them apart):
//   kGathering --RoundOpened--> kCollecting --> kFolding --PlanPinned--> kGathering, the same --ModelInitialized-->
//   JobFinished (failed) from any phase; UpdateWithdrawn from kFolding back to kCollecting
//   mode secure, in kCollecting: BeaconOpened and BeaconAgreed as often as the sum needs them, SecureSessionOpened*,
//   UnmaskingBegan, SharesReleased*, then RoundClosed; or RoundSkipped to kGathering
// next() says which of these kGathering is for.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "coordinator/core/evaluation_result.h"
#include "coordinator/core/federation_plan.h"
#include "coordinator/core/records.h"
#include "coordinator/core/site_health.h"
#include "privacy/secagg/beacon.h"

namespace consilium::coordinator {

// What the sites are asked for in the round that is open, or to be opened.
enum class Work : std::uint8_t {
  kStatistics,    // of a job that asks for a plan: what their data are like
  kInitialModel,  // and the planned network's first weights
  kTraining,
};
std::string_view WorkName(Work work);  // "statistics", "initial_model", "round"

enum class Phase : std::uint8_t { kNew, kGathering, kCollecting, kFolding, kEvaluating, kFinished };
std::string_view PhaseName(Phase phase);  // "gathering"

// What is to be opened when nothing is open.
enum class NextStep : std::uint8_t { kRound, kRoundEvaluation, kFinalEvaluation, kCrossSite, kNothing };

struct Failure {
  StatusCode code = StatusCode::kFailed;
  std::string message;
  friend bool operator==(const Failure&, const Failure&) = default;
};

// What a cohort's site was asked for and what came of it.
struct SiteWork {
  std::uint32_t failures = 0;  // at the task in hand; also the number of its attempt
  std::optional<Failure> last_failure;
  std::optional<UpdateAccepted> update;          // of a training round
  std::optional<EvaluationAccepted> evaluation;  // the newest
  std::map<std::string, wire::Metrics> answers;  // of an evaluation, by subject
  std::set<std::string> given_up;                // subjects
  friend bool operator==(const SiteWork&, const SiteWork&) = default;
};

// Mode async: the last task that a site was done with.
struct LastTask {
  wire::TaskKey task;
  bool used = false;  // its update was accepted
  friend bool operator==(const LastTask&, const LastTask&) = default;
};

// A site's newest accepted update and the model that it started from; kept for the cross-site evaluation.
struct LocalUpdate {
  wire::BlobManifest update, base;
  friend bool operator==(const LocalUpdate&, const LocalUpdate&) = default;
};

// Value semantics; strand-bound.
class JobState {
 public:
  // Errors: DataLoss when the record cannot follow what came before: the journal is not one that we wrote.  The state
  // is then unchanged.
  Status Apply(const Record& record);
  static StatusOr<JobState> Restore(std::span<const Record> records);

  Phase phase() const { return phase_; }
  NextStep next() const;
  const JobOpened& opened() const { return opened_; }
  const FederationPlan& plan() const { return plan_; }
  bool async() const { return plan_.mode == RoundMode::kAsync && !preparing(); }
  Work work() const;
  bool preparing() const { return work() != Work::kTraining; }
  // The job as sites are told it: with its plan, once there is one.
  const std::string& job_json() const { return pinned_ ? pinned_->job_json : opened_.job_json; }
  const std::optional<PlanPinned>& pinned() const { return pinned_; }
  // Whose statistics the plan is made of.
  const std::set<SiteName>& planned_from() const { return planned_from_; }
  // So few answers close what is open.
  std::size_t answers_min() const { return work() == Work::kInitialModel ? 1 : plan_.sites_min; }
  // The round to be opened or being worked on: as many have been published.
  Round round() const { return round_; }
  bool all_rounds_done() const { return stopped_early_ || round_ == plan_.rounds; }
  bool stopped_early() const { return stopped_early_; }
  const std::optional<std::string>& paused_by() const { return paused_by_; }

  const wire::BlobManifest& model() const { return model_; }  // the newest global model
  const Digest& parameters() const { return parameters_; }    // its weights' digest; zeros before the first fold
  // What the strategy keeps, and sends beside the model (ModelPublished).
  const std::optional<wire::BlobManifest>& strategy_state() const { return strategy_state_; }
  const std::optional<wire::BlobManifest>& auxiliary() const { return auxiliary_; }
  const std::map<SiteName, wire::BlobManifest>& site_models() const { return site_models_; }
  // The model that this site starts the next round from.
  const wire::BlobManifest& ModelFor(const SiteName& site) const;
  // The model that the site's task in hand is about.
  const wire::BlobManifest& ModelOfTask(const SiteName& site) const;
  // Every blob that the job still needs.
  std::set<Digest> LiveBlobs() const;

  // The open (or just closed) round's or evaluation's sites.
  const std::map<SiteName, SiteWork>& cohort() const { return cohort_; }
  // So many updates close the round.
  std::size_t target() const { return target_; }
  // The accepted updates of the round in hand, in the order of (site, task).
  std::vector<UpdateAccepted> HeldUpdates() const;
  // Whose updates each closed round took.
  const std::vector<std::set<SiteName>>& past() const { return past_; }
  const std::optional<EvaluationOpened>& evaluation() const { return evaluation_; }  // the open one
  const std::vector<EvaluationResult>& evaluations() const { return evaluations_; }  // the closed ones
  const std::optional<BestModel>& best() const { return best_; }
  const std::map<SiteName, LocalUpdate>& local_updates() const { return local_updates_; }
  const SiteHealth& HealthOf(const SiteName& site) const;
  const JobFinished& outcome() const { return outcome_; }

  // Mode async.
  const std::map<SiteName, wire::TaskKey>& in_hand() const { return in_hand_; }
  const LastTask* LastTaskOf(const SiteName& site) const;
  // The model that this accepted update started from.
  const wire::BlobManifest& BaseOf(const UpdateAccepted& update) const;
  // Too many rounds old for its update to count.
  bool IsStale(const wire::TaskKey& task) const;

  // Mode secure.
  bool secure() const { return plan_.mode == RoundMode::kSecure; }
  std::uint32_t sessions_opened() const { return sessions_opened_; }  // in this round
  const std::optional<UnmaskingBegan>& unmasking() const { return unmasking_; }
  std::uint32_t beacons_opened() const { return beacons_opened_; }  // in this round
  // The newest that was agreed on in the open round, unless another one has been asked for since.
  const std::optional<secagg::Beacon>& beacon() const { return beacon_; }
  const std::optional<BeaconAgreed>& beacon_agreed() const { return beacon_agreed_; }  // with what sites are told of it
  const std::map<SiteName, Bytes>& releases() const { return releases_; }
  std::uint32_t skipped_in_row() const { return skipped_in_row_; }
  // Of the next sum: of single values, under privacy.sites of whole updates.
  double clip() const { return clip_; }
  // Under privacy.sites what the newest model tells of it ("epsilon", "clip", ...): a JSON object, "" before.
  const std::string& site_privacy() const { return site_privacy_; }

  bool IsMember(const SiteName& site) const;
  // The work that this cohort site has in hand (mode async: or would be given next).
  wire::TaskKey KeyFor(const SiteName& site) const;
  // A training task failed as often as it may (once, if the reason is one that stays), or no subject of the evaluation
  // is left to try.
  bool GaveUp(const SiteWork& work) const;
  // Answered or given up.
  bool IsDone(const SiteWork& work) const;
  // Why sites of the present work failed, as the code of a job that ends with it: a final reason if there is one, else
  // kFailed.
  StatusCode CodeOfFailures() const;
  // Neither answered nor given up, in name order.
  std::vector<SiteName> Awaited() const;

  friend bool operator==(const JobState&, const JobState&) = default;

 private:
  // job_state_checks.cc: what may follow what
  Status Check(const JobOpened& record) const;
  Status Check(const RoundOpened& record) const;
  Status Check(const TaskGiven& record) const;
  Status Check(const UpdateAccepted& record) const;
  Status Check(const TaskFailureRecorded& record) const;
  Status Check(const RoundClosed& record) const;
  Status Check(const ModelPublished& record) const;
  Status Check(const EvaluationOpened& record) const;
  Status Check(const EvaluationAccepted& record) const;
  Status Check(const EvaluationClosed& record) const;
  Status Check(const JobFinished& record) const;
  Status Check(const UpdateWithdrawn& record) const;
  Status Check(const JobPaused& record) const;
  Status Check(const JobResumed& record) const;
  Status Check(const PlanPinned& record) const;
  Status Check(const ModelInitialized& record) const;
  Status Check(const SecureSessionOpened& record) const;
  Status Check(const BeaconOpened& record) const;
  Status Check(const BeaconAgreed& record) const;
  Status Check(const UnmaskingBegan& record) const;
  Status Check(const SharesReleased& record) const;
  Status Check(const RoundSkipped& record) const;
  Status CheckAwaited(const SiteName& site, const wire::TaskKey& task) const;
  Status CheckCohort(const std::vector<SiteName>& cohort) const;

  // job_state_changes.cc: what follows
  void Take(const JobOpened& record);
  void Take(const RoundOpened& record);
  void Take(const TaskGiven& record);
  void Take(const UpdateAccepted& record);
  void Take(const TaskFailureRecorded& record);
  void Take(const RoundClosed& record);
  void Take(const ModelPublished& record);
  void Take(const EvaluationOpened& record);
  void Take(const EvaluationAccepted& record);
  void Take(const EvaluationClosed& record);
  void Take(const JobFinished& record);
  void Take(const UpdateWithdrawn& record);
  void Take(const JobPaused& record) { paused_by_ = record.by; }
  void Take(const JobResumed&) { paused_by_.reset(); }
  void Take(const PlanPinned& record);
  void Take(const ModelInitialized& record);
  void Take(const SecureSessionOpened& record) { sessions_opened_ = record.session; }
  void Take(const BeaconOpened& record);
  void Take(const BeaconAgreed& record);
  void Take(const UnmaskingBegan& record);
  void Take(const SharesReleased& record) { releases_[record.site] = record.release; }
  void Take(const RoundSkipped& record);
  void ForgetSecureRound();
  void OpenCohort(const std::vector<SiteName>& cohort);
  void KeepLocalUpdate(const UpdateAccepted& update);
  void JudgeModel(const EvaluationResult& result);
  void ForgetOldBases();

  std::optional<std::string> SubjectInHand(const SiteWork& work) const;
  std::vector<SiteName> Contributors() const;

  Phase phase_ = Phase::kNew;
  JobOpened opened_;
  FederationPlan plan_;
  std::optional<PlanPinned> pinned_;
  std::set<SiteName> planned_from_;
  Round round_{};
  bool stopped_early_ = false;
  std::optional<std::string> paused_by_;
  wire::BlobManifest model_;
  Digest parameters_;
  std::optional<wire::BlobManifest> strategy_state_, auxiliary_;
  std::map<SiteName, wire::BlobManifest> site_models_;
  std::map<SiteName, SiteWork> cohort_;
  std::size_t target_ = 0;
  std::vector<std::set<SiteName>> past_;
  std::map<SiteName, SiteHealth> health_;
  JobFinished outcome_;

  std::optional<EvaluationOpened> evaluation_;
  std::vector<EvaluationResult> evaluations_;
  Round evaluated_{};  // round() when the newest round evaluation closed
  bool final_done_ = false, cross_done_ = false;
  std::optional<BestModel> best_;
  std::optional<double> bar_;       // what has to be improved on, by min_delta
  std::uint32_t not_improved_ = 0;  // evaluations in a row
  std::map<SiteName, LocalUpdate> local_updates_;

  // Mode secure: of the open round.
  std::uint32_t sessions_opened_ = 0, skipped_in_row_ = 0;
  std::uint32_t beacons_opened_ = 0;
  std::vector<SiteName> beacon_sites_;  // that were asked for the newest
  std::optional<secagg::Beacon> beacon_;
  std::optional<BeaconAgreed> beacon_agreed_;
  std::optional<UnmaskingBegan> unmasking_;
  std::map<SiteName, Bytes> releases_;
  double clip_ = 0;
  std::string site_privacy_;

  // Mode async.
  std::map<SiteName, wire::TaskKey> in_hand_;
  std::map<SiteName, LastTask> last_tasks_;
  std::map<Round, wire::BlobManifest> bases_;      // of the rounds that tasks in hand and held updates started from
  std::map<SiteName, std::uint32_t> tasks_given_;  // in this round
  std::vector<UpdateAccepted> buffer_;             // of this round
};

}  // namespace consilium::coordinator
