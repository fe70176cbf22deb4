// A site's side of a federation: keeps a connection, does one task at a time, and delivers what came of it until the
// coordinator says that it has it.  Tasks of several jobs are done in turn, in the order in which they came.  Step in,
// actions out; no socket, file, clock, thread or randomness.
//
//   connection:  dial -> Welcome -> ... -> lost -> back-off -> dial; a fault that a person has to mend ends the client
//   a task:      ask the site's policy -> fetch the model (and the strategy's auxiliary state) -> run it in the trainer
//   -> persist the outcome
//   -> deliver (upload, say, receipt)
//   a task whose update is summed in secret: its outcome stays here; say that it is ready, answer the coordinator's
//   questions (secure_site.h), upload the masked vector.  What the coordinator asks against the protocol ends the task
//   with the reason; shares are released once for each round, remembered before they are said
//
// Training goes on while the connection is down.  A trainer that dies is started again after a pause; after three
// deaths under one task the task has failed, with the signal and the trainer's last words.  A trainer that says nothing
// for a round's deadline is stuck, and ended.  A trainer that cannot go on for want of disk space is tried again until
// there is some.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "client/core/secure_site.h"
#include "client/core/session_io.h"
#include "comm/wire/job.h"

namespace consilium::client {

struct SessionOptions {
  // End once the coordinator says that the job is over; the job's status is then ours.
  enum class WhenDone { kStay, kExit } when_done = WhenDone::kStay;
  // Whether each task is put to the site's policy first.  A client of flesh always asks; simulations and the machine's
  // own tests have no policy.
  enum class Consent { kAsk, kGiven } consent = Consent::kGiven;
  Duration ask_again = std::chrono::seconds(2);  // while a person has not decided
  Duration redial_first = std::chrono::milliseconds(250);
  Duration redial_max = std::chrono::seconds(10);
  Duration retry_first = std::chrono::seconds(1);  // of a dead trainer or a stalled transfer; doubles
  Duration retry_max = std::chrono::seconds(30);
  std::uint32_t worker_deaths_max = 3;          // under one task
  std::shared_ptr<const SecureParty> secure{};  // null: the site takes part in no secure sum
  unsigned mask_threads = 1;
};

// Strand-bound.
class SessionMachine {
 public:
  SessionMachine(SessionState state, SessionOptions options) : state_(std::move(state)), options_(options) {}

  std::vector<Action> Step(const Input& input, Instant now);

  const SessionState& state() const { return state_; }
  bool connected() const { return connected_; }
  // What Tidy must leave: what the state speaks of, and what the work in hand uses.
  std::set<std::string> LiveFiles() const;
  std::set<Digest> LiveBlobs() const;

 private:
  enum class Stage { kAsking, kFetching, kRunning, kCancelling, kPausing };
  // The task in hand.
  struct Work {
    wire::Task task;
    Stage stage = Stage::kAsking;
    std::optional<TransferId> fetch;  // in flight
    Instant fetch_began{};
    std::size_t fetched = 0;  // of the blobs that the task needs, in order
    std::uint32_t full_disks = 0;
    std::uint32_t tries = 0;  // fetches that failed, or deaths of the trainer
    std::uint64_t retry_timer = 0;
    double progress = 0;
    wire::Metrics metrics;
    Instant last_sign{};
    Duration silence_max{};
    Lineage lineage = Lineage::kRounds;
    wire::JobSpec job;
    std::string trouble;  // what went wrong and is being tried again
  };
  // How far the delivery of an outcome has come on this connection.
  struct Delivery {
    std::optional<TransferId> upload;  // in flight
    Instant began{};
    bool said = false;
    std::uint32_t tries = 0;
    std::uint64_t retry_timer = 0;
  };

  // session_machine.cc: the connection, and where inputs enter
  void On(const Started&);
  void On(const ConnectionLost& input);
  void On(const FromCoordinator& input);
  void On(const TransferDone& input);
  void On(const TimerFired& input);
  void OnMessage(const wire::Welcome& welcome);
  void OnMessage(const wire::Refusal& refusal);
  void OnMessage(const wire::Task& task);
  void OnMessage(const wire::Receipt& receipt);
  void OnMessage(const wire::StandDown& down);
  void OnMessage(const wire::JobEnded& ended);
  void OnMessage(const wire::SecureRequest& question);
  void Beat();
  wire::Heartbeat CurrentBeat() const;

