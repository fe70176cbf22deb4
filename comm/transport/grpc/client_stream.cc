#include "comm/transport/grpc/client_stream.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "comm/base/descriptor.h"
#include "comm/transport/grpc/pieces.h"
#include "comm/transport/grpc/status_codes.h"

namespace consilium::transport {
namespace {

// For the status after the last chunk.
constexpr std::chrono::seconds kEndPause{1};
// Between two questions whether the coordinator is free to receive a blob that another stream is sending.
constexpr std::chrono::milliseconds kBusyPause{200};

// A call's steps (one read or write each) and its end, for one thread that waits for them.
class Steps {
 public:
  void StepDone(bool ok) {
    const std::lock_guard lock(mutex_);
    step_done_ = true, step_ok_ = ok;
    changed_.notify_all();
  }
  void CallDone(const grpc::Status& status) {
    const std::lock_guard lock(mutex_);
    call_done_ = true, status_ = status;
    changed_.notify_all();
  }
  enum class Outcome { kDone, kStreamEnded, kTimedOut };
  Outcome AwaitStep(Duration limit) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, limit, [this] { return step_done_; })) return Outcome::kTimedOut;
    step_done_ = false;
    return step_ok_ ? Outcome::kDone : Outcome::kStreamEnded;
  }
  // Nothing at the limit.
  std::optional<grpc::Status> AwaitCall(Duration limit) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, limit, [this] { return call_done_; })) return std::nullopt;
    return status_;
  }
  grpc::Status AwaitCall() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return call_done_; });
    return status_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool step_done_ = false, step_ok_ = false, call_done_ = false;
  grpc::Status status_;
};

// Registers a call's context for as long as it may be cancelled.
class Registered {
 public:
  Registered(OpenCalls* calls, grpc::ClientContext* context)
      : calls_(calls), context_(context), open_(calls->Add(context)) {}
  ~Registered() {
    if (open_) calls_->Remove(context_);
  }
  bool open() const { return open_; }

 private:
  OpenCalls* const calls_;
  grpc::ClientContext* const context_;
  const bool open_;
};

Status ClosedHere() { return Cancelled("the connection was closed here"); }

// A call that was cancelled, but not by us, was reset on the way.
Status FailureOf(const grpc::Status& status, OpenCalls* calls) {
  const Status converted = FromGrpcStatus(status);
  if (converted.ok() || IsFromPeer(status)) return converted;
  if (calls->ClosedWithin(Duration::zero())) return ClosedHere();
  if (converted.code() == StatusCode::kCancelled || converted.code() == StatusCode::kUnavailable)
    return Unavailable("the connection to the coordinator was lost: ", converted.message());
  return converted;
}

class FetchCall final : public grpc::ClientReadReactor<v1::Piece> {
 public:
  void OnReadDone(bool ok) override { steps.StepDone(ok); }
  void OnDone(const grpc::Status& status) override { steps.CallDone(status); }

  grpc::ClientContext context;
  v1::FetchRequest request;
  v1::Piece pieces[2];  // one comes while the other is dealt with
  Steps steps;
};

class UploadCall final : public grpc::ClientWriteReactor<v1::UploadPart> {
 public:
  void OnWriteDone(bool ok) override { steps.StepDone(ok); }
  void OnDone(const grpc::Status& status) override { steps.CallDone(status); }

  grpc::ClientContext context;
  v1::UploadPart parts[2];  // one goes while the other is read from disk
  v1::UploadResult result;
  Steps steps;
};

