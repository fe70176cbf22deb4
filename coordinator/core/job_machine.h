// Drives one federated job from its first round to its evaluation: who is asked for what, when a round closes, what is
// kept.  Step in, actions out; no socket, file, clock, thread or randomness.
//
// The shell executes actions in order and makes every Persist durable before what follows, so that after a kill at any
// point Restore() and Started go on to the same result.  Works for any input in any order: what a site may not say now
// is answered with a DropReason and reported, never an error.
//
// Rounds, mode close: the cohort is who is connected when the round opens (a site that just contributed is given a
// moment to reconnect).  The round closes when all have answered, or at its deadline with at least sites_min updates;
// below that the job fails and says who was missing.  A failed task makes its site missing for the round.
// Rounds, mode wait: the cohort is every site of the job; the round closes when all have answered.  A failed task is
// tried again up to three times in all, then the job fails with the site's message.
// After the last round the cohort evaluates the final model; who does not answer is named in the result, and in mode
// close not waited for beyond the deadline.
//
// After a restart an open round is given its whole deadline again: an outage of ours is not the sites' fault.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <vector>

#include "coordinator/core/job_state.h"
#include "coordinator/core/machine_io.h"
#include "coordinator/core/task_gate.h"

namespace consilium::coordinator {

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
  // Whom the present phase waits for, and since when it lasts.
  std::vector<SiteName> awaited() const;
  Instant phase_since() const { return phase_since_; }
  bool IsConnected(const SiteName& site) const { return connected_.contains(site); }

 private:
  struct PendingUpdate {
    wire::UpdateReady ready;
    Duration after;  // the task was given
  };

  explicit JobMachine(JobState state) : state_(std::move(state)) {}

  // job_machine.cc: where inputs enter
  void On(const Started& input);
  void On(const SiteConnected& input);
  void On(const SiteDisconnected& input);
  void On(const FromSite& input);
  void On(const TimerFired& input);
  void On(const UpdateChecked& input);
  void On(const FoldDone& input);
  void On(const LocalModelsBuilt&) {}
  void On(const AbortJob&) {}
  void On(const PauseJob&) {}
  void On(const ResumeJob&) {}

  // job_answers.cc: what sites say about their tasks
  void OnAnswer(const SiteName& site, const wire::UpdateReady& ready);
  void OnAnswer(const SiteName& site, const wire::EvaluationReport& report);
  void OnAnswer(const SiteName& site, const wire::TaskFailed& failed);
  void OnAnswer(const SiteName&, const wire::Hello&) {}      // the transport's matter
  void OnAnswer(const SiteName&, const wire::Heartbeat&) {}  // the status view's matter
  bool Drop(const SiteName& site, const wire::TaskKey& task, std::string_view message, const Verdict& verdict);
  void AcceptUpdate(const SiteName& site, const PendingUpdate& pending);
  void RecordFailure(const SiteName& site, const wire::TaskKey& task, StatusCode code, const std::string& message,
                     const wire::Receipt& receipt);
  void SendReceipt(const SiteName& site, const wire::Receipt& receipt);

  // job_phases.cc: from one phase to the next
  void EnterPhase();
  void EnterGathering();
  void TryOpen();
  void OpenRound(const std::vector<SiteName>& cohort);
  void OpenEvaluation(const std::vector<SiteName>& cohort);
  void SendTask(const SiteName& site);
  void ArmDeadline();
  void TryClose();
  void CloseRound();
  void Fold();
  void FinishJob(StatusCode code, const std::string& message);
  void OnDeadline();
  std::vector<SiteName> GatherAwaited() const;
  std::vector<SiteName> ConnectedMembers() const;
  std::string Describe(const std::vector<SiteName>& missing) const;

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
  std::map<SiteName, PendingUpdate> pending_;  // being checked by the shell
  bool grace_over_ = false;
  bool deadline_over_ = false;
  std::uint64_t timers_ = 0;
  std::uint64_t grace_timer_ = 0, deadline_timer_ = 0;
  Instant deadline_at_{}, phase_since_{};

  // Of the Step in hand.
  Instant now_{};
  std::vector<Action> actions_;
};

// The largest blob that can be an update of this model: its tensors and a generous header.
std::uint64_t UpdateBytesMax(const wire::BlobManifest& model);
// ["a", "b"]
Json NamesJson(const std::vector<SiteName>& sites);
// NaN and infinities, which JSON does not have, become null.
Json MetricsJson(const wire::Metrics& metrics);

}  // namespace consilium::coordinator
