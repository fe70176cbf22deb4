#include "comm/transport/grpc/server_session.h"

#include "comm/transport/grpc/status_codes.h"

namespace consilium::transport {
namespace {

// For the last message and the status to reach a slow peer.
constexpr std::chrono::seconds kLinger{5};
// Streams that a site may hold at once: the live one, and some that were cut but have not been noticed yet.
constexpr std::size_t kStreamsPerSiteMax = 8;

Status CheckVersion(const wire::Hello& hello) {
  if (hello.protocol_major == wire::kProtocolMajor) return Status();
  return FailedPrecondition("the site speaks protocol ", hello.protocol_major, ".", hello.protocol_minor,
                            hello.build.empty() ? "" : " (consilium " + hello.build + ")", ", the coordinator ",
                            wire::kProtocolMajor, ".", wire::kProtocolMinor, ": update the older one");
}

wire::Refusal RefusalFor(const Status& status) { return {status.code(), status.message()}; }

}  // namespace

ServerSession::ServerSession(ServerState* state, grpc::CallbackServerContext* context)
    : state_(state),
      id_(state->NextSessionId()),
      started_(SystemClock().Now()),
      last_heard_(started_),
      context_(context) {}

ServerSession::Reactor* ServerSession::Start(ServerState* state, grpc::CallbackServerContext* context) {
  const std::shared_ptr<ServerSession> session(new ServerSession(state, context));
  session->self_ = session;
  state->AddCall(session);
  const StatusOr<SiteSlot*> site = state->Admit(*context);
  if (!site.ok()) {
    session->Refuse(RefusalFor(site.status()));
  } else if (++(*site)->streams > kStreamsPerSiteMax) {
    --(*site)->streams;
    session->Refuse(
        RefusalFor(ResourceExhausted("the site has ", kStreamsPerSiteMax, " control streams open already")));
  } else {
    session->site_ = *site;
    session->StartRead(&session->incoming_);
  }
  return session.get();
}

void ServerSession::OnReadDone(bool ok) {
  if (!ok) return EndWith(Unavailable("the site's connection ended"));
  if (Ended()) return;
  last_heard_ = SystemClock().Now();
  StatusOr<wire::SiteMessage> message = wire::DecodeSiteMessage(AsBytes(incoming_.body()), minor_);
  if (message.ok()) {
    HandleMessage(std::move(message).value());
  } else {
    Refuse(RefusalFor(Annotate(message.status(), "a message could not be read")));
  }
  if (!Ended()) StartRead(&incoming_);
}

void ServerSession::HandleMessage(wire::SiteMessage message) {
  const auto* hello = std::get_if<wire::Hello>(&message);
  const bool is_first = !connected_;  // only this thread sets it
  if (is_first != (hello != nullptr))
    return Refuse(RefusalFor(
        FailedPrecondition("a session begins with Hello, and has only one; this was ", wire::MessageName(message))));
  if (hello != nullptr) {
    const Status version = CheckVersion(*hello);
    return version.ok() ? Open(*hello) : Refuse(RefusalFor(version));
  }
  const std::lock_guard lock(site_->mutex);
  if (!disconnected_) state_->events()->OnMessage(site_->name, id_, std::move(message));
}

void ServerSession::Open(const wire::Hello& hello) {
  const std::lock_guard lock(site_->mutex);
  if (Ended()) return;
  if (site_->current) site_->current->Replace();
  site_->current = shared_from_this();
  connected_ = true;
  minor_ = site_->minor = wire::CommonMinor(hello.protocol_minor);
  state_->AddSession(id_, shared_from_this());
  wire::Welcome welcome;
  welcome.coordinator = state_->self().name;
  welcome.heartbeat_interval_ms = static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(state_->options().heartbeat_interval).count());
  Send(welcome);
  state_->events()->OnConnect(site_->name, id_, hello);
}

void ServerSession::Replace() {
  Disconnect(Unavailable("replaced by a newer connection of the same site"));
  // After a cut this reaches nobody.  When two clients run with one kit, it stops the older one: if both came back
  // again and again, neither would get any work done.
  Refuse({StatusCode::kFailedPrecondition,
          Concat("another client connected with the certificate of '", site_->name.value(),
                 "': only one may run; stop the other, or leave this one stopped")});
}

