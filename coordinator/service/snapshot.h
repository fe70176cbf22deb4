// A consistent picture of the state folder, made in one go on the strand: links of what is never written to again,
// copies of the rest.  Backups are packed from it at leisure.
#pragma once

#include <filesystem>

#include "coordinator/service/job_table.h"

namespace consilium::coordinator {

// Makes STATE/snapshots/<random> with jobs/ and blobs/ laid out as in a state folder; whoever asked removes it.
// Strand-bound.  Errors: Storage.
StatusOr<std::filesystem::path> TakeSnapshot(const std::filesystem::path& state, const std::map<JobId, JobEntry>& jobs,
                                             const transport::BlobStore& blobs);
// Of a coordinator that is not running; `state` is locked by the caller.
StatusOr<std::filesystem::path> TakeSnapshotAtRest(const std::filesystem::path& state);
// Those that nobody came for.
void RemoveSnapshots(const std::filesystem::path& state);

}  // namespace consilium::coordinator
