// A site fetches a blob: chunks are read one at a time, each when the one before it is on its way.
#pragma once

#include "comm/transport/grpc/server_state.h"
#include "federation.grpc.pb.h"

namespace consilium::transport {

class ServerFetch final : public grpc::ServerWriteReactor<v1::Chunk>,
                          public LiveCall,
                          public std::enable_shared_from_this<ServerFetch> {
 public:
  static grpc::ServerWriteReactor<v1::Chunk>* Start(ServerState* state, grpc::CallbackServerContext* context,
                                                    const v1::FetchRequest* request);

  void CheckDeadlines(Instant now) override;
  void EndForShutdown() override { CancelCall(); }

 private:
  ServerFetch(ServerState* state, grpc::CallbackServerContext* context);
  void OnWriteDone(bool ok) override;
  void OnDone() override;

  Status Open(const Digest& digest, std::uint32_t first_chunk);
  void SendNext();
  StatusOr<bool> ReadChunk();  // into chunk_; false at the end
  void End(const Status& status);
  void CancelCall();

  ServerState* const state_;
  SiteSlot* site_ = nullptr;  // null: not admitted, or over its limit
  std::atomic<Instant> last_progress_;
  int file_ = -1;
  std::uint64_t bytes_ = 0;
  std::uint32_t next_chunk_ = 0;
  v1::Chunk chunk_;

  std::mutex context_mutex_;
  grpc::CallbackServerContext* context_;  // null from OnDone on
  std::shared_ptr<ServerFetch> self_;     // until OnDone
};

}  // namespace consilium::transport
