// A job's files for operators: pinned when they are offered, so that what is downloaded in pieces is one whole even
// while the job goes on.
#pragma once

#include <map>
#include <mutex>
#include <optional>

#include "comm/base/time.h"
#include "comm/transport/blob_store.h"
#include "comm/wire/operator.h"
#include "coordinator/service/job_folder.h"

namespace consilium::coordinator {

// Thread-safe; reads and hashes files, so not for the strand.
class JobFiles {
 public:
  // Pins go into `folder`, which is emptied.
  static StatusOr<std::unique_ptr<JobFiles>> Open(std::filesystem::path folder);

  // `name`: model (the final one), model_latest, model_best, result.json, metrics.jsonl, events.jsonl, job.yaml.
  // `in_force` is the newest model of a job that runs.  Errors: NotFound, saying what there is.
  StatusOr<wire::FileOffer> Offer(const JobFolder& job, const std::string& name,
                                  const std::optional<std::filesystem::path>& in_force);
  // Errors: NotFound when the offer has expired: ask for the file again.
  StatusOr<wire::FileChunk> Read(const Digest& digest, std::uint32_t index);

 private:
  explicit JobFiles(std::filesystem::path folder) : folder_(std::move(folder)) {}
  StatusOr<std::filesystem::path> Pin(const std::filesystem::path& file);
  void DropOldPins();

  const std::filesystem::path folder_;
  std::mutex mutex_;
  std::uint64_t pins_made_ = 0;
  std::map<Digest, Instant> pins_;  // and when each was used last
};

// Whole lines of events.jsonl from `position` on, as many as fit in a message.  A file that is not there, or ends
// before `position`, has none.
StatusOr<wire::LogPart> ReadLogPart(const std::filesystem::path& events, std::uint64_t position);

}  // namespace consilium::coordinator
