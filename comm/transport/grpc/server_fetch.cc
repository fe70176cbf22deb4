#include "comm/transport/grpc/server_fetch.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "comm/transport/grpc/status_codes.h"

namespace consilium::transport {

ServerFetch::ServerFetch(ServerState* state, grpc::CallbackServerContext* context)
    : state_(state), last_progress_(SystemClock().Now()), context_(context) {}

grpc::ServerWriteReactor<v1::Chunk>* ServerFetch::Start(ServerState* state, grpc::CallbackServerContext* context,
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
    opened.ok() ? fetch->SendNext() : fetch->End(opened);
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
  next_chunk_ = first_chunk;
  site_->traffic.BeginSending(SystemClock().Now());
  return Status();
}

StatusOr<bool> ServerFetch::ReadChunk() {
  const std::uint64_t offset = std::uint64_t{next_chunk_} * wire::kChunkBytes;
  if (offset >= bytes_) return false;
  std::string* data = chunk_.mutable_data();
  data->resize(static_cast<std::size_t>(std::min<std::uint64_t>(wire::kChunkBytes, bytes_ - offset)));
  for (std::size_t done = 0; done < data->size();) {
    const ssize_t size = ::pread(file_, data->data() + done, data->size() - done, static_cast<off_t>(offset + done));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return ErrnoStatus(errno, Concat("the coordinator, reading chunk ", next_chunk_ + 1));
    if (size == 0) return DataLoss("the coordinator's file ends inside chunk ", next_chunk_ + 1);
    done += static_cast<std::size_t>(size);
  }
  chunk_.set_index(next_chunk_++);
  return true;
}

// In a worker thread.
void ServerFetch::SendNext() {
  const StatusOr<bool> more = ReadChunk();
  if (!more.ok()) return End(more.status());
  if (!*more) return End(Status());
  StartWrite(&chunk_);
}

void ServerFetch::OnWriteDone(bool ok) {
  if (!ok) return End(Cancelled("the site broke off before chunk ", chunk_.index() + 1));
  last_progress_ = SystemClock().Now();
  site_->traffic.Sent(chunk_.data().size(), last_progress_.load());
  state_->work().Add([fetch = shared_from_this()] { fetch->SendNext(); });
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
  if (file_ >= 0) ::close(file_);
  if (site_ != nullptr) state_->EndTransfer(site_);
  const std::shared_ptr<ServerFetch> self = std::move(self_);
  state_->RemoveCall(self);
}

}  // namespace consilium::transport
