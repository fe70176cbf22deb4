// A site fetches a blob: a piece is read from disk while the one before it is on its way.
#pragma once

#include <optional>

#include "comm/transport/grpc/server_state.h"
#include "federation.grpc.pb.h"

namespace consilium::transport {

class ServerFetch final : public grpc::ServerWriteReactor<v1::Piece>,
                          public LiveCall,
                          public std::enable_shared_from_this<ServerFetch> {
 public:
  static grpc::ServerWriteReactor<v1::Piece>* Start(ServerState* state, grpc::CallbackServerContext* context,
                                                    const v1::FetchRequest* request);

  ~ServerFetch() override;

  void CheckDeadlines(Instant now) override;
  void EndForShutdown() override { CancelCall(); }

 private:
  ServerFetch(ServerState* state, grpc::CallbackServerContext* context);
  void OnWriteDone(bool ok) override;
  void OnDone() override;

  Status Open(const Digest& digest, std::uint32_t first_chunk);
  void ReadNext();
  StatusOr<bool> ReadPiece(v1::Piece* piece);  // false at the end
  // Writes the piece that is there, or ends, unless a write is under way.
  void Advance();
  void End(const Status& status);
  void CancelCall();

  ServerState* const state_;
  SiteSlot* site_ = nullptr;  // null: not admitted, or over its limit
  std::atomic<Instant> last_progress_;
  int file_ = -1;
  std::uint64_t bytes_ = 0, next_ = 0;  // of the blob; where the next piece begins

  std::mutex pieces_mutex_;
  v1::Piece pieces_[2];  // pieces_[spare_] is read while the other is written
  int spare_ = 0;
  bool read_ = false, writing_ = false;
  std::optional<Status> end_;  // after what was read

  std::mutex context_mutex_;
  grpc::CallbackServerContext* context_;  // null from OnDone on
  std::shared_ptr<ServerFetch> self_;     // until OnDone
};

}  // namespace consilium::transport
