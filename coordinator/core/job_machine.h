// Drives one federated job from its first round to its evaluation: who is asked for what, when a round closes, what is
// kept.  Step in, actions out; no socket, file, clock, thread or randomness.
//
// The shell executes actions in order and makes every Persist durable before what follows, so that after a kill at any
// point Restore() and Started go on to the same result.  Works for any input in any order: what a site may not say now
// is answered with a DropReason and reported, never an error.
//
// Rounds, mode close: the cohort is drawn (cohort.h) from who is connected, fit and not resting when the round opens (a
// site that just contributed is given a moment to reconnect).  The round closes when all have answered, when as many as
// were wanted have, a grace after `enough` have, or at its deadline with at least sites_min updates; below that the job
// fails and says who was missing.  A failed task makes its site missing for the round.
// Rounds, mode wait: the cohort is every site of the job; the round closes when all have answered.  A failed task is
// tried again up to three times in all, then the job fails with the site's message.
// Rounds, mode async (Nguyen et al., "Federated Learning with Buffered Asynchronous Aggregation", AISTATS 2022): every
// site has a task in hand, and is given the next one, on the newest model, as soon as it has answered; the next
// `buffer` accepted updates make a round, whatever round's model they started from.
//
// A job that asks for a plan gets one before round 0 (job_planning.cc).
//
// After the last round the cohort
// evaluates the final model; who does not answer is named in the result, and in mode wait is waited for.  Round
// evaluations and the cross-site evaluation go the same way.
//
// Rounds, mode secure (job_secure.cc): the cohort is every site that is there.  Who has trained says so and keeps its
// update; when all have, or the deadline has passed and at least sites_min have, their updates are summed in secret.  A
// sum that cannot end well is begun again with fresh keys, and the round waits for sites as long as it takes.  Before a
// sum of many sites they agree on what it is drawn from (job_beacon.cc).
//
// Every wait is told by waiting(); its length is derived from round_deadline (wire/deadline_policy.h).
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "coordinator/core/beacon_draw.h"
#include "coordinator/core/job_state.h"
#include "coordinator/core/machine_io.h"
#include "coordinator/core/secure_session.h"
#include "coordinator/core/task_gate.h"
#include "privacy/private_sum/noise_plan.h"

namespace consilium::coordinator {

// Something that the job cannot go on without.
struct Wait {
  std::string what;   // "its update of round 3"
  std::string who;    // a site, "the coordinator", or an operator
  std::string state;  // of whom: "not connected", "training, heard 2 s ago"
  Instant since{};
  std::optional<Instant> until;  // nothing: for as long as it takes
  std::string then;              // what happens at `until`, or mends it
  enum class Whom { kSite, kCoordinator, kOperator } whom = Whom::kSite;
};

// Strand-bound.
class JobMachine {
 public:
  // A new job; Started will persist `job`.  Errors: InvalidArgument when it cannot be run (no federation, fewer sites
  // than its minimum).
  static StatusOr<JobMachine> Open(JobOpened job);
  // From a journal.  Errors: DataLoss when it is empty or not one that we wrote.
  static StatusOr<JobMachine> Restore(std::span<const Record> records);

  std::vector<Action> Step(const Input& input, Instant now);

  const JobState& state() const { return state_; }
  // What the job was opened with; also before Started.
  const JobOpened& job() const { return state_.phase() == Phase::kNew ? opening_ : state_.opened(); }
  // Whom the present phase waits for, and since when it lasts.
  std::vector<SiteName> awaited() const;
  Instant phase_since() const { return phase_since_; }
  // All that is waited for at this moment.
  std::vector<Wait> waiting(Instant now) const;
  // Does this timer still mean anything?  One that does not can be forgotten: a round's deadline outlives the round.
  bool Awaits(std::uint64_t timer) const;

  bool IsConnected(const SiteName& site) const { return connected_.contains(site); }
  // Every blob that the job needs: the state's, and updates that are being checked.
  std::set<Digest> LiveBlobs() const;
  // "" when the site can do the job (or has not been seen), else why it is given no work.
  std::string WhyUnfit(const SiteName& site) const;
  // Answers that did not count, since this process began.
  const std::map<SiteName, std::map<wire::DropReason, std::size_t>>& drops() const { return drops_; }
  // When the site was last heard; nothing before its first word to this process.
  std::optional<Instant> LastHeard(const SiteName& site) const;
  // Connected, but without a word for longer than heartbeats allow.
  bool IsSilent(const SiteName& site, Instant now) const;

