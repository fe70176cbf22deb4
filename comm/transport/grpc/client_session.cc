#include "comm/transport/grpc/client_session.h"

#include "comm/transport/grpc/status_codes.h"

namespace consilium::transport {

ClientSession::ClientSession(v1::Federation::Stub* stub, SiteEvents* events, std::size_t queued_messages_max)
    : stub_(stub), events_(events), queued_messages_max_(queued_messages_max) {}

void ClientSession::Start(const wire::Hello& hello, Duration answer_timeout) {
  {
    const std::lock_guard lock(mutex_);
    started_ = alarm_pending_ = true;
  }
  answer_alarm_.Set(
      std::chrono::system_clock::now() + std::chrono::duration_cast<std::chrono::milliseconds>(answer_timeout),
      [this](bool fired) { OnAnswerTimeout(fired); });
  stub_->async()->Session(&context_, this);
  AddHold();  // for the writes that begin outside of callbacks
  StartRead(&incoming_);
  Send(hello);
  StartCall();
}

// Also called, with `fired` false, when the alarm is cancelled.
void ClientSession::OnAnswerTimeout(bool fired) {
  if (fired) EndWith(Unavailable("the coordinator accepted the connection but did not answer Hello"));
  const std::lock_guard lock(mutex_);
  alarm_pending_ = false;
  changed_.notify_all();
}

void ClientSession::Send(const wire::SiteMessage& message) {
  Bytes bytes = wire::Encode(message, minor_);
  bool full = false;
  {
    const std::lock_guard lock(mutex_);
    if (reading_ended_ || reason_) return;
    full = queue_.size() >= queued_messages_max_;
    if (!full) queue_.push_back(std::move(bytes));
  }
  if (!full) return WriteNext();
  EndWith(Unavailable("the coordinator does not read: ", queued_messages_max_, " messages wait for it"));
}

void ClientSession::WriteNext() {
  {
    const std::lock_guard lock(mutex_);
    if (writing_ || reading_ended_ || queue_.empty()) return;
    outgoing_.set_body(queue_.front().data(), queue_.front().size());
    queue_.pop_front();
    writing_ = true;  // from here to OnWriteDone the hold stays
  }
  StartWrite(&outgoing_);
}

void ClientSession::OnWriteDone(bool ok) {
  bool release = false;
  {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    if (!ok) queue_.clear();  // the stream is broken; reading ends too
    release = MayRelease();
  }
  if (release) {
    RemoveHold();
  } else {
    WriteNext();
  }
}

void ClientSession::OnReadDone(bool ok) {
  if (!ok) {
    bool release = false;
    {
      const std::lock_guard lock(mutex_);
      reading_ended_ = true;
      release = MayRelease();
    }
    if (release) RemoveHold();
    return;
  }
  answer_alarm_.Cancel();
  StatusOr<wire::CoordinatorMessage> message = wire::DecodeCoordinatorMessage(AsBytes(incoming_.body()), minor_);
  if (message.ok()) {
    if (const auto* welcome = std::get_if<wire::Welcome>(&*message))
      minor_ = wire::CommonMinor(welcome->protocol_minor);
    if (const auto* refusal = std::get_if<wire::Refusal>(&*message)) {
      const std::lock_guard lock(mutex_);
      const StatusCode code = refusal->code == StatusCode::kOk ? StatusCode::kPermissionDenied : refusal->code;
      if (!reason_) reason_ = Status(code, "the coordinator refused: " + refusal->message);
    }
    events_->OnMessage(std::move(message).value());
  } else {
    EndWith(Annotate(message.status(), "a message of the coordinator could not be read"));
  }
  StartRead(&incoming_);
}

bool ClientSession::MayRelease() {
  if (!reading_ended_ || writing_ || released_) return false;
  return released_ = true;
}

void ClientSession::EndWith(Status reason) {
  {
    const std::lock_guard lock(mutex_);
    if (!reason_) reason_ = std::move(reason);
  }
  context_.TryCancel();
}

Status ClientSession::DisconnectReason(const grpc::Status& status) {
  {
    const std::lock_guard lock(mutex_);
    if (reason_) return *reason_;
  }
  const Status converted = FromGrpcStatus(status);
  if (IsFromPeer(status)) return converted;
  if (converted.ok()) return Unavailable("the coordinator ended the session");
  // Cancelled, but not by us: the stream was reset on the way.
  if (converted.code() == StatusCode::kCancelled || converted.code() == StatusCode::kUnavailable)
    return Unavailable("the connection to the coordinator was lost: ", converted.message());
  return converted;
}

void ClientSession::OnDone(const grpc::Status& status) {
  answer_alarm_.Cancel();
  events_->OnDisconnect(DisconnectReason(status));
  const std::lock_guard lock(mutex_);
  done_ = true;
  changed_.notify_all();
}

void ClientSession::Close() {
  {
    const std::lock_guard lock(mutex_);
    if (!started_) return;
  }
  EndWith(Cancelled("the session was closed here"));
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return done_ && !alarm_pending_; });
}

}  // namespace consilium::transport
