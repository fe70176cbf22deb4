#include "comm/transport/grpc/server_state.h"

#include <algorithm>

#include "comm/base/log.h"
#include "comm/transport/grpc/peer_identity.h"
#include "comm/transport/grpc/server_session.h"
#include "comm/transport/grpc/server_upload.h"

namespace consilium::transport {
namespace {

constexpr std::chrono::milliseconds kTick{500};
constexpr std::size_t kWorkThreadsMax = 4;
constexpr int kRefusalsLoggedPerSecondMax = 10;

std::size_t WorkThreads() { return std::clamp<std::size_t>(std::thread::hardware_concurrency(), 2, kWorkThreadsMax); }

}  // namespace

ServerState::ServerState(GrpcServerOptions options, PeerName self, CoordinatorEvents* events)
    : options_(std::move(options)),
      self_(std::move(self)),
      events_(events),
      refusals_(kRefusalsLoggedPerSecondMax),
      work_(WorkThreads()) {
  for (const SiteName& site : options_.sites) slots_.emplace(site, std::make_unique<SiteSlot>(site));
  ticker_ = std::thread([this] { Tick(); });
}

ServerState::~ServerState() {
  {
    const std::lock_guard lock(mutex_);
    ticker_stops_ = true;
  }
  changed_.notify_all();
  ticker_.join();
}

StatusOr<SiteSlot*> ServerState::Admit(const grpc::CallbackServerContext& context) {
  const auto refuse = [&](const std::string& who, const Status& reason) {
    LogRefused("peer_refused", context, who, reason);
    return reason;
  };
  const StatusOr<PeerName> peer = PeerIdentity(*context.auth_context(), options_.revoked);
  if (!peer.ok()) return refuse("unknown", peer.status());
  const std::string uri = ToUri(*peer);
  if (peer->project != self_.project)
    return refuse(uri, PermissionDenied("the certificate is for project '", peer->project, "', this is project '",
                                        self_.project, "'"));
  if (peer->role != Role::kSite)
    return refuse(uri, PermissionDenied("the certificate is for the ", RoleName(peer->role), " '", peer->name,
                                        "'; only sites may connect here"));
  const auto slot = slots_.find(SiteName(peer->name));
  if (slot == slots_.end())
    return refuse(uri,
                  PermissionDenied("the site '", peer->name, "' of the certificate is not on the roster of project '",
                                   self_.project, "'; `consilium provision sign` puts one there"));
  return slot->second.get();
}

Traffic ServerState::TrafficOf(const SiteName& site) const {
  const auto slot = slots_.find(site);
  return slot == slots_.end() ? Traffic() : slot->second->traffic.Read();
}

StatusOr<wire::UploadOffer> ServerState::CheckOffer(const SiteSlot& site, const std::string& bytes) {
  ASSIGN_OR_RETURN(wire::UploadOffer offer, wire::DecodeUploadOffer(AsBytes(bytes), site.minor));
  if (offer.manifest.bytes > options_.blob_bytes_max)
    return ResourceExhausted("a blob of ", offer.manifest.bytes,
                             " bytes was announced; this coordinator accepts at most ", options_.blob_bytes_max);
  RETURN_IF_ERROR(events_->AuthorizeUpload(site.name, offer.task, offer.manifest));
  return offer;
}

Status ServerState::BeginTransfer(SiteSlot* site) {
  if (++site->transfers <= options_.transfers_per_site_max) return Status();
  --site->transfers;
  return ResourceExhausted("the site '", site->name, "' has ", options_.transfers_per_site_max,
                           " transfers open, which is the most that one site may have");
}

void ServerState::LogRefused(std::string_view event, const grpc::CallbackServerContext& context, const std::string& who,
                             const Status& reason) {
  std::uint64_t suppressed = 0;
  if (refusals_.Admit(who, &suppressed))
    Log(LogLevel::kWarning, event,
        {{"site", who}, {"peer", context.peer()}, {"reason", reason.ToString()}, {"suppressed", suppressed}});
}

void ServerState::AddCall(const std::shared_ptr<LiveCall>& call) {
  {
    const std::lock_guard lock(mutex_);
    calls_.insert(call);
  }
  if (stopping_) call->EndForShutdown();  // came between BeginShutdown and the server's own end
}

void ServerState::RemoveCall(const std::shared_ptr<LiveCall>& call) {
  const std::lock_guard lock(mutex_);
  calls_.erase(call);
  if (calls_.empty()) changed_.notify_all();
}

void ServerState::AddSession(SessionId id, const std::shared_ptr<ServerSession>& session) {
  const std::lock_guard lock(mutex_);
  sessions_[ToInt(id)] = session;
}

void ServerState::RemoveSession(SessionId id) {
  const std::lock_guard lock(mutex_);
  sessions_.erase(ToInt(id));
}

std::shared_ptr<ServerSession> ServerState::FindSession(SessionId id) {
  const std::lock_guard lock(mutex_);
  const auto found = sessions_.find(ToInt(id));
  return found == sessions_.end() ? nullptr : found->second;
}

void ServerState::TakeOverUpload(const SiteName& site, const Digest& digest,
                                 const std::shared_ptr<ServerUpload>& mine) {
  std::shared_ptr<ServerUpload> older;
  {
    const std::lock_guard lock(mutex_);
    const auto found = uploads_.find(digest);
    if (found != uploads_.end() && found->second.site != site) return;  // BlobStore::Receive will say that it is busy
    if (found != uploads_.end()) older = std::move(found->second.upload), uploads_.erase(found);
    if (mine) uploads_[digest] = {site, mine};
  }
  if (older) older->Release();
}

void ServerState::ForgetUpload(const Digest& digest, const ServerUpload* upload) {
  const std::lock_guard lock(mutex_);
  const auto found = uploads_.find(digest);
  if (found != uploads_.end() && found->second.upload.get() == upload) uploads_.erase(found);
}

std::vector<std::shared_ptr<LiveCall>> ServerState::Calls() {
  const std::lock_guard lock(mutex_);
  return {calls_.begin(), calls_.end()};
}

void ServerState::BeginShutdown() {
  stopping_ = true;
  for (const std::shared_ptr<LiveCall>& call : Calls()) call->EndForShutdown();
}

void ServerState::AwaitNoCalls() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return calls_.empty(); });
}

void ServerState::Tick() {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, kTick, [this] { return ticker_stops_; })) {
    lock.unlock();
    for (const std::shared_ptr<LiveCall>& call : Calls()) call->CheckDeadlines(SystemClock().Now());
    lock.lock();
  }
}

}  // namespace consilium::transport