 private:
  struct PendingUpdate {
    wire::UpdateReady ready;
    Duration after;                              // the task was given
    std::optional<Status> verdict{};             // mode async: known, and waits for the fold to end
    std::optional<wire::SecureAnswer> masked{};  // mode secure: what the blob belongs to
  };

  explicit JobMachine(JobState state) : state_(std::move(state)) {}

  // job_machine.cc: where inputs enter
  void On(const Started& input);
  void On(const SiteConnected& input);
  void On(const SiteDisconnected& input);
  void On(const FromSite& input);
  void On(const TimerFired& input);
  void On(const AuditAdvanced& input) { secure_.audit = input.audit; }
  void On(const UpdateChecked& input);
  void On(const FoldDone& input);
  void On(const FoldFailed& input);
  void On(const LocalModelsBuilt& input);
  void On(const AbortJob& input);
  void On(const PauseJob& input);
  void On(const ResumeJob& input);
  void On(const PlanMade& input);
  void On(const ModelKept& input);

  // job_answers.cc: what sites say about their tasks
  void OnAnswer(const SiteName& site, const wire::UpdateReady& ready);
  void OnAnswer(const SiteName& site, const wire::EvaluationReport& report);
  void OnAnswer(const SiteName& site, const wire::TaskFailed& failed);
  void OnAnswer(const SiteName& site, const wire::SecureAnswer& answer);
  void OnAnswer(const SiteName&, const wire::Hello&) {}  // the transport's matter
  void OnAnswer(const SiteName& site, const wire::Heartbeat& beat);
  bool Drop(const SiteName& site, const wire::TaskKey& task, std::string_view message, const Verdict& verdict);
  void TakeVerdict(const SiteName& site, const Status& verdict);
  void AcceptUpdate(const SiteName& site, const PendingUpdate& pending);
  void RecordFailure(const SiteName& site, const wire::TaskKey& task, StatusCode code, const std::string& message,
                     const wire::Receipt& receipt);

  // job_phases.cc: from one phase to the next
  void EnterPhase();
  void EnterGathering();
  void TryOpen();
  void TryOpenRound();
  void OpenRound(const std::vector<SiteName>& cohort, std::size_t target);
  void NoteOpened(const std::vector<SiteName>& cohort, std::size_t target);
  void SendTask(const SiteName& site);
  void ArmDeadline(Duration after);
  void TryClose();
  void CloseRound(CloseReason reason);
  void Fold();
  void FinishJob(StatusCode code, const std::string& message);
  void OnDeadline();
  std::vector<SiteName> GatherAwaited() const;
  std::vector<SiteName> ConnectedMembers() const;
  std::vector<SiteName> FitMembers() const;  // connected, and able to do the job
  std::string Describe(const std::vector<SiteName>& missing) const;

  // job_evaluations.cc
  void OpenEvaluation(const std::vector<SiteName>& cohort);
  void OpenEvaluationOf(Purpose purpose, const std::vector<SiteName>& cohort,
                        std::map<std::string, wire::BlobManifest> subjects);
  void CloseEvaluation(CloseReason reason);

  // job_planning.cc
  void TryOpenPreparation();
  void FinishPreparation();
  std::string Title() const;

  // job_async.cc
  void GiveTasks();
  void TryCloseAsync();
  void StandDownAll(const std::map<SiteName, wire::TaskKey>& in_hand, const std::string& why);

  // job_beacon.cc
  // The sum of these sites is drawn from a beacon of theirs, which there is not yet.
  bool NeedsBeacon(const std::vector<SiteName>& cohort) const;
  void OpenBeacon(const std::vector<SiteName>& cohort);
  void EnterBeaconStage();
  void OnBeaconAnswer(const SiteName& site, const wire::SecureAnswer& answer);
  void GoOnWithBeacon();
  void AbortBeacon(const std::string& why);
  void TellBeacon(const SiteName& site);

