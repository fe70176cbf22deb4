// Models that operators are sending for jobs to be: announced, received chunk by chunk, whole.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "comm/base/time.h"
#include "comm/transport/blob_store.h"

namespace consilium::coordinator {

// Thread-safe.  A model that is announced is not removed from the store; one that nobody goes on with for an hour is
// forgotten.
class ModelIntake {
 public:
  explicit ModelIntake(transport::BlobStore* blobs, const Clock* clock = &SystemClock())
      : blobs_(blobs), clock_(clock) {}

  // Returns how many chunks are there already.  Errors: ResourceExhausted when `who` has too many under way; DataLoss
  // for a manifest that contradicts itself.
  StatusOr<std::uint32_t> Announce(const std::string& who, const wire::BlobManifest& manifest);
  // The next chunk; one that is there already is passed over.  Returns how many are there.  Errors: FailedPrecondition
  // when the model was not announced by `who`, or the chunk is not the next; DataLoss when it is not what was
  // announced; Storage.
  StatusOr<std::uint32_t> Put(const std::string& who, const Digest& model, std::uint32_t index, ByteSpan chunk);
  void Forget(const Digest& model);
  std::set<Digest> Announced() const;

 private:
  struct Coming {
    std::string who;
    wire::BlobManifest manifest;
    Instant touched{};
    std::mutex mutex;  // one chunk at a time
    std::unique_ptr<transport::BlobStore::Receiver> receiver;
  };
  StatusOr<std::uint32_t> Receive(Coming* coming, std::uint32_t index, ByteSpan chunk);

  transport::BlobStore* const blobs_;
  const Clock* const clock_;
  mutable std::mutex mutex_;
  std::map<Digest, std::shared_ptr<Coming>> coming_;
};

}  // namespace consilium::coordinator
