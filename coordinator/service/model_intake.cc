#include "coordinator/service/model_intake.h"

namespace consilium::coordinator {
namespace {

constexpr std::size_t kPerOperatorMax = 4;
constexpr Duration kIdleMax = std::chrono::hours(1);

}  // namespace

StatusOr<std::uint32_t> ModelIntake::Announce(const std::string& who, const wire::BlobManifest& manifest) {
  RETURN_IF_ERROR(wire::CheckManifest(manifest));
  const auto count = static_cast<std::uint32_t>(manifest.chunks.size());
  const Instant now = clock_->Now();
  std::shared_ptr<Coming> coming;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(coming_, [&](const auto& item) { return now - item.second->touched > kIdleMax; });
    std::size_t mine = 0;
    for (const auto& [digest, other] : coming_) mine += other->who == who && digest != manifest.digest ? 1 : 0;
    if (mine >= kPerOperatorMax)
      return ResourceExhausted(who, " has ", mine, " models under way already; finish one, or try again in an hour");
    std::shared_ptr<Coming>& slot = coming_[manifest.digest];
    if (!slot || slot->who != who || slot->manifest != manifest) {
      slot = std::make_shared<Coming>();
      slot->who = who, slot->manifest = manifest;  // constant from here on: read while a chunk comes
    }
    slot->touched = now;
    coming = slot;
  }
  if (blobs_->Has(manifest.digest)) return count;
  const std::lock_guard lock(coming->mutex);
  if (!coming->receiver) {
    StatusOr<std::unique_ptr<transport::BlobStore::Receiver>> receiver = blobs_->Receive(manifest);
    if (receiver.code() == StatusCode::kAlreadyExists) return count;
    if (!receiver.ok()) return receiver.status();
    coming->receiver = std::move(receiver).value();
  }
  return static_cast<std::uint32_t>(coming->receiver->chunks_done());
}

StatusOr<std::uint32_t> ModelIntake::Put(const std::string& who, const Digest& model, std::uint32_t index,
                                         ByteSpan chunk) {
  std::shared_ptr<Coming> coming;
  {
    const std::lock_guard lock(mutex_);
    const auto found = coming_.find(model);
    if (found == coming_.end() || found->second->who != who)
      return FailedPrecondition("the model ", model.ToHex().substr(0, 12), " was not announced; submit the job again");
    coming = found->second;
    coming->touched = clock_->Now();
  }
  const std::lock_guard lock(coming->mutex);
  return Receive(coming.get(), index, chunk);
}

StatusOr<std::uint32_t> ModelIntake::Receive(Coming* coming, std::uint32_t index, ByteSpan chunk) {
  const std::size_t count = coming->manifest.chunks.size();
  if (!coming->receiver) {
    if (blobs_->Has(coming->manifest.digest)) return static_cast<std::uint32_t>(count);
    return FailedPrecondition("the model was not announced; submit the job again");
  }
  const std::size_t done = coming->receiver->chunks_done();
  if (index < done) return static_cast<std::uint32_t>(done);  // said again after a lost answer
  if (index > done) return FailedPrecondition("chunk ", index + 1, " came where chunk ", done + 1, " was expected");
  const std::uint64_t rest = coming->manifest.bytes - coming->receiver->bytes_done();
  if (const std::uint64_t size = std::min<std::uint64_t>(rest, wire::kChunkBytes); chunk.size() != size)
    return DataLoss("chunk ", index + 1, " of ", count, " has ", chunk.size(), " bytes, expected ", size);
  RETURN_IF_ERROR(coming->receiver->Append(chunk));
  if (done + 1 < count) return static_cast<std::uint32_t>(done + 1);
  const Status finished = coming->receiver->Finish();
  coming->receiver.reset();
  RETURN_IF_ERROR(finished);
  return static_cast<std::uint32_t>(count);
}

void ModelIntake::Forget(const Digest& model) {
  const std::lock_guard lock(mutex_);
  coming_.erase(model);
}

std::set<Digest> ModelIntake::Announced() const {
  const std::lock_guard lock(mutex_);
  std::set<Digest> announced;
  for (const auto& [digest, coming] : coming_) announced.insert(digest);
  return announced;
}

}  // namespace consilium::coordinator
