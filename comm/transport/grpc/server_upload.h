// A site uploads a blob: an offer that must be allowed, then chunks that must be the offered ones.  Nothing is stored
// before the offer is allowed; verified chunks stay for the next try when the stream breaks.
#pragma once

#include "comm/transport/grpc/server_state.h"
#include "federation.grpc.pb.h"

namespace consilium::transport {

class ServerUpload final : public grpc::ServerReadReactor<v1::UploadPart>,
                           public LiveCall,
                           public std::enable_shared_from_this<ServerUpload> {
 public:
  static grpc::ServerReadReactor<v1::UploadPart>* Start(ServerState* state, grpc::CallbackServerContext* context);

  // Another stream of the site goes on with this blob: lets go of the file, waiting for the chunk in hand.
  void Release();

  void CheckDeadlines(Instant now) override;
  void EndForShutdown() override { CancelCall(); }

 private:
  ServerUpload(ServerState* state, grpc::CallbackServerContext* context);
  void OnReadDone(bool ok) override;
  void OnDone() override;

  void HandleNext();
  Status Handle(const v1::UploadPart& part);
  Status TakeOffer(const std::string& bytes);
  Status TakePiece(const v1::Piece& piece);
  Status FinishIfComplete();
  void End(const Status& status);
  void CancelCall();

  ServerState* const state_;
  SiteSlot* site_ = nullptr;  // null: not admitted, or over its limit
  std::atomic<Instant> last_progress_;
  v1::UploadPart part_;  // being read
  wire::UploadOffer offer_;
  bool offered_ = false, complete_ = false;

  // Read, and not dealt with: `next_part_` when `has_next_`, and behind it `part_` when `waiting_`: then nothing more
  // is read.  `handling_`: a job is queued or runs.
  std::mutex parts_mutex_;
  v1::UploadPart next_part_, current_part_;  // the three swap, so that their buffers are allocated once
  bool has_next_ = false, waiting_ = false, handling_ = false, broken_off_ = false;

  std::mutex receiver_mutex_;
  std::unique_ptr<BlobStore::Receiver> receiver_;  // null before the offer, and after Release

  std::mutex context_mutex_;
  grpc::CallbackServerContext* context_;  // null from OnDone on
  std::shared_ptr<ServerUpload> self_;    // until OnDone
};

// What the coordinator has of an offered blob already.
class ServerUploadStatus final : public grpc::ServerUnaryReactor,
                                 public LiveCall,
                                 public std::enable_shared_from_this<ServerUploadStatus> {
 public:
  static grpc::ServerUnaryReactor* Start(ServerState* state, grpc::CallbackServerContext* context,
                                         const v1::UploadStatusRequest* request, v1::UploadStatusReply* reply);

  // Short by nature: reads what is there, and ends.
  void CheckDeadlines(Instant) override {}
  void EndForShutdown() override {}

 private:
  explicit ServerUploadStatus(ServerState* state) : state_(state) {}
  void OnDone() override;
  Status Answer(const std::string& offer, v1::UploadStatusReply* reply);

  ServerState* const state_;
  SiteSlot* site_ = nullptr;                  // null: not admitted, or over its limit
  std::shared_ptr<ServerUploadStatus> self_;  // until OnDone
};

}  // namespace consilium::transport
