// A job's journal in SQLite: an append-only list of byte records, each durable when Append returns.
//
// Write-ahead log with synchronous=FULL: one fsync a record.  The database is locked exclusively, so that a second
// process is refused, and so that the log's index lives in memory and not in a shared file (which NFS homes break).
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "comm/base/bytes.h"

namespace consilium::coordinator {

// Strand-bound.
class Journal {
 public:
  // Makes the file when it is absent; checks the integrity of one that is there.
  // Errors: DataLoss when it is damaged or not a journal of ours; Storage; FailedPrecondition when another process has
  // it open.
  static StatusOr<std::unique_ptr<Journal>> Open(const std::filesystem::path& path);
  ~Journal();

  // Errors: Storage (disk full); the journal is then as before.
  Status Append(ByteSpan record);
  StatusOr<std::vector<Bytes>> ReadAll();
  // A journal of the same records in a new file: as it is now, while this one stays open.
  Status CopyTo(const std::filesystem::path& path);

 private:
  struct Database;
  explicit Journal(std::unique_ptr<Database> database);
  std::unique_ptr<Database> database_;
};

}  // namespace consilium::coordinator
