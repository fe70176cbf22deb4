#include "coordinator/service/coordinator_shell.h"

#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <mutex>

#include "comm/base/folder_lock.h"
#include "comm/base/json.h"
#include "comm/base/log.h"
#include "comm/transport/grpc/grpc_server.h"
#include "coordinator/service/local_door.h"
#include "coordinator/service/operator_desk.h"
#include "coordinator/service/snapshot.h"
#include "privacy/pki/signer.h"

namespace consilium::coordinator {
namespace {

// Sites that are not connected when the job ends come back within their longest pause (10 s) and want to know.
constexpr auto kLinger = std::chrono::seconds(12);
// Messages of one site that wait for the strand; honest sites say a few a second.
constexpr std::size_t kBacklogMax = 256;
// Folds and checks of two jobs go on side by side.
constexpr std::size_t kWorkers = 2;

class Coordinator final : public transport::CoordinatorEvents {
 public:
  explicit Coordinator(const CoordinatorOptions& options)
      : options_(options), workers_(kWorkers), readers_(1), signals_(loop_, SIGINT, SIGTERM), linger_(loop_) {}

  Status Run();

  // From transport threads.
  void OnConnect(const SiteName& site, SessionId session, const wire::Hello& hello) override;
  void OnMessage(const SiteName& site, SessionId session, wire::SiteMessage message) override;
  void OnDisconnect(const SiteName& site, SessionId session, const Status& reason) override;
  Status AuthorizeFetch(const SiteName& site, const Digest& digest) override {
    return access_.AuthorizeFetch(site, digest);
  }
  Status AuthorizeUpload(const SiteName& site, const wire::TaskKey& task, const wire::BlobManifest& manifest) override {
    return access_.AuthorizeUpload(site, task, manifest);
  }

 private:
  Status Open();
  Status ReadRoster();
  Status OpenLocalJob();
  Status Listen();
  void HandleSignals();
  void Send(const SiteName& site, wire::CoordinatorMessage message);
  void Close(const SiteName& site, wire::Refusal refusal);
  void OnJobFinished();
  void OnJobStopped(const JobId& job, const Status& status);
  void LeaveIfAllWereTold();
  void Stop(Status status);
  bool IsAwaited(const JobId& job) const { return watched_.empty() || watched_ == job; }
  StatusOr<Json> AnswerLocally(const Json& request);
  std::size_t TakeBacklogPlace(const SiteName& site);
  void FreeBacklogPlace(const SiteName& site);

  CoordinatorOptions options_;
  boost::asio::io_context loop_;
  boost::asio::thread_pool workers_, readers_;
  boost::asio::signal_set signals_;
  boost::asio::steady_timer linger_;
  AccessTable access_;
  std::map<SiteName, crypto::RawPublicKey> signing_keys_;  // constant once open
  std::unique_ptr<transport::BlobStore> blobs_;
  std::unique_ptr<ModelIntake> intake_;
  std::unique_ptr<JobFiles> files_;
  std::unique_ptr<AuditTrail> audit_;
  std::unique_ptr<JobTable> table_;
  std::unique_ptr<OperatorDesk> desk_;
  std::unique_ptr<LocalDoor> door_;
  std::unique_ptr<transport::CoordinatorTransport> transport_;

  std::map<SiteName, SessionId> sessions_;
  JobId watched_;  // of job_file; empty: all of them
  bool finished_ = false, stopped_ = false;
  Status outcome_;

