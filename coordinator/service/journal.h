// A job's journal: records in the order in which they became true, in one SQLite file, each durable when Append returns.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "coordinator/core/records.h"

namespace consilium::coordinator {

// Strand-bound.
class Journal {
 public:
  // Makes the file when it is not there.  Errors: Storage; DataLoss when SQLite finds it damaged or it is another program's.
  static StatusOr<Journal> Open(const std::filesystem::path& file);
  Journal(Journal&& other) noexcept;
  Journal& operator=(Journal&&) = delete;
  ~Journal();

  // All records.  DataLoss for a record that does not decode, or a gap in the numbering.
  StatusOr<std::vector<Record>> Read() const;
  // Durable against a power cut (synchronous=FULL) once it returns.  Errors: Storage.
  Status Append(const Record& record);

 private:
  struct Impl;
  explicit Journal(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace consilium::coordinator
