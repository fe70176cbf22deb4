// What is durably true about a job: the fold of its journal.  Restoring a journal is applying its records in order, and
// the live machine changes this state in no other way, so a replayed prefix equals the live state by construction.
//
//   kNew --JobOpened--> kGathering
//   kGathering --RoundOpened--> kCollecting --RoundClosed--> kFolding --ModelPublished--> kGathering
//   kGathering after the last round --EvaluationOpened--> kEvaluating --JobFinished--> kFinished
//   JobFinished (failed) from any phase; UpdateWithdrawn from kFolding back to kCollecting
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "comm/base/time.h"
#include "coordinator/core/records.h"

namespace consilium::coordinator {

enum class Phase : std::uint8_t { kNew, kGathering, kCollecting, kFolding, kEvaluating, kFinished };
std::string_view PhaseName(Phase phase);  // "gathering"

enum class RoundMode : std::uint8_t {
  kClose,  // the round closes at its deadline without those who are missing
  kWait,   // the round waits for every site
};
enum class Weighting : std::uint8_t { kExamples, kEqual };

// The part of the job file that the coordinator itself acts on.
struct FederationPlan {
  Round rounds{};  // how many
  RoundMode mode = RoundMode::kClose;
  std::size_t sites_min = 1;
  Duration round_deadline{};
  Weighting weighting = Weighting::kExamples;
  friend bool operator==(const FederationPlan&, const FederationPlan&) = default;
};

struct Failure {
  StatusCode code = StatusCode::kFailed;
  std::string message;
  friend bool operator==(const Failure&, const Failure&) = default;
};

// What a cohort's site was asked for and what came of it.
struct SiteWork {
  std::uint32_t failures = 0;  // also the number of the attempt in hand
  std::optional<Failure> last_failure;
  std::optional<UpdateAccepted> update;          // of a training round
  std::optional<EvaluationAccepted> evaluation;  // of the evaluation
  bool answered() const { return update.has_value() || evaluation.has_value(); }
  friend bool operator==(const SiteWork&, const SiteWork&) = default;
};

// Value semantics; strand-bound.
class JobState {
 public:
  // Errors: DataLoss when the record cannot follow what came before: the journal is not one that we wrote.  The state
  // is then unchanged.
  Status Apply(const Record& record);
  static StatusOr<JobState> Restore(std::span<const Record> records);

  Phase phase() const { return phase_; }
  const JobOpened& opened() const { return opened_; }
  const FederationPlan& plan() const { return plan_; }
  // The round to be opened or being worked on; plan().rounds once all have been published.
  Round round() const { return round_; }
  bool all_rounds_done() const { return round_ == plan_.rounds; }
  const wire::BlobManifest& model() const { return model_; }  // the newest global model
  const Digest& parameters() const { return parameters_; }    // its weights' digest; zeros before the first fold
  // What the strategy keeps, and sends beside the model (ModelPublished).
  const std::optional<wire::BlobManifest>& strategy_state() const { return strategy_state_; }
  const std::optional<wire::BlobManifest>& auxiliary() const { return auxiliary_; }
  const std::map<SiteName, wire::BlobManifest>& site_models() const { return site_models_; }
  // The model that this site starts the next round from.
  const wire::BlobManifest& ModelFor(const SiteName& site) const;
  // Every blob that the job still needs.
  std::set<Digest> LiveBlobs() const;
  // The open (or just closed) round's or evaluation's sites.
  const std::map<SiteName, SiteWork>& cohort() const { return cohort_; }
  // Whose updates each closed round took.
  const std::vector<std::set<SiteName>>& past() const { return past_; }
  const JobFinished& outcome() const { return outcome_; }

  bool IsMember(const SiteName& site) const;
  // The work that this cohort site has in hand.
  wire::TaskKey KeyFor(const SiteName& site) const;
  // It failed as often as it may: once in close mode, three times in wait mode.
  bool GaveUp(const SiteWork& work) const;
  // Neither answered nor given up, in name order.
  std::vector<SiteName> Awaited() const;

  friend bool operator==(const JobState&, const JobState&) = default;

 private:
  Status Check(const JobOpened& record) const;
  Status Check(const RoundOpened& record) const;
  Status Check(const UpdateAccepted& record) const;
  Status Check(const TaskFailureRecorded& record) const;
  Status Check(const RoundClosed& record) const;
  Status Check(const ModelPublished& record) const;
  Status Check(const EvaluationOpened& record) const;
  Status Check(const EvaluationAccepted& record) const;
  Status Check(const JobFinished& record) const;
  Status Check(const UpdateWithdrawn& record) const;
  Status Check(const EvaluationClosed& record) const;
  Status Check(const TaskGiven& record) const;
  Status Check(const JobPaused& record) const;
  Status Check(const JobResumed& record) const;
  Status CheckAwaited(const SiteName& site, const wire::TaskKey& task) const;
  Status CheckCohort(const std::vector<SiteName>& cohort) const;
  void Take(const JobOpened& record);
  void Take(const RoundOpened& record);
  void Take(const UpdateAccepted& record);
  void Take(const TaskFailureRecorded& record);
  void Take(const RoundClosed& record);
  void Take(const ModelPublished& record);
  void Take(const EvaluationOpened& record);
  void Take(const EvaluationAccepted& record);
  void Take(const JobFinished& record);
  void Take(const UpdateWithdrawn& record);
  void Take(const EvaluationClosed&) {}
  void Take(const TaskGiven&) {}
  void Take(const JobPaused&) {}
  void Take(const JobResumed&) {}
  void OpenCohort(const std::vector<SiteName>& cohort);

  Phase phase_ = Phase::kNew;
  JobOpened opened_;
  FederationPlan plan_;
  Round round_{};
  wire::BlobManifest model_;
  Digest parameters_;
  std::optional<wire::BlobManifest> strategy_state_, auxiliary_;
  std::map<SiteName, wire::BlobManifest> site_models_;
  std::map<SiteName, SiteWork> cohort_;
  std::vector<std::set<SiteName>> past_;
  JobFinished outcome_;
};

// Reads the plan out of a resolved job.  Errors: InvalidArgument when it has no federation.
StatusOr<FederationPlan> PlanOf(const std::string& job_json);

}  // namespace consilium::coordinator