  // session_work.cc: the task in hand
  void On(const WorkerProgressed& input);
  void On(const WorkerFinished& input);
  void On(const WorkerRefused& input);
  void On(const WorkerDied& input);
  void On(const SiteAnswer& input);
  void Ask();
  void GiveWay();
  void Take(const wire::Task& task);
  void Queue(const wire::Task& task);
  void StartFetch();
  std::vector<wire::BlobManifest> BlobsOf(const wire::Task& task) const;
  void OnFetched(const Status& result, std::uint64_t bytes_moved);
  void StartRun();
  void CancelWork(const std::string& why);
  void AwaitSpace(const std::string& message);
  void PauseWork(const std::string& trouble, Duration pause);
  void EndWork(std::optional<Outcome> outcome);
  void ResumeWork();
  void CheckStuck();
  bool Working(const wire::TaskKey& task) const { return work_ && work_->task.task == task; }

  // session_delivery.cc: what came of tasks
  void Deliver(const Outcome& outcome);
  void Say(const Outcome& outcome);
  void OnUploaded(const wire::TaskKey& task, const Status& result, std::uint64_t bytes_moved);
  void DeliverAll();
  void Settle();

  // session_beacon.cc: this site's part in the randomness that a large sum is drawn from
  void OnBeaconQuestion(const wire::SecureRequest& question, const SecureWork& work);
  StatusOr<Bytes> AnswerBeacon(const wire::SecureRequest& question, const SecureWork& work);
  StatusOr<Bytes> AnswerBeaconStage(wire::SecureStage stage, const secagg::BeaconTerms& terms,
                                    const secagg::BeaconNotice& notice, const wire::TaskKey& task);

  // session_secure.cc: sums with other sites
  void On(const VectorMasked& input);
  std::optional<GaveUp> WhyNoSum(const wire::Task& task, const wire::JobSpec& job) const;
  SecureWork SecureWorkOf(const WorkerFinished& done, const wire::JobSpec& job) const;
  NoisyRelease ReleaseOf(const wire::TaskKey& task, const SecureSite::Noise& noise, const Trained& trained) const;
  VectorContent ContentOf(const wire::TaskKey& task, const SecureSite& sum, const Trained& trained) const;
  void BeginSum(const wire::SecureRequest& question, const SecureWork& work);
  void GoOnWithSum(SecureSite* sum, const wire::SecureRequest& question, const Trained& trained);
  void NoteRefusal(const wire::TaskKey& task, std::uint32_t session, const Status& why);
  void RefuseSum(const wire::TaskKey& task, std::uint32_t session, const Status& why);
  void GiveUpForgottenSums();
  void DeliverSecure(const Outcome& outcome);
  void OnMaskedUploaded(const wire::TaskKey& task, const Status& result, std::uint64_t bytes_moved);
  void SayAnswer(wire::SecureAnswer answer);
  void SayReady(const wire::TaskKey& task);

  std::uint64_t Arm(Duration after);
  TransferId NextTransfer() { return TransferId{++transfers_}; }
  // Says what a transfer moved in what time, and keeps its rate, in bytes/s.
  void NoteTransfer(const char* event, const wire::TaskKey& task, const wire::BlobManifest& blob, Instant began,
                    std::uint64_t bytes_moved, const Status& result, double* rate);
  Duration Backoff(Duration first, Duration max, std::uint32_t tries) const;
  void Note(std::string event, Json fields);
  void End(Status status);

  SessionState state_;
  SessionOptions options_;

  // Not durable.
  bool connected_ = false;  // welcomed
  bool ended_ = false;
  std::uint32_t dials_ = 0;  // since the last Welcome
  Duration heartbeat_interval_ = std::chrono::seconds(3);
  std::uint64_t timers_ = 0, transfers_ = 0;
  std::uint64_t dial_timer_ = 0, beat_timer_ = 0;
  std::optional<Work> work_;
  std::deque<wire::Task> queue_;                // for their turn, at most one of each job
  double download_rate_ = 0, upload_rate_ = 0;  // bytes/s of the last transfers
  std::map<wire::TaskKey, Delivery> deliveries_;
  std::map<wire::TaskKey, SecureSite> sums_;         // of finished tasks
  std::map<wire::TaskKey, std::uint32_t> given_up_;  // the newest session that was, because nothing was asked

  // Of the Step in hand.
  Instant now_{};
  std::vector<Action> actions_;
};

}  // namespace consilium::client
