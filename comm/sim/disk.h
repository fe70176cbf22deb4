// A disk that keeps apart what programs see and what would survive a loss of power.
//
// A killed process loses nothing that it wrote: the page cache is the machine's.  A loss of power keeps what was
// synced; of everything else the seed decides: a write may have reached the disk whole, in part (a torn tail), or not
// at all, a rename or removal may have happened or not.
//
// Source of the fault model: Pillai et al., "All file systems are not created equal", OSDI 2014.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "comm/base/bytes.h"
#include "comm/base/rng.h"
#include "comm/base/status.h"

namespace consilium::sim {

struct DiskStats {
  std::uint64_t syncs = 0;
  std::uint64_t bytes_written = 0;
};

// Strand-bound.
class Disk {
 public:
  bool Has(const std::string& name) const { return seen_.contains(name); }
  // Errors: NotFound.
  StatusOr<Bytes> Read(const std::string& name) const;
  // Names that begin so, in order.
  std::vector<std::string> List(const std::string& prefix) const;

  // Errors: Storage when the disk is full; nothing is changed then.
  Status Write(const std::string& name, Bytes bytes);
  Status Append(const std::string& name, ByteSpan bytes);
  // Makes the file's present bytes durable under its present name.  Errors: NotFound.
  Status Sync(const std::string& name);
  // Replaces `to`.  Errors: NotFound.
  Status Rename(const std::string& from, const std::string& to);
  void Remove(const std::string& name) { seen_.erase(name); }  // absent is fine
  // Cuts the file off after `size` bytes, which needs no room.  A file that is not longer stays as it is.
  void Truncate(const std::string& name, std::size_t size);

  // All of it: another file, a sync, a rename, as comm/base/file.h WriteFileAtomic does.
  Status WriteAtomic(const std::string& name, ByteSpan bytes);

  void SetFull(bool full) { full_ = full; }
  // A disk that lies: Sync returns and has done nothing.
  void SetLying(bool lying) { lying_ = lying; }
  void LosePower(Rng* rng);
  const DiskStats& stats() const { return stats_; }

 private:
  Status CheckRoom(const std::string& name) const;

  std::map<std::string, Bytes> seen_;     // what a program reads
  std::map<std::string, Bytes> durable_;  // what was synced last
  bool full_ = false, lying_ = false;
  DiskStats stats_;
};

}  // namespace consilium::sim