// *stream_ended: by the coordinator, whose status says why.
Status TakePieces(FetchCall* call, const TransferOptions& options, const wire::BlobManifest& manifest,
                  BlobStore::Receiver* receiver, const SiteTransport::Progress& progress, bool* stream_ended) {
  const std::size_t count = manifest.chunks.size();
  options.traffic->BeginReceiving(SystemClock().Now());
  if (receiver->chunks_done() < count) call->StartRead(&call->pieces[0]);
  for (int current = 0; receiver->chunks_done() < count; current = 1 - current) {
    const std::size_t index = receiver->chunks_done();
    switch (call->steps.AwaitStep(options.stall_timeout)) {
      case Steps::Outcome::kTimedOut:
        return DeadlineExceeded("chunk ", index + 1, " of ", count, " did not come within ",
                                FormatDuration(options.stall_timeout));
      case Steps::Outcome::kStreamEnded:
        *stream_ended = true;
        return DataLoss("the coordinator sent only ", index, " of ", count, " chunks");
      case Steps::Outcome::kDone:
        break;
    }
    const v1::Piece& piece = call->pieces[current];
    const std::uint64_t expected = receiver->bytes_done();
    if (piece.offset() != expected)
      return DataLoss("bytes from ", piece.offset(), " on came where bytes from ", expected, " on were expected");
    if (expected + piece.data().size() < manifest.bytes) call->StartRead(&call->pieces[1 - current]);
    RETURN_IF_ERROR(receiver->Append(AsBytes(piece.data())));
    if (receiver->chunks_done() == index) continue;
    options.traffic->Received(ChunkEndingAt(receiver->bytes_done()), SystemClock().Now());
    if (progress) progress(receiver->bytes_done(), manifest.bytes);
  }
  return Status();
}

// OK also when the coordinator ends the call early: its status says why.
Status AwaitPart(UploadCall* call, Duration stall_timeout, bool* ended) {
  const Steps::Outcome outcome = call->steps.AwaitStep(stall_timeout);
  if (outcome == Steps::Outcome::kTimedOut)
    return DeadlineExceeded("no progress within ", FormatDuration(stall_timeout));
  *ended = outcome == Steps::Outcome::kStreamEnded;
  return Status();
}

// The blob's bytes before `end` went out.
void Tell(const TransferOptions& options, const wire::BlobManifest& manifest, std::uint64_t end,
          const SiteTransport::Progress& progress) {
  if (!EndsChunk(end, manifest.bytes)) return;
  options.traffic->Sent(ChunkEndingAt(end), SystemClock().Now());
  if (progress) progress(end, manifest.bytes);
}

// The piece that begins at `offset`.
Status ReadPart(const InputFile& file, const wire::BlobManifest& manifest, std::uint64_t offset, v1::UploadPart* part) {
  part->clear_offer();
  v1::Piece* piece = part->mutable_piece();
  piece->set_offset(offset);
  std::string* data = piece->mutable_data();
  data->resize(PieceBytesAt(offset, manifest.bytes));
  return file.Read(offset, {reinterpret_cast<std::uint8_t*>(data->data()), data->size()});
}

Status SendPieces(UploadCall* call, const TransferOptions& options, const wire::UploadOffer& offer,
                  const InputFile& file, std::uint32_t first_chunk, const SiteTransport::Progress& progress) {
  const wire::BlobManifest& manifest = offer.manifest;
  const Bytes offer_bytes = wire::Encode(offer, options.minor);
  call->parts[0].set_offer(offer_bytes.data(), offer_bytes.size());
  call->StartWrite(&call->parts[0]);
  bool ended = false;
  options.traffic->BeginSending(SystemClock().Now());
  const std::uint64_t first = std::uint64_t{first_chunk} * wire::kChunkBytes;
  int current = 1;  // what is read from disk while the other is on its way
  std::uint64_t next = first;
  for (; next < manifest.bytes; current = 1 - current) {
    v1::UploadPart* part = &call->parts[current];
    const Status read = ReadPart(file, manifest, next, part);
    RETURN_IF_ERROR(AwaitPart(call, options.stall_timeout, &ended));
    if (ended) return Status();
    if (next > first) Tell(options, manifest, next, progress);
    RETURN_IF_ERROR(read);
    call->StartWrite(part);
    next += part->piece().data().size();
  }
  RETURN_IF_ERROR(AwaitPart(call, options.stall_timeout, &ended));
  if (!ended && next > first) Tell(options, manifest, next, progress);
  return Status();
}

struct UploadAnswer {
  Status status;
  bool busy = false;  // another stream is sending this blob: ask again
};

UploadAnswer AnswerOf(const grpc::Status& status, OpenCalls* calls) {
  const Status failure = FailureOf(status, calls);
  return {failure, IsFromPeer(status) && failure.code() == StatusCode::kUnavailable};
}

