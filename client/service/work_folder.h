// A site's state folder, mode 0700:
//
//   lock, session.json (what is remembered over a kill), blobs/ (models), trainer.log, run/ (the trainer's socket)
//   jobs/<job>/update-R.A.safetensors, state-R.A.safetensors    work in hand or not yet acknowledged
//   jobs/<job>/masked-R.A-S.bin   what is uploaded in a secure sum; the update itself stays here
//   privacy/<data set>/, privacy/<data set>/site/   what was released of its cases, and of the site as a whole, under
//                              differential privacy, and the secrets of the noise; never removed: without it the site
//                              would forget what its patients' records have given
//   audit.jsonl, site/         the audit log and the site's own say (client/site/site_folder.h)
//   jobs/<job>/predictions/    of the last evaluation; for the people of the site, never sent
#pragma once

#include <filesystem>
#include <set>
#include <string>

#include "client/core/session_state.h"

namespace consilium::client {

// Strand-bound.
class WorkFolder {
 public:
  // The caller has locked it.  Sockets of former lives are removed.
  static StatusOr<WorkFolder> Open(const std::filesystem::path& root);

  // What was remembered; nothing when the client runs for the first time.  Errors: DataLoss for a damaged file.
  StatusOr<SessionState> Load() const;
  Status Save(const SessionState& state) const;  // durable when it returns

  // A name of UpdateFile or StateFile; its folder exists once Prepare was called.
  std::filesystem::path PathOf(const std::string& file) const { return root_ / "jobs" / file; }
  std::filesystem::path predictions(const JobId& job) const { return root_ / "jobs" / job.value() / "predictions"; }
  Status Prepare(const JobId& job) const;
  // Removes update, state and masked files that `live` does not name.
  void Tidy(const std::set<std::string>& live) const;

  std::filesystem::path ledgers() const { return root_ / "privacy"; }
  std::filesystem::path blobs() const { return root_ / "blobs"; }
  std::filesystem::path trainer_log() const { return root_ / "trainer.log"; }
  // Private, and short enough for a socket's path (108 bytes): under the root if that is, else made in /tmp.
  const std::filesystem::path& sockets() const { return sockets_; }

 private:
  explicit WorkFolder(std::filesystem::path root) : root_(std::move(root)) {}
  std::filesystem::path root_, sockets_;
};

}  // namespace consilium::client
