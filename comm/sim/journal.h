// An append-only file of records on a simulated disk, with the contract of the coordinator's journal: a record is
// durable when Append returns; one that a crash tore is as if it had never been written.
#pragma once

#include <string>
#include <vector>

#include "comm/sim/disk.h"

namespace consilium::sim {

// Strand-bound.
class Journal {
 public:
  // `disk` outlives the journal.
  Journal(Disk* disk, std::string name) : disk_(disk), name_(std::move(name)) {}

  // All whole records; what comes after the last one is cut off.  Empty when there is no file.
  std::vector<Bytes> Recover();
  // Errors: Storage (disk full); the journal is then as before.
  Status Append(ByteSpan record);
  // The writer dies in the middle: `bytes` of the record's frame are written, none of them synced.  Less than the whole
  // frame is written, whatever `bytes` says.
  void AppendTorn(ByteSpan record, std::size_t bytes);

 private:
  Disk* disk_;
  std::string name_;
};

}  // namespace consilium::sim