  std::mutex backlog_mutex_;
  std::map<SiteName, std::size_t> backlog_;
};

Status Coordinator::Run() {
  ASSIGN_OR_RETURN(const FolderLock lock, FolderLock::Acquire(options_.state));
  HandleSignals();
  Status status = Open();
  if (status.ok() && !stopped_) status = Listen();
  if (status.ok()) {
    if (!stopped_) loop_.run();
    status = outcome_;
  }
  // In this order: no callback comes any more, then no worker posts any more, then the jobs go.
  door_.reset();
  if (transport_) transport_->Shutdown();
  workers_.stop(), readers_.stop();
  workers_.join(), readers_.join();
  if (table_) table_->WriteStatuses();
  if (audit_)
    if (const Status noted = audit_->Close(status); !noted.ok())
      Log(LogLevel::kError, "audit_failed", {{"reason", noted.message()}});
  return status;
}

// Of a kit of an older version there are none, and jobs with secure aggregation wait for them.
Status Coordinator::ReadRoster() {
  const transport::Kit& kit = options_.kit;
  std::error_code ignored;
  if (!std::filesystem::exists(pki::SigningFilesIn(kit.folder).roster, ignored)) return Status();
  const auto now = SystemClock().WallNow();
  ASSIGN_OR_RETURN(const pki::Trust trust, pki::LoadTrust(kit.folder, kit.self, now));
  for (const SiteName& site : trust.roster.sites())
    if (const StatusOr<crypto::RawPublicKey> key = trust.roster.KeyOf(site, now); key.ok()) signing_keys_[site] = *key;
  return Status();
}

Status Coordinator::Open() {
  RETURN_IF_ERROR(ReadRoster());
  ASSIGN_OR_RETURN(blobs_, transport::BlobStore::Open(options_.state / "blobs"));
  ASSIGN_OR_RETURN(files_, JobFiles::Open(options_.state / "pins"));
  ASSIGN_OR_RETURN(audit_, AuditTrail::Open(options_.state, options_.kit));
  RemoveSnapshots(options_.state);
  intake_ = std::make_unique<ModelIntake>(blobs_.get());
  JobTable::Hands hands{.loop = &loop_,
                        .workers = &workers_,
                        .blobs = blobs_.get(),
                        .access = &access_,
                        .signing_keys = &signing_keys_,
                        .audit = audit_.get()};
  hands.send = [this](const SiteName& site, wire::CoordinatorMessage message) { Send(site, std::move(message)); };
  hands.disconnect = [this](const SiteName& site, const std::string& reason) {
    Close(site, {StatusCode::kUnavailable, reason});
  };
  hands.traffic = [this](const SiteName& site) {
    return transport_ ? transport_->TrafficOf(site) : transport::Traffic();
  };
  hands.finished = [this](const JobId&) { OnJobFinished(); };
  hands.stopped = [this](const JobId& job, const Status& status) { OnJobStopped(job, status); };
  hands.also_keep = [this] { return intake_->Announced(); };
  table_ = std::make_unique<JobTable>(JobTable::Options{options_.state, options_.jobs_max}, std::move(hands));
  RETURN_IF_ERROR(table_->Load());
  RETURN_IF_ERROR(OpenLocalJob());
  table_->Start();
  OnJobFinished();  // may have been before this start
  return Status();
}

Status Coordinator::OpenLocalJob() {
  if (options_.job_file.empty()) {
    if (options_.when_done == WhenDone::kExit && table_->jobs().empty())
      return InvalidArgument(options_.state.string(),
                             " holds no job yet, so there is none to end with; start one with ",
                             "--job JOB.yaml --initial-model FILE, or leave --exit-when-done away");
    return Status();
  }
  const auto there = [this](const JobId& job) -> const Submission* {
    const JobEntry* entry = table_->Find(job);
    return entry == nullptr ? nullptr : &entry->submission;
  };
  ASSIGN_OR_RETURN(Submission submission, SubmissionFromFiles({.job_file = options_.job_file,
                                                               .initial_model = options_.initial_model,
                                                               .roster = options_.kit.sites},
                                                              there, blobs_.get()));
  watched_ = submission.job;
  return Annotate(table_->Add(std::move(submission)).status(), options_.job_file.string());
}

Status Coordinator::Listen() {
  desk_ = std::make_unique<OperatorDesk>(OperatorDesk::Options{.state = options_.state,
                                                               .coordinator = options_.kit.self.name,
                                                               .roster = options_.kit.sites,
                                                               .quota_bytes = options_.quota_bytes},
                                         &loop_, &readers_, blobs_.get(), intake_.get(), files_.get(), table_.get());
  ASSIGN_OR_RETURN(
      door_, LocalDoor::Open(options_.state, &loop_, [this](const Json& request) { return AnswerLocally(request); }));
  transport::GrpcServerOptions server = transport::ServerOptionsFrom(options_.kit);
  if (!options_.listen_address.empty()) server.address = options_.listen_address;
  if (options_.listen_port >= 0) server.port = options_.listen_port;
  server.revoked = options_.revoked;
  server.blobs = blobs_.get();
  server.operators = desk_.get();
  const std::string address = server.address;
  const auto listen = options_.listen ? options_.listen : transport::StartGrpcServer;
  ASSIGN_OR_RETURN(transport_, listen(std::move(server), this));
  Log(LogLevel::kInfo, "listening",
      {{"address", address}, {"port", transport_->port()}, {"jobs", table_->jobs().size()}});
  return WriteJson(
      options_.state / "endpoint.json",
      {{"host", address}, {"port", transport_->port()}, {"coordinator", options_.kit.self.name}, {"pid", ::getpid()}});
}

void Coordinator::HandleSignals() {
  signals_.async_wait([this](const boost::system::error_code& error, int number) {
    if (error) return;
    Log(LogLevel::kInfo, "stopping", {{"signal", number}});
    Stop(finished_ ? outcome_
                   : Preempted("stopped by signal ", number,
                               "; the jobs go on when the coordinator is started again "
                               "with --state ",
                               options_.state.string()));
  });
}

// --- from transport threads

// How many messages of the site wait, this one included.
std::size_t Coordinator::TakeBacklogPlace(const SiteName& site) {
  const std::lock_guard lock(backlog_mutex_);
  return ++backlog_[site];
}

void Coordinator::FreeBacklogPlace(const SiteName& site) {
  const std::lock_guard lock(backlog_mutex_);
  --backlog_[site];
}

void Coordinator::OnConnect(const SiteName& site, SessionId session, const wire::Hello& hello) {
  boost::asio::post(loop_, [this, site, session, capability = hello.capability] {
    sessions_[site] = session;
    table_->SiteConnected(site, capability);
  });
}

void Coordinator::OnMessage(const SiteName& site, SessionId session, wire::SiteMessage message) {
  const std::size_t waiting = TakeBacklogPlace(site);
  if (waiting > kBacklogMax + 1) return FreeBacklogPlace(site);  // the session is being closed
  boost::asio::post(loop_, [this, site, session, waiting, message = std::move(message)]() mutable {
    FreeBacklogPlace(site);
    const auto current = sessions_.find(site);
    if (current == sessions_.end() || current->second != session) return;  // said by an older connection
    if (waiting <= kBacklogMax) return table_->Heard(site, std::move(message));
    Close(site, {StatusCode::kResourceExhausted, "messages came faster than they could be read"});
  });
}

void Coordinator::OnDisconnect(const SiteName& site, SessionId session, const Status& reason) {
  boost::asio::post(loop_, [this, site, session, reason] {
    const auto current = sessions_.find(site);
    if (current == sessions_.end() || current->second != session) return;
    sessions_.erase(current);
    table_->SiteDisconnected(site, reason);
    LeaveIfAllWereTold();
  });
}

// --- on the strand

void Coordinator::Send(const SiteName& site, wire::CoordinatorMessage message) {
  const auto session = sessions_.find(site);
  if (session != sessions_.end() && transport_) transport_->Send(session->second, std::move(message));
}

void Coordinator::Close(const SiteName& site, wire::Refusal refusal) {
  const auto session = sessions_.find(site);
  if (session != sessions_.end() && transport_) transport_->Close(session->second, std::move(refusal));
}

// Ends the process once all that it was started for is over.
void Coordinator::OnJobFinished() {
  if (finished_ || options_.when_done == WhenDone::kStay) return;
  Status outcome;
  for (const auto& [job, entry] : table_->jobs()) {
    if (!IsAwaited(job)) continue;
    if (entry.stand != Stand::kFinished) return;
    if (outcome.ok() && entry.outcome.code != StatusCode::kOk)
      outcome = Status(entry.outcome.code, entry.outcome.message);
  }
  finished_ = true;
  outcome_ = std::move(outcome);
  linger_.expires_after(kLinger);
  linger_.async_wait([this](const boost::system::error_code& error) {
    if (!error) Stop(outcome_);
  });
  LeaveIfAllWereTold();
}

// A person who started the coordinator for one job wants to know when that cannot begin, or go on.
void Coordinator::OnJobStopped(const JobId& job, const Status& status) {
  const bool cannot_begin = !transport_ && watched_ == job;
  if (cannot_begin || (options_.when_done == WhenDone::kExit && IsAwaited(job))) Stop(status);
}

// With every site told and gone there is nobody to wait for.
void Coordinator::LeaveIfAllWereTold() {
  if (!finished_ || options_.when_done == WhenDone::kStay) return;
  for (const auto& [job, entry] : table_->jobs())
    if (IsAwaited(job) && !table_->AllToldAndGone(job)) return;
  Stop(outcome_);
}

void Coordinator::Stop(Status status) {
  if (stopped_) return;
  stopped_ = true;
  outcome_ = std::move(status);
  loop_.stop();
}

// {"ask": "snapshot"} -> {"snapshot": FOLDER}
StatusOr<Json> Coordinator::AnswerLocally(const Json& request) {
  if (request.value("ask", "") != "snapshot") return InvalidArgument("known questions: snapshot");
  ASSIGN_OR_RETURN(const std::filesystem::path snapshot, TakeSnapshot(options_.state, table_->jobs(), *blobs_));
  return Json{{"snapshot", snapshot.string()}};
}

}  // namespace

Status RunCoordinator(const CoordinatorOptions& options) { return Coordinator(options).Run(); }

}  // namespace consilium::coordinator
