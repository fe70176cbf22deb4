#include "coordinator/service/coordinator_shell.h"

#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <mutex>
#include <set>

#include "comm/base/folder_lock.h"
#include "comm/base/json.h"
#include "comm/base/log.h"
#include "comm/transport/grpc/grpc_server.h"
#include "coordinator/service/job_opening.h"

namespace consilium::coordinator {
namespace {

// Sites that are not connected when the job ends come back within their longest pause (10 s) and want to know.
constexpr auto kLinger = std::chrono::seconds(12);
// Messages of one site that wait for the strand; honest sites say a few a second.
constexpr std::size_t kBacklogMax = 256;

class Coordinator final : public transport::CoordinatorEvents {
 public:
  explicit Coordinator(const CoordinatorOptions& options)
      : options_(options), workers_(1), signals_(loop_, SIGINT, SIGTERM), linger_(loop_) {}

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
  Status Listen();
  void HandleSignals();
  void Send(const SiteName& site, wire::CoordinatorMessage message);
  void OnJobFinished();
  void LeaveIfAllWereTold();
  void Stop(Status status);
  std::size_t TakeBacklogPlace(const SiteName& site);
  void FreeBacklogPlace(const SiteName& site);

  CoordinatorOptions options_;
  boost::asio::io_context loop_;
  boost::asio::thread_pool workers_;
  boost::asio::signal_set signals_;
  boost::asio::steady_timer linger_;
  AccessTable access_;
  std::unique_ptr<transport::BlobStore> blobs_;
  std::unique_ptr<JobRunner> runner_;
  std::unique_ptr<transport::CoordinatorTransport> transport_;

  std::map<SiteName, SessionId> sessions_;
  std::set<SiteName> told_;  // that the job is over
  bool finished_ = false;
  Status outcome_;

  std::mutex backlog_mutex_;
  std::map<SiteName, std::size_t> backlog_;
};

Status Coordinator::Run() {
  ASSIGN_OR_RETURN(const FolderLock lock, FolderLock::Acquire(options_.state));
  HandleSignals();
  Status status = Open();
  if (status.ok()) status = Listen();
  if (status.ok()) {
    loop_.run();
    status = outcome_;
  }
  // In this order: no callback comes any more, then no worker posts any more, then the runner goes.
  if (transport_) transport_->Shutdown();
  workers_.stop();
  workers_.join();
  if (runner_) runner_->WriteStatus();
  return status;
}

Status Coordinator::Open() {
  ASSIGN_OR_RETURN(blobs_, transport::BlobStore::Open(options_.state / "blobs"));
  RunnerServices services{.loop = &loop_, .workers = &workers_, .blobs = blobs_.get(), .access = &access_};
  services.send = [this](const SiteName& site, wire::CoordinatorMessage message) { Send(site, std::move(message)); };
  services.disconnect = [this](const SiteName& site, const std::string& reason) {
    const auto session = sessions_.find(site);
    if (session != sessions_.end() && transport_)
      transport_->Close(session->second, {StatusCode::kUnavailable, reason});
  };
  services.die = [this](const Status& status) { Stop(status); };
  services.finished = [this] { OnJobFinished(); };
  ASSIGN_OR_RETURN(runner_, OpenJob({.state = options_.state,
                                     .job_file = options_.job_file,
                                     .initial_model = options_.initial_model,
                                     .roster = options_.kit.sites},
                                    std::move(services)));
  // A new job's model was imported just now, but is part of its state only once it has started.
  if (runner_->state().phase() != Phase::kNew) RETURN_IF_ERROR(blobs_->RetainOnly(runner_->LiveBlobs()));
  runner_->Start();
  return outcome_;  // a journal that could not be written
}

Status Coordinator::Listen() {
  transport::GrpcServerOptions server = transport::ServerOptionsFrom(options_.kit);
  if (!options_.listen_address.empty()) server.address = options_.listen_address;
  if (options_.listen_port >= 0) server.port = options_.listen_port;
  server.blobs = blobs_.get();
  const std::string address = server.address;
  ASSIGN_OR_RETURN(transport_, transport::StartGrpcServer(std::move(server), this));
  Log(LogLevel::kInfo, "listening",
      {{"address", address}, {"port", transport_->port()}, {"job", runner_->state().opened().job}});
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
                               "; the job goes on when the coordinator is started again "
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
    runner_->Connected(site, capability);
  });
}

void Coordinator::OnMessage(const SiteName& site, SessionId session, wire::SiteMessage message) {
  const std::size_t waiting = TakeBacklogPlace(site);
  if (waiting > kBacklogMax + 1) return FreeBacklogPlace(site);  // the session is being closed
  boost::asio::post(loop_, [this, site, session, waiting, message = std::move(message)]() mutable {
    FreeBacklogPlace(site);
    const auto current = sessions_.find(site);
    if (current == sessions_.end() || current->second != session) return;  // said by an older connection
    if (waiting <= kBacklogMax) return runner_->Heard(site, std::move(message));
    transport_->Close(session, {StatusCode::kResourceExhausted, "messages came faster than they could be read"});
  });
}

void Coordinator::OnDisconnect(const SiteName& site, SessionId session, const Status& reason) {
  boost::asio::post(loop_, [this, site, session, reason] {
    const auto current = sessions_.find(site);
    if (current == sessions_.end() || current->second != session) return;
    sessions_.erase(current);
    runner_->Disconnected(site, reason);
    LeaveIfAllWereTold();
  });
}

// --- on the strand

void Coordinator::Send(const SiteName& site, wire::CoordinatorMessage message) {
  if (std::holds_alternative<wire::JobEnded>(message)) told_.insert(site);
  const auto session = sessions_.find(site);
  if (session != sessions_.end() && transport_) transport_->Send(session->second, std::move(message));
}

void Coordinator::OnJobFinished() {
  if (finished_) return;
  finished_ = true;
  const JobFinished& end = runner_->state().outcome();
  if (options_.when_done == WhenDone::kStay) return;
  if (end.code != StatusCode::kOk) outcome_ = Status(end.code, end.message);
  linger_.expires_after(kLinger);
  linger_.async_wait([this](const boost::system::error_code& error) {
    if (!error) Stop(outcome_);
  });
  LeaveIfAllWereTold();
}

// With every site told and gone there is nobody to wait for.
void Coordinator::LeaveIfAllWereTold() {
  if (!finished_ || options_.when_done == WhenDone::kStay) return;
  for (const SiteName& site : runner_->state().opened().sites)
    if (!told_.contains(site) || sessions_.contains(site)) return;
  Stop(outcome_);
}

void Coordinator::Stop(Status status) {
  outcome_ = std::move(status);
  loop_.stop();
}

}  // namespace

Status RunCoordinator(const CoordinatorOptions& options) { return Coordinator(options).Run(); }

}  // namespace consilium::coordinator
