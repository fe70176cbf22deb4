// Content-addressed files in one folder: `<hex digest>` when whole and verified, `<hex digest>.part` while chunks
// arrive.
//
// A blob under its final name always has that digest: a manifest is checked before anything is stored, and each chunk
// as it comes.
// Thread-safe.  One receiver at a time for a blob; the store outlives its receivers.
#pragma once

#include <filesystem>
#include <functional>
#include <mutex>
#include <set>

#include "comm/wire/blob.h"

namespace consilium::transport {

class BlobStore {
 public:
  // Makes the folder (mode 0700).  After a reboot of the machine, blobs that lost their bytes are removed, which reads
  // all.
  static StatusOr<std::unique_ptr<BlobStore>> Open(std::filesystem::path folder);

  bool Has(const Digest& digest) const;
  std::filesystem::path PathOf(const Digest& digest) const;  // where the whole blob is or would be

  // Hard-links a whole file into the store under its digest (copies it from another file system).  The file must not be
  // written to any more, only replaced or removed.  Returns its manifest, also when the blob was there already.
  StatusOr<wire::BlobManifest> Import(const std::filesystem::path& file);

  // Receives one blob chunk by chunk, after the `chunks_done()` that a previous receiver left.
  class Receiver {
   public:
    ~Receiver();                       // keeps the verified chunks in the .part file for the next try
    std::size_t chunks_done() const;   // verified
    std::uint64_t bytes_done() const;  // where the next bytes belong
    // The next bytes: a chunk, or a part of one that does not cross its end.  DataLoss (with the chunk's number, from
    // 1) for too many or none, or when the chunk that they complete does not have the manifest's digest: it counts as
    // not received, and its bytes are given back.  Storage for a full disk, with the same effect.
    Status Append(ByteSpan bytes);
    // All chunks are there: gives the file its name.  Durable against SIGKILL, not fsynced (a body lost with the
    // machine is uploaded again).  Last call.  FailedPrecondition when chunks are missing.
    Status Finish();

   private:
    friend class BlobStore;
    struct Impl;
    explicit Receiver(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
  };
  // Errors: AlreadyExists when the blob is whole; Unavailable when another receiver has it open; DataLoss for a
  // manifest that contradicts itself.
  StatusOr<std::unique_ptr<Receiver>> Receive(const wire::BlobManifest& manifest);

  // Removes a blob (whole or partial); absent is fine.
  Status Remove(const Digest& digest);
  // Removes every blob that `keep` does not name and nobody is receiving.
  Status RetainOnly(const std::set<Digest>& keep);
  std::uint64_t BytesUsed() const;  // by whole and partial blobs

 private:
  explicit BlobStore(std::filesystem::path folder) : folder_(std::move(folder)) {}
  void Release(const Digest& digest);

  std::filesystem::path folder_;
  mutable std::mutex mutex_;
  std::set<Digest> receiving_;
};

}  // namespace consilium::transport
