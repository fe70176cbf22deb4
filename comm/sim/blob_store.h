// Content-addressed blobs on a simulated disk, with the contract of transport::BlobStore: a blob under its digest has
// that digest; a partial one goes on where it stopped; a whole one survives SIGKILL but is not synced.
#pragma once

#include <set>

#include "comm/sim/disk.h"
#include "comm/wire/blob.h"

namespace consilium::sim {

// Strand-bound.
class BlobStore {
 public:
  // `disk` outlives the store.
  explicit BlobStore(Disk* disk) : disk_(disk) {}

  // After a loss of power: blobs that lost their bytes go, and so does everything partial.
  void Recover();

  bool Has(const Digest& digest) const { return disk_->Has(NameOf(digest)); }
  StatusOr<Bytes> Read(const Digest& digest) const { return disk_->Read(NameOf(digest)); }
  // Whole and durable when it returns.  Errors: Storage.
  StatusOr<wire::BlobManifest> Import(ByteSpan bytes);

  // How much of a blob is there already; all of it when it is whole.
  std::uint64_t BytesDone(const wire::BlobManifest& manifest) const;
  // The next bytes.  The last ones make the blob whole.  Errors: DataLoss when they do not begin where the others end,
  // or the whole has another digest (then nothing is kept); Storage.
  Status Append(const wire::BlobManifest& manifest, std::uint64_t offset, ByteSpan bytes);

  // Removes every whole blob that `keep` does not name, and every partial one that is neither named nor `receiving`.
  void RetainOnly(const std::set<Digest>& keep, const std::set<Digest>& receiving);

 private:
  static std::string NameOf(const Digest& digest) { return "blobs/" + digest.ToHex(); }
  static std::string PartOf(const Digest& digest) { return "parts/" + digest.ToHex(); }

  Disk* disk_;
};

}  // namespace consilium::sim
