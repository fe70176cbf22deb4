// What lies where in a client's state folder.
//
//   STATE/lock              one client at a time
//   STATE/session.json      what client/core remembers over a kill
//   STATE/blobs/            models from the coordinator, by digest
//   STATE/work/JOB/...      updates and optimizer states (names from client/core)
//   STATE/jobs/JOB/predictions/  of the held-out cases, with summary.json
//   STATE/trainer.log       what the trainer wrote; the former one is trainer.log.1
#pragma once

#include <filesystem>
#include <set>
#include <string>

#include "client/core/session_state.h"
#include "comm/base/folder_lock.h"

namespace consilium::client {

// Strand-bound.
class SiteFolder {
 public:
  // Makes what is missing (mode 0700) and locks it.  Errors: FailedPrecondition when another client uses it, Storage.
  static StatusOr<SiteFolder> Open(std::filesystem::path root);

  // An empty state when there is none yet.
  StatusOr<SessionState> ReadState() const;
  Status WriteState(const SessionState& state) const;
  // Removes files of the work folder that are not in `keep` (relative names).  Best effort: what cannot be removed now
  // is removed at the next time.
  void RetainOnly(const std::set<std::string>& keep) const;

  std::filesystem::path blobs() const { return root_ / "blobs"; }
  std::filesystem::path work(const std::string& file) const { return root_ / "work" / file; }
  std::filesystem::path predictions(const JobId& job) const { return root_ / "jobs" / job.value() / "predictions"; }
  std::filesystem::path trainer_log() const { return root_ / "trainer.log"; }

 private:
  SiteFolder(std::filesystem::path root, FolderLock lock) : root_(std::move(root)), lock_(std::move(lock)) {}
  std::filesystem::path root_;
  FolderLock lock_;
};

}  // namespace consilium::client
