#include "comm/sim/blob_transfer.h"

#include <algorithm>

namespace consilium::sim {
namespace {

constexpr std::size_t kTextBytesMax = 1 << 16;

enum class Kind : std::uint8_t {
  kOpenFetch,   // digest, u64 where to begin
  kOpenUpload,  // a wire::UploadOffer
  kGoOn,        // u64 where to begin, or how far the receiver is
  kUnit,        // u64 offset, bytes
  kEnd,         // u32 status code, text
};

Bytes GoOn(std::uint64_t done) {
  ByteWriter message;
  message.Put(Kind::kGoOn);
  message.Put(done);
  return std::move(message).Take();
}

// The units that the window allows when the receiver has `done` bytes.
void SendUnits(Network* network, StreamId stream, const std::string& self, const TransferOptions& options,
               const Bytes& bytes, std::uint64_t done, std::uint64_t* next, TransferStats* stats) {
  const std::uint64_t end = std::min<std::uint64_t>(bytes.size(), done + options.unit_bytes * options.window_units);
  while (*next < end) {
    const std::size_t size = std::min<std::size_t>(options.unit_bytes, bytes.size() - *next);
    ByteWriter message;
    message.Put(Kind::kUnit);
    message.Put(*next);
    message.PutBytes(ByteSpan(bytes).subspan(*next, size));
    network->Send(stream, self, std::move(message).Take());
    stats->bytes_sent += size;
    *next += size;
  }
}

}  // namespace

// --- the site

void TransferClient::Start(Transfer transfer, const char* purpose) {
  const StreamId stream = network_->Dial(self_, server_, purpose, Delivery::kOrdered);
  transfers_[stream] = std::move(transfer);
}

void TransferClient::Fetch(const wire::BlobManifest& manifest, Done done) {
  if (store_->Has(manifest.digest)) return done(Status());
  ByteWriter opening;
  opening.Put(Kind::kOpenFetch);
  opening.PutRaw(manifest.digest.bytes);
  opening.Put(store_->BytesDone(manifest));
  Start({.manifest = manifest, .opening = std::move(opening).Take(), .done = std::move(done)}, kFetchPurpose);
}

void TransferClient::Upload(const wire::TaskKey& task, const wire::BlobManifest& manifest, Bytes bytes, Done done) {
  ByteWriter opening;
  opening.Put(Kind::kOpenUpload);
  opening.PutRaw(wire::Encode(wire::UploadOffer{task, manifest}));
  Start({.upload = true,
         .manifest = manifest,
         .opening = std::move(opening).Take(),
         .bytes = std::move(bytes),
         .done = std::move(done)},
        kUploadPurpose);
}

void TransferClient::Abort() {
  for (const auto& [stream, transfer] : transfers_) network_->Close(stream, self_);
  transfers_.clear();
}

std::set<Digest> TransferClient::Receiving() const {
  std::set<Digest> digests;
  for (const auto& [stream, transfer] : transfers_)
    if (!transfer.upload) digests.insert(transfer.manifest.digest);
  return digests;
}

bool TransferClient::OnConnected(StreamId stream) {
  const auto found = transfers_.find(stream);
  if (found == transfers_.end()) return false;
  network_->Send(stream, self_, std::move(found->second.opening));
  return true;
}

bool TransferClient::OnMessage(StreamId stream, const Bytes& bytes) {
  const auto found = transfers_.find(stream);
  if (found == transfers_.end()) return false;
  Transfer& transfer = found->second;
  ByteReader message(bytes);
  const Kind kind = message.Get<Kind>();
  if (kind == Kind::kUnit && !transfer.upload) {
    TakeUnit(stream, &transfer, &message);
  } else if (kind == Kind::kGoOn && transfer.upload) {
    const auto done = message.Get<std::uint64_t>();
    transfer.next = std::max(transfer.next, done);
    SendUnits(network_, stream, self_, options_, transfer.bytes, done, &transfer.next, stats_);
  } else if (kind == Kind::kEnd) {
    const auto code = static_cast<StatusCode>(message.Get<std::uint32_t>());
    const std::string text = message.GetString(kTextBytesMax);
    Finish(stream, code == StatusCode::kOk ? Status() : Status(code, text));
  } else {
    Finish(stream, DataLoss("the coordinator broke the transfer's protocol"));
  }
  return true;
}

void TransferClient::TakeUnit(StreamId stream, Transfer* transfer, ByteReader* message) {
  const auto offset = message->Get<std::uint64_t>();
  const Bytes unit = message->GetBytes(options_.unit_bytes);
  // Another fetch of the same blob may have made it whole meanwhile.
  if (store_->Has(transfer->manifest.digest)) return Finish(stream, Status());
  const Status status = store_->Append(transfer->manifest, offset, unit);
  if (!status.ok()) return Finish(stream, status);
  if (store_->Has(transfer->manifest.digest)) return Finish(stream, Status());
  network_->Send(stream, self_, GoOn(offset + unit.size()));
}

bool TransferClient::OnClosed(StreamId stream, const Status& reason) {
  if (!transfers_.contains(stream)) return false;
  Finish(stream, reason);
  return true;
}

void TransferClient::Finish(StreamId stream, const Status& status) {
  const Done done = std::move(transfers_.at(stream).done);
  transfers_.erase(stream);
  network_->Close(stream, self_);
  done(status);
}

// --- the coordinator

void TransferServer::OnAccepted(StreamId stream, const std::string& peer, const std::string& purpose) {
  transfers_[stream] = {.site = SiteName(peer), .upload = purpose == kUploadPurpose};
}

bool TransferServer::OnMessage(StreamId stream, const Bytes& bytes) {
  const auto found = transfers_.find(stream);
  if (found == transfers_.end()) return false;
  Transfer& transfer = found->second;
  ByteReader message(bytes);
  const Kind kind = message.Get<Kind>();
  if (kind == Kind::kOpenFetch && !transfer.upload && !transfer.open) {
    OpenFetch(stream, &transfer, &message);
  } else if (kind == Kind::kOpenUpload && transfer.upload && !transfer.open) {
    OpenUpload(stream, &transfer, &message);
  } else if (kind == Kind::kUnit && transfer.upload && transfer.open) {
    TakeUnit(stream, &transfer, &message);
  } else if (kind == Kind::kGoOn && !transfer.upload && transfer.open) {
    const auto done = message.Get<std::uint64_t>();
    SendUnits(network_, stream, self_, options_, transfer.bytes, done, &transfer.next, stats_);
  } else {
    End(stream, InvalidArgument("a message that is not a transfer's next one"));
  }
  return true;
}

void TransferServer::OpenFetch(StreamId stream, Transfer* transfer, ByteReader* message) {
  Digest digest;
  if (const ByteSpan raw = message->GetRaw(digest.bytes.size()); !raw.empty())
    std::copy(raw.begin(), raw.end(), digest.bytes.begin());
  const auto offset = message->Get<std::uint64_t>();
  if (!message->Finish().ok()) return End(stream, message->Finish());
  if (const Status allowed = gate_.fetch(transfer->site, digest); !allowed.ok()) return End(stream, allowed);
  StatusOr<Bytes> blob = store_->Read(digest);
  if (!blob.ok()) return End(stream, blob.status());
  if (offset > blob->size()) return End(stream, InvalidArgument("the blob ends before byte ", offset));
  transfer->open = true;
  transfer->bytes = std::move(*blob);
  transfer->next = offset;
  if (offset > 0) ++stats_->resumed;
  SendUnits(network_, stream, self_, options_, transfer->bytes, offset, &transfer->next, stats_);
}

void TransferServer::OpenUpload(StreamId stream, Transfer* transfer, ByteReader* message) {
  const StatusOr<wire::UploadOffer> offer = wire::DecodeUploadOffer(message->GetRaw(message->remaining()));
  if (!offer.ok()) return End(stream, offer.status());
  const Digest& digest = offer->manifest.digest;
  const Status allowed = gate_.upload(transfer->site, *offer);
  if (allowed.code() == StatusCode::kAlreadyExists) return End(stream, Status());
  if (!allowed.ok()) return End(stream, allowed);
  if (store_->Has(digest)) return End(stream, Status());
  if (Receiving().contains(digest)) return End(stream, Unavailable("blob ", digest, " is being received already"));
  transfer->open = true;
  transfer->manifest = offer->manifest;
  const std::uint64_t done = store_->BytesDone(offer->manifest);
  if (done > 0) ++stats_->resumed;
  network_->Send(stream, self_, GoOn(done));
}

void TransferServer::TakeUnit(StreamId stream, Transfer* transfer, ByteReader* message) {
  const auto offset = message->Get<std::uint64_t>();
  const Bytes unit = message->GetBytes(options_.unit_bytes);
  if (!message->Finish().ok()) return End(stream, message->Finish());
  const std::uint64_t done = store_->BytesDone(transfer->manifest);
  if (offset < done) stats_->bytes_repeated += std::min<std::uint64_t>(unit.size(), done - offset);
  const Status status = store_->Append(transfer->manifest, offset, unit);
  if (!status.ok()) return End(stream, status);
  if (store_->Has(transfer->manifest.digest)) return End(stream, Status());
  network_->Send(stream, self_, GoOn(offset + unit.size()));
}

bool TransferServer::OnClosed(StreamId stream) { return transfers_.erase(stream) > 0; }

std::set<Digest> TransferServer::Receiving() const {
  std::set<Digest> digests;
  for (const auto& [stream, transfer] : transfers_)
    if (transfer.upload && transfer.open) digests.insert(transfer.manifest.digest);
  return digests;
}

// The site closes the stream when it has read this; until then nothing of it counts.
void TransferServer::End(StreamId stream, const Status& status) {
  ByteWriter message;
  message.Put(Kind::kEnd);
  message.Put(static_cast<std::uint32_t>(status.code()));
  message.PutString(status.message().substr(0, kTextBytesMax));
  network_->Send(stream, self_, std::move(message).Take());
  network_->Close(stream, self_);
  transfers_.erase(stream);
}

}  // namespace consilium::sim