UploadAnswer AskStatus(const TransferOptions& options, const wire::UploadOffer& offer, v1::UploadStatusReply* reply) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + options.stall_timeout);
  const Registered registered(options.calls, &context);
  if (!registered.open()) return {ClosedHere()};
  v1::UploadStatusRequest request;
  const Bytes bytes = wire::Encode(offer, options.minor);
  request.set_offer(bytes.data(), bytes.size());
  return AnswerOf(options.stub->UploadStatus(&context, request, reply), options.calls);
}

UploadAnswer SendOnce(const TransferOptions& options, const wire::UploadOffer& offer, const InputFile& file,
                      std::uint32_t first_chunk, const SiteTransport::Progress& progress) {
  UploadCall call;
  const Registered registered(options.calls, &call.context);
  if (!registered.open()) return {ClosedHere()};
  options.stub->async()->Upload(&call.context, &call.result, &call);
  call.AddHold();  // steps begin outside of callbacks
  call.StartCall();
  Status status = SendPieces(&call, options, offer, file, first_chunk, progress);
  if (status.ok()) call.StartWritesDone();
  if (!status.ok()) call.context.TryCancel();
  call.RemoveHold();
  std::optional<grpc::Status> end = call.steps.AwaitCall(options.stall_timeout);
  if (!end) {
    call.context.TryCancel();
    call.steps.AwaitCall();
    return {DeadlineExceeded("the coordinator did not confirm within ", FormatDuration(options.stall_timeout))};
  }
  return status.ok() ? AnswerOf(*end, options.calls) : UploadAnswer{status};
}

}  // namespace

bool OpenCalls::Add(grpc::ClientContext* context) {
  const std::lock_guard lock(mutex_);
  if (!closed_) contexts_.insert(context);
  return !closed_;
}

void OpenCalls::Remove(grpc::ClientContext* context) {
  const std::lock_guard lock(mutex_);
  contexts_.erase(context);
}

void OpenCalls::Close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  for (grpc::ClientContext* context : contexts_) context->TryCancel();
  changed_.notify_all();
}

bool OpenCalls::ClosedWithin(Duration duration) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, duration, [this] { return closed_; });
}

Status FetchBlob(const TransferOptions& options, const wire::BlobManifest& manifest, BlobStore* blobs,
                 const SiteTransport::Progress& progress) {
  StatusOr<std::unique_ptr<BlobStore::Receiver>> receiver = blobs->Receive(manifest);
  if (receiver.code() == StatusCode::kAlreadyExists) return Status();
  if (!receiver.ok()) return receiver.status();
  FetchCall call;
  const Registered registered(options.calls, &call.context);
  if (!registered.open()) return ClosedHere();
  call.request.set_digest(manifest.digest.bytes.data(), manifest.digest.bytes.size());
  call.request.set_first_chunk(static_cast<std::uint32_t>((*receiver)->chunks_done()));
  options.stub->async()->Fetch(&call.context, &call.request, &call);
  call.AddHold();  // steps begin outside of callbacks
  call.StartCall();
  bool stream_ended = false;
  Status status = TakePieces(&call, options, manifest, receiver->get(), progress, &stream_ended);
  if (status.ok()) status = (*receiver)->Finish();
  if (!status.ok() && !stream_ended) call.context.TryCancel();
  call.RemoveHold();
  if (!call.steps.AwaitCall(kEndPause)) call.context.TryCancel();
  const grpc::Status end = call.steps.AwaitCall();
  return stream_ended && !end.ok() ? FailureOf(end, options.calls) : status;
}

Status UploadBlob(const TransferOptions& options, const wire::UploadOffer& offer, const std::filesystem::path& path,
                  const SiteTransport::Progress& progress) {
  ASSIGN_OR_RETURN(const InputFile file, InputFile::Open(path));
  const Instant give_up = SystemClock().Now() + options.stall_timeout;
  for (;;) {
    v1::UploadStatusReply reply;
    UploadAnswer answer = AskStatus(options, offer, &reply);
    if (answer.status.ok() && reply.complete()) return Status();
    if (answer.status.ok()) answer = SendOnce(options, offer, file, reply.chunks_done(), progress);
    if (answer.status.code() == StatusCode::kAlreadyExists) return Status();
    if (!answer.busy) return answer.status;
    if (SystemClock().Now() > give_up) return Annotate(answer.status, "waited ", FormatDuration(options.stall_timeout));
    if (options.calls->ClosedWithin(kBusyPause)) return ClosedHere();
  }
}

}  // namespace consilium::transport
