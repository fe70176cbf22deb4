#include "comm/transport/grpc/server_fetch.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "comm/base/descriptor.h"
#include "comm/transport/grpc/pieces.h"
#include "comm/transport/grpc/status_codes.h"

namespace consilium::transport {

ServerFetch::ServerFetch(ServerState* state, grpc::CallbackServerContext* context)
    : state_(state), last_progress_(SystemClock().Now()), context_(context) {}

// Not in OnDone: a worker may still be reading ahead.
ServerFetch::~ServerFetch() {
  if (file_ >= 0) ::close(file_);
}

grpc::ServerWriteReactor<v1::Piece>* ServerFetch::Start(ServerState* state, grpc::CallbackServerContext* context,
                                                        const v1::FetchRequest* request) {
  const std::shared_ptr<ServerFetch> fetch(new ServerFetch(state, context));
  fetch->self_ = fetch;
  state->AddCall(fetch);
  const StatusOr<SiteSlot*> site = state->Admit(*context);
  Status status = site.status();
  if (status.ok()) status = state->BeginTransfer(*site);
  Digest digest;
  if (status.ok()) {
    fetch->site_ = *site;
    if (request->digest().size() == digest.bytes.size()) {
      std::copy(request->digest().begin(), request->digest().end(), digest.bytes.begin());
    } else {
      status = DataLoss("a digest of ", request->digest().size(), " bytes");
    }
  }
  if (!status.ok()) {
    fetch->End(status);
    return fetch.get();
  }
  // The request dies with this call; what is needed of it goes along.
  state->work().Add([fetch, digest, first_chunk = request->first_chunk()] {
    const Status opened = fetch->Open(digest, first_chunk);
    opened.ok() ? fetch->ReadNext() : fetch->End(opened);
  });
  return fetch.get();
}

Status ServerFetch::Open(const Digest& digest, std::uint32_t first_chunk) {
  RETURN_IF_ERROR(state_->events()->AuthorizeFetch(site_->name, digest));
  const std::filesystem::path path = state_->options().blobs->PathOf(digest);
  file_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat info {};
  if (file_ < 0 || ::fstat(file_, &info) != 0)
    return errno == ENOENT ? NotFound("the coordinator does not have the blob ", digest)
                           : ErrnoStatus(errno, "the coordinator, opening blob " + digest.ToHex());
  bytes_ = static_cast<std::uint64_t>(info.st_size);
  next_ = std::uint64_t{first_chunk} * wire::kChunkBytes;
  site_->traffic.BeginSending(SystemClock().Now());
  return Status();
}

StatusOr<bool> ServerFetch::ReadPiece(v1::Piece* piece) {
  if (next_ >= bytes_) return false;
  std::string* data = piece->mutable_data();
  data->resize(PieceBytesAt(next_, bytes_));
  const std::uint64_t number = next_ / wire::kChunkBytes + 1;
  ASSIGN_OR_RETURN(const std::size_t size,
                   ReadAt(file_, next_, {reinterpret_cast<std::uint8_t*>(data->data()), data->size()},
                          Concat("the coordinator, reading chunk ", number)));
  if (size < data->size()) return DataLoss("the coordinator's file ends inside chunk ", number);
  piece->set_offset(next_);
  next_ += data->size();
  return true;
}

// In a worker thread, one at a time for a fetch.
void ServerFetch::ReadNext() {
  const StatusOr<bool> more = ReadPiece(&pieces_[spare_]);
  {
    const std::lock_guard lock(pieces_mutex_);
    if (more.ok() && *more) {
      read_ = true;
    } else if (!end_) {
      end_ = more.status();
    }
  }
  Advance();
}

void ServerFetch::Advance() {
  v1::Piece* piece = nullptr;
  {
    const std::lock_guard lock(pieces_mutex_);
    if (writing_ || !(read_ || end_)) return;
    writing_ = true;  // or ended: nothing more is to be written
    if (read_) {
      piece = &pieces_[spare_];
      spare_ = 1 - spare_, read_ = false;
    }
  }
  if (piece == nullptr) return End(*end_);
  state_->work().Add([fetch = shared_from_this()] { fetch->ReadNext(); });
  StartWrite(piece);
}

void ServerFetch::OnWriteDone(bool ok) {
  const Instant now = SystemClock().Now();
  std::uint64_t end = 0;
  {
    const std::lock_guard lock(pieces_mutex_);
    const v1::Piece& piece = pieces_[1 - spare_];
    end = piece.offset() + piece.data().size();
    writing_ = false;
    if (!ok) end_ = Cancelled("the site broke off in chunk ", piece.offset() / wire::kChunkBytes + 1), read_ = false;
  }
  last_progress_ = now;
  if (ok && EndsChunk(end, bytes_)) site_->traffic.Sent(ChunkEndingAt(end), now);
  Advance();
}

void ServerFetch::End(const Status& status) {
  if (!status.ok() && site_ != nullptr) {
    const std::lock_guard lock(context_mutex_);
    state_->LogRefused("fetch_failed", *context_, site_->name.value(), status);
  }
  Finish(ToGrpcStatus(status));
}

void ServerFetch::CheckDeadlines(Instant now) {
  if (now - last_progress_.load() >= state_->options().stall_timeout) CancelCall();
}

void ServerFetch::CancelCall() {
  const std::lock_guard lock(context_mutex_);
  if (context_ != nullptr) context_->TryCancel();
}

void ServerFetch::OnDone() {
  {
    const std::lock_guard lock(context_mutex_);
    context_ = nullptr;
  }
  if (site_ != nullptr) state_->EndTransfer(site_);
  const std::shared_ptr<ServerFetch> self = std::move(self_);
  state_->RemoveCall(self);
}

}  // namespace consilium::transport
