// One site's control stream, on the coordinator's side.
//
// Life: Start -> Hello read -> (refused | opened, which tells the events) -> messages both ways -> ended by either
// side, a timeout or a newer stream of the site -> OnDone, which tells the events.  Writes are queued and go out one at
// a time.
#pragma once

#include <deque>
#include <optional>

#include "comm/transport/grpc/server_state.h"
#include "federation.grpc.pb.h"

namespace consilium::transport {

class ServerSession final : public grpc::ServerBidiReactor<v1::Envelope, v1::Envelope>,
                            public LiveCall,
                            public std::enable_shared_from_this<ServerSession> {
 public:
  using Reactor = grpc::ServerBidiReactor<v1::Envelope, v1::Envelope>;
  // gRPC drives what is returned; it keeps itself alive until OnDone.
  static Reactor* Start(ServerState* state, grpc::CallbackServerContext* context);

  // A queue that is full ends the session.
  void Send(const wire::CoordinatorMessage& message);
  // The last message, then the end.
  void Refuse(wire::Refusal refusal);

  void CheckDeadlines(Instant now) override;
  void EndForShutdown() override;

 private:
  ServerSession(ServerState* state, grpc::CallbackServerContext* context);
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone() override;

  void HandleMessage(wire::SiteMessage message);
  void Open(const wire::Hello& hello);
  void Replace();                         // a newer stream of the site takes over; its slot is locked
  void Disconnect(const Status& reason);  // tells the events once; the slot is locked
  void EndWith(Status reason);            // the first reason stays
  bool Ended();
  Status Reason();
  void Pump();
  void CancelCall();

  ServerState* const state_;
  SiteSlot* site_ = nullptr;  // of the roster; null: not admitted
  const SessionId id_;
  const Instant started_;
  std::atomic<Instant> last_heard_;
  std::atomic<std::uint32_t> minor_{wire::kProtocolMinor};  // of the protocol, agreed by Hello
  v1::Envelope incoming_, outgoing_;
  bool connected_ = false, disconnected_ = false;  // what the events know; guarded by the slot

  std::mutex mutex_;
  std::deque<Bytes> queue_;
  bool writing_ = false, finished_ = false;
  std::optional<Status> reason_;
  Instant ended_{};

  std::mutex context_mutex_;
  grpc::CallbackServerContext* context_;  // null from OnDone on
  std::shared_ptr<ServerSession> self_;   // until OnDone
};

}  // namespace consilium::transport