  // job_secure.cc
  void OnReady(const SiteName& site, const wire::TaskKey& task);
  void TakeSecure(const SiteName& site, const wire::SecureAnswer& answer);
  void TryCloseSecure();
  void OpenSession(const std::vector<SiteName>& cohort);
  StatusOr<secagg::SessionTerms> TermsFor(const std::vector<SiteName>& cohort, std::uint32_t session) const;
  private_sum::SiteTerms SiteTermsOf() const;
  Json PrivacyOf(const FoldDone& fold) const;
  void EnterStage();
  void Ask(const SiteName& site);
  void StartAbsence(const SiteName& site);
  void OnAbsence(const SiteName& site);
  void OnStageTimer();
  void GoOnWithSession();
  void AbortSession(const std::string& why);
  void EndSession();
  void ForgetReady();
  void CloseSecureRound();
  void SkipRound(const std::string& why);
  std::string RestoreSession(const std::vector<SiteName>& lost_vectors);
  std::vector<SiteName> ReadySites() const;
  std::vector<SiteName> GaveUpSites() const;
  std::string SecureWaitOf(const SiteName& site) const;

  // job_watch.cc: silence, and what is waited for
  void OnWatch();
  std::string StateOf(const SiteName& site, Instant now) const;

  // Applies a fact and has it made durable.
  void Commit(Record record);
  void Note(std::string event, Json fields);
  std::uint64_t Arm(Duration after);
  // `message` if the site is connected; else nothing: it will be told what it needs when it comes.
  void Tell(const SiteName& site, wire::CoordinatorMessage message);

  JobState state_;
  JobOpened opening_;  // of a new job, until Started

  // Not durable.
  std::set<SiteName> connected_;
  std::map<SiteName, wire::Capability> capabilities_;
  std::map<SiteName, Instant> heard_;
  std::map<SiteName, wire::Heartbeat> beats_;
  std::map<SiteName, wire::TaskKey> stood_down_;  // told once a connection
  std::map<SiteName, std::map<wire::DropReason, std::size_t>> drops_;
  std::map<SiteName, PendingUpdate> pending_;  // being checked by the shell
  std::map<SiteName, Instant> given_at_;       // mode async: the tasks in hand
  // Mode secure.
  SecureSetting secure_;
  std::optional<BeaconDraw> beacon_;            // before the session that is drawn from it
  std::optional<SecureSession> session_;        // never both
  std::set<SiteName> ready_;                    // have trained, and said so on this connection
  std::map<SiteName, Duration> ready_after_;    // the round was opened
  std::map<std::uint64_t, SiteName> absences_;  // timers: who was away when they were set
  std::uint64_t stage_timer_ = 0;
  Instant stage_until_{};
  bool grace_over_ = false;
  bool deadline_over_ = false;
  bool straggler_grace_over_ = false;
  bool building_ = false;  // local models
  bool first_gathering_ = true;
  std::uint64_t timers_ = 0;
  std::uint64_t grace_timer_ = 0, deadline_timer_ = 0, straggler_timer_ = 0, watch_timer_ = 0;
  Instant deadline_at_{}, phase_since_{};
  std::optional<Instant> grace_until_, straggler_until_;

  // Of the Step in hand.
  Instant now_{};
  std::vector<Action> actions_;
};

// The largest blob that can be an update of this model: its tensors, as many auxiliary ones, and a generous header.
std::uint64_t UpdateBytesMax(const wire::BlobManifest& model);
// The largest blob that may answer what is open, or to be opened.
std::uint64_t AnswerBytesMax(const JobState& state);
// The largest network that a plan may give: what is kept free on the disk for a job without a model.
inline constexpr std::uint64_t kPlannedModelBytesMax = std::uint64_t{256} << 20;
// ["a", "b"]
Json NamesJson(const std::vector<SiteName>& sites);
// NaN and infinities, which JSON does not have, become null.
Json MetricsJson(const wire::Metrics& metrics);
// Of a secure fold's notes the metrics that were in the sum: weighted means over the sites.
Json SummedMetrics(const Json& notes);

}  // namespace consilium::coordinator
