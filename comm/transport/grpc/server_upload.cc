#include "comm/transport/grpc/server_upload.h"

#include <utility>

#include "comm/transport/grpc/pieces.h"
#include "comm/transport/grpc/status_codes.h"

namespace consilium::transport {

ServerUpload::ServerUpload(ServerState* state, grpc::CallbackServerContext* context)
    : state_(state), last_progress_(SystemClock().Now()), context_(context) {}

grpc::ServerReadReactor<v1::UploadPart>* ServerUpload::Start(ServerState* state, grpc::CallbackServerContext* context) {
  const std::shared_ptr<ServerUpload> upload(new ServerUpload(state, context));
  upload->self_ = upload;
  state->AddCall(upload);
  const StatusOr<SiteSlot*> site = state->Admit(*context);
  const Status status = site.ok() ? state->BeginTransfer(*site) : site.status();
  if (status.ok()) {
    upload->site_ = *site;
    upload->StartRead(&upload->part_);
  } else {
    upload->End(status);
  }
  return upload.get();
}

void ServerUpload::OnReadDone(bool ok) {
  last_progress_ = SystemClock().Now();
  bool read_on = false, handled = false;
  {
    const std::lock_guard lock(parts_mutex_);
    broken_off_ = !ok;
    waiting_ = ok && has_next_;
    read_on = ok && !has_next_;
    if (read_on) next_part_.Swap(&part_), has_next_ = true;
    handled = std::exchange(handling_, true);
  }
  if (read_on) StartRead(&part_);
  if (!handled) state_->work().Add([upload = shared_from_this()] { upload->HandleNext(); });
}

// In a worker thread, one at a time for an upload; after each part the other uploads have their turn.  Two more parts
// come while this one is dealt with.  `handling_` stays when the call has ended: nothing is done any more.
void ServerUpload::HandleNext() {
  bool broken_off = false, read_on = false;
  {
    const std::lock_guard lock(parts_mutex_);
    broken_off = !std::exchange(has_next_, false);
    if (!broken_off) current_part_.Swap(&next_part_);
    read_on = std::exchange(waiting_, false);
    if (read_on) next_part_.Swap(&part_), has_next_ = true;
  }
  if (broken_off) return End(Unavailable("the upload broke off"));
  if (read_on) StartRead(&part_);
  const Status status = Handle(current_part_);
  if (!status.ok() || complete_) return End(status);
  {
    const std::lock_guard lock(parts_mutex_);
    handling_ = has_next_ || broken_off_;
    if (!handling_) return;
  }
  state_->work().Add([upload = shared_from_this()] { upload->HandleNext(); });
}

Status ServerUpload::Handle(const v1::UploadPart& part) {
  const std::lock_guard lock(receiver_mutex_);
  RETURN_IF_ERROR(offered_ ? TakePiece(part.piece()) : TakeOffer(part.offer()));
  return FinishIfComplete();
}

Status ServerUpload::TakeOffer(const std::string& bytes) {
  ASSIGN_OR_RETURN(offer_, state_->CheckOffer(*site_, bytes));
  offered_ = true;
  state_->TakeOverUpload(site_->name, offer_.manifest.digest, shared_from_this());
  StatusOr<std::unique_ptr<BlobStore::Receiver>> receiver = state_->options().blobs->Receive(offer_.manifest);
  if (!receiver.ok()) {
    complete_ = receiver.code() == StatusCode::kAlreadyExists;
    return complete_ ? Status() : receiver.status();
  }
  receiver_ = std::move(receiver).value();
  site_->traffic.BeginReceiving(SystemClock().Now());
  return Status();
}

Status ServerUpload::TakePiece(const v1::Piece& piece) {
  if (!receiver_) return Cancelled("another stream of the site goes on with this upload");
  if (piece.offset() != receiver_->bytes_done())
    return DataLoss("bytes from ", piece.offset(), " on came where bytes from ", receiver_->bytes_done(),
                    " on were expected");
  const std::size_t before = receiver_->chunks_done();
  RETURN_IF_ERROR(receiver_->Append(AsBytes(piece.data())));
  if (receiver_->chunks_done() > before)
    site_->traffic.Received(ChunkEndingAt(receiver_->bytes_done()), SystemClock().Now());
  return Status();
}

Status ServerUpload::FinishIfComplete() {
  if (complete_ || receiver_->chunks_done() < offer_.manifest.chunks.size()) return Status();
  complete_ = true;
  return receiver_->Finish();
}

void ServerUpload::End(const Status& status) {
  if (!status.ok() && site_ != nullptr) {
    std::size_t chunks_done = 0;
    {
      const std::lock_guard lock(receiver_mutex_);
      if (receiver_) chunks_done = receiver_->chunks_done();
    }
    const std::lock_guard lock(context_mutex_);
    state_->LogRefused("upload_failed", *context_, site_->name.value(),
                       offered_ ? Annotate(status, offer_.task, ", ", chunks_done, " of ",
                                           offer_.manifest.chunks.size(), " chunks received")
                                : status);
  }
  // Before the site hears of the end, so that its next try finds the blob free.
  Release();
  Finish(ToGrpcStatus(status));
}

void ServerUpload::Release() {
  const std::lock_guard lock(receiver_mutex_);
  receiver_.reset();
}

void ServerUpload::CheckDeadlines(Instant now) {
  if (now - last_progress_.load() >= state_->options().stall_timeout) CancelCall();
}

void ServerUpload::CancelCall() {
  const std::lock_guard lock(context_mutex_);
  if (context_ != nullptr) context_->TryCancel();
}

void ServerUpload::OnDone() {
  {
    const std::lock_guard lock(context_mutex_);
    context_ = nullptr;
  }
  if (site_ != nullptr) state_->EndTransfer(site_);
  if (offered_) state_->ForgetUpload(offer_.manifest.digest, this);
  const std::shared_ptr<ServerUpload> self = std::move(self_);
  state_->RemoveCall(self);
}

grpc::ServerUnaryReactor* ServerUploadStatus::Start(ServerState* state, grpc::CallbackServerContext* context,
                                                    const v1::UploadStatusRequest* request,
                                                    v1::UploadStatusReply* reply) {
  const std::shared_ptr<ServerUploadStatus> call(new ServerUploadStatus(state));
  call->self_ = call;
  state->AddCall(call);
  const StatusOr<SiteSlot*> site = state->Admit(*context);
  const Status status = site.ok() ? state->BeginTransfer(*site) : site.status();
  if (!status.ok()) {
    call->Finish(ToGrpcStatus(status));
    return call.get();
  }
  call->site_ = *site;
  state->work().Add([call, context, request, reply] {  // all three live until Finish
    const Status answer = call->Answer(request->offer(), reply);
    // Busy: the site asks again soon.  There already: nothing is wrong.
    if (!answer.ok() && answer.code() != StatusCode::kUnavailable && answer.code() != StatusCode::kAlreadyExists)
      call->state_->LogRefused("upload_refused", *context, call->site_->name.value(), answer);
    call->Finish(ToGrpcStatus(answer));
  });
  return call.get();
}

Status ServerUploadStatus::Answer(const std::string& offer_bytes, v1::UploadStatusReply* reply) {
  ASSIGN_OR_RETURN(const wire::UploadOffer offer, state_->CheckOffer(*site_, offer_bytes));
  state_->TakeOverUpload(site_->name, offer.manifest.digest, nullptr);
  const StatusOr<std::unique_ptr<BlobStore::Receiver>> receiver = state_->options().blobs->Receive(offer.manifest);
  reply->set_complete(receiver.code() == StatusCode::kAlreadyExists);
  if (reply->complete()) return Status();
  if (!receiver.ok()) return receiver.status();
  reply->set_chunks_done(static_cast<std::uint32_t>((*receiver)->chunks_done()));
  return Status();
}

void ServerUploadStatus::OnDone() {
  if (site_ != nullptr) state_->EndTransfer(site_);
  const std::shared_ptr<ServerUploadStatus> self = std::move(self_);
  state_->RemoveCall(self);
}

}  // namespace consilium::transport
