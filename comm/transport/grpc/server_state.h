// What the calls of one server share: the roster with each site's live session and transfers, timeouts, worker threads.
#pragma once

#include <grpcpp/server_context.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <unordered_map>

#include "comm/transport/grpc/grpc_server.h"
#include "comm/transport/grpc/log_limiter.h"
#include "comm/transport/grpc/work_queue.h"
#include "comm/wire/upload.h"

namespace consilium::transport {

class ServerSession;
class ServerUpload;

// A call in progress, as the timeouts see it.
class LiveCall {
 public:
  virtual ~LiveCall() = default;
  // Called about twice a second: cancels itself when a deadline has passed.
  virtual void CheckDeadlines(Instant now) = 0;
  // The server stops: end soon.
  virtual void EndForShutdown() = 0;
};

// One site of the roster.
struct SiteSlot {
  explicit SiteSlot(SiteName name) : name(std::move(name)) {}
  const SiteName name;
  std::mutex mutex;  // held while `events` hears of this site: its calls are in order and never concurrent
  std::shared_ptr<ServerSession> current;
  std::atomic<std::size_t> streams{0};    // control streams, with those that were replaced but have not ended
  std::atomic<std::size_t> transfers{0};  // fetches and uploads
  std::atomic<std::uint32_t> minor{wire::kProtocolMinor};  // of the protocol that its last session spoke
  TrafficMeter traffic;
};

// Thread-safe.  Lock order: a slot's mutex, then a session's or this one's.
class ServerState {
 public:
  ServerState(GrpcServerOptions options, PeerName self, CoordinatorEvents* events);
  ~ServerState();

  const GrpcServerOptions& options() const { return options_; }
  const PeerName& self() const { return self_; }
  const std::map<std::string, std::string>& revoked() const { return options_.revoked; }
  CoordinatorEvents* events() const { return events_; }
  WorkQueue& work() { return work_; }
  SessionId NextSessionId() { return SessionId{++last_session_id_}; }

  // The site that the call's certificate names, when it is of this project, a site, and on the roster.  Errors are
  // logged here, and meant for the peer too.
  StatusOr<SiteSlot*> Admit(const grpc::CallbackServerContext& context);
  // Decodes an offer and holds it against the size limit and the coordinator's permission.
  StatusOr<wire::UploadOffer> CheckOffer(const SiteSlot& site, const std::string& bytes);
  Traffic TrafficOf(const SiteName& site) const;
  // Counts one more transfer of the site; ResourceExhausted when it has too many.
  Status BeginTransfer(SiteSlot* site);
  void EndTransfer(SiteSlot* site) { --site->transfers; }
  // A refusal or failure that a person should see, with the peer's address.
  void LogRefused(std::string_view event, const grpc::CallbackServerContext& context, const std::string& who,
                  const Status& reason);

  // Live calls; a call is in the set from its start to its end.
  void AddCall(const std::shared_ptr<LiveCall>& call);
  void RemoveCall(const std::shared_ptr<LiveCall>& call);
  void AddSession(SessionId id, const std::shared_ptr<ServerSession>& session);
  void RemoveSession(SessionId id);
  std::shared_ptr<ServerSession> FindSession(SessionId id);

  // The upload that receives a blob now, if any.  `mine` replaces an older one of the same site, whose file is
  // released.
  void TakeOverUpload(const SiteName& site, const Digest& digest, const std::shared_ptr<ServerUpload>& mine);
  void ForgetUpload(const Digest& digest, const ServerUpload* upload);

  bool stopping() const { return stopping_; }
  // Ends all calls, now and later.
  void BeginShutdown();
  void AwaitNoCalls();

 private:
  void Tick();
  std::vector<std::shared_ptr<LiveCall>> Calls();

  const GrpcServerOptions options_;
  const PeerName self_;
  CoordinatorEvents* const events_;
  std::map<SiteName, std::unique_ptr<SiteSlot>> slots_;
  LogLimiter refusals_;
  std::atomic<std::uint64_t> last_session_id_{0};
  std::atomic<bool> stopping_{false};

  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::shared_ptr<LiveCall>> calls_;
  std::unordered_map<std::uint64_t, std::shared_ptr<ServerSession>> sessions_;
  struct ActiveUpload {
    SiteName site;
    std::shared_ptr<ServerUpload> upload;
  };
  std::map<Digest, ActiveUpload> uploads_;
  bool ticker_stops_ = false;
  std::thread ticker_;
  WorkQueue work_;  // last: its jobs use everything above
};

}  // namespace consilium::transport
