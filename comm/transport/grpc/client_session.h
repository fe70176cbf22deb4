// The control stream on the site's side.
#pragma once

#include <grpcpp/alarm.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>

#include "comm/base/time.h"
#include "comm/transport/transport.h"
#include "federation.grpc.pb.h"

namespace consilium::transport {

class ClientSession final : public grpc::ClientBidiReactor<v1::Envelope, v1::Envelope> {
 public:
  // `events` and `stub` outlive it.
  ClientSession(v1::Federation::Stub* stub, SiteEvents* events, std::size_t queued_messages_max);
  ~ClientSession() override { Close(); }

  // Once.  A coordinator that does not answer Hello within `answer_timeout` is given up.
  void Start(const wire::Hello& hello, Duration answer_timeout);
  void Send(const wire::SiteMessage& message);
  // Waits for the last callback.
  void Close();
  std::uint32_t minor() const { return minor_; }  // of the protocol; the first one's until Welcome

 private:
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

  void OnAnswerTimeout(bool fired);
  void EndWith(Status reason);
  void WriteNext();
  bool MayRelease();  // the lock is held; true once
  Status DisconnectReason(const grpc::Status& status);

  v1::Federation::Stub* const stub_;
  SiteEvents* const events_;
  const std::size_t queued_messages_max_;
  grpc::ClientContext context_;
  grpc::Alarm answer_alarm_;
  v1::Envelope incoming_, outgoing_;

  std::atomic<std::uint32_t> minor_{0};

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Bytes> queue_;
  std::optional<Status> reason_;  // that we have for the end; otherwise gRPC's
  bool started_ = false, writing_ = false, reading_ended_ = false, released_ = false, done_ = false;
  bool alarm_pending_ = false;
};

}  // namespace consilium::transport