void ServerSession::Disconnect(const Status& reason) {
  if (!connected_ || disconnected_) return;
  disconnected_ = true;
  state_->RemoveSession(id_);
  state_->events()->OnDisconnect(site_->name, id_, reason);
}

void ServerSession::Send(const wire::CoordinatorMessage& message) {
  Bytes bytes = wire::Encode(message, minor_);
  bool full = false;
  {
    const std::lock_guard lock(mutex_);
    if (reason_) return;
    full = queue_.size() >= state_->options().queued_messages_max;
    if (!full) queue_.push_back(std::move(bytes));
  }
  if (!full) return Pump();
  EndWith(
      ResourceExhausted("the site does not read: ", state_->options().queued_messages_max, " messages wait for it"));
  CancelCall();
}

void ServerSession::Refuse(wire::Refusal refusal) {
  const Status reason(refusal.code, refusal.message);
  {
    const std::lock_guard lock(mutex_);
    if (reason_) return;
    queue_.push_back(wire::Encode(wire::CoordinatorMessage(std::move(refusal))));
    reason_ = reason;
    ended_ = SystemClock().Now();
  }
  {
    const std::lock_guard lock(context_mutex_);
    if (context_ != nullptr && site_ != nullptr)
      state_->LogRefused("session_refused", *context_, site_->name.value(), reason);
  }
  Pump();
}

void ServerSession::EndWith(Status reason) {
  {
    const std::lock_guard lock(mutex_);
    if (!reason_) reason_ = std::move(reason), ended_ = SystemClock().Now();
  }
  Pump();
}

bool ServerSession::Ended() {
  const std::lock_guard lock(mutex_);
  return reason_.has_value();
}

Status ServerSession::Reason() {
  const std::lock_guard lock(mutex_);
  return reason_.value_or(Unavailable("the connection was lost"));
}

// Starts the next write, or the end when nothing is left to write.  Outside the lock, because gRPC may answer at once.
void ServerSession::Pump() {
  bool write = false;
  Status reason;
  {
    const std::lock_guard lock(mutex_);
    if (writing_ || finished_) return;
    if (!queue_.empty()) {
      outgoing_.set_body(queue_.front().data(), queue_.front().size());
      queue_.pop_front();
      writing_ = write = true;
    } else if (reason_) {
      finished_ = true;
      reason = *reason_;
    } else {
      return;
    }
  }
  if (write) {
    StartWrite(&outgoing_);
  } else {
    Finish(ToGrpcStatus(reason));
  }
}

void ServerSession::OnWriteDone(bool ok) {
  {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    if (!ok) {
      queue_.clear();
      if (!reason_) reason_ = Unavailable("the site's connection was lost"), ended_ = SystemClock().Now();
    }
  }
  Pump();
}

void ServerSession::CheckDeadlines(Instant now) {
  bool opened = false;
  {
    const std::lock_guard lock(mutex_);
    if (reason_) {
      if (now - ended_ < kLinger) return;
      opened = true;
    }
  }
  if (opened) return CancelCall();  // it had time to end by itself
  const GrpcServerOptions& options = state_->options();
  const bool greeted = state_->FindSession(id_) != nullptr;
  const Duration limit = greeted ? options.silence_timeout : options.hello_timeout;
  if (now - last_heard_.load() < limit) return;
  EndWith(DeadlineExceeded(greeted ? "nothing was heard from the site for " : "the site did not say Hello within ",
                           FormatDuration(limit)));
}

void ServerSession::EndForShutdown() { EndWith(Unavailable("the coordinator is shutting down")); }

void ServerSession::CancelCall() {
  const std::lock_guard lock(context_mutex_);
  if (context_ != nullptr) context_->TryCancel();
}

void ServerSession::OnDone() {
  {
    const std::lock_guard lock(context_mutex_);
    context_ = nullptr;
  }
  if (site_ != nullptr) {
    const std::lock_guard lock(site_->mutex);
    Disconnect(Reason());
    if (site_->current.get() == this) site_->current = nullptr;
    --site_->streams;
  }
  const std::shared_ptr<ServerSession> self = std::move(self_);
  state_->RemoveCall(self);
}

}  // namespace consilium::transport
