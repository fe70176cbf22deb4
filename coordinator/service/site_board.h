// What is known about each site right now, and status.json made from it.  Nothing here is durable.
#pragma once

#include <map>
#include <optional>

#include "coordinator/core/job_machine.h"

namespace consilium::coordinator {

struct SiteNote {
  wire::Heartbeat beat;          // the last one
  std::optional<Instant> heard;  // when it came
  double told_progress = 0;      // of the last one that was worth an event
  std::uint64_t bytes = 0;       // of its last update
  wire::Metrics metrics;         // of its last update or evaluation
};

// Strand-bound.
class SiteBoard {
 public:
  // True when it is worth an event: another phase, or 5 % further.
  bool Hear(const SiteName& site, const wire::Heartbeat& beat, Instant now);
  void Take(const Record& record);

  // {"job", "phase", "round", "rounds", "mode", "phase_seconds", "awaited": [...], "message", "parameters",
  //  "paused_by", "replies", "target", "best": {"round", "metric", "value"},
  //  "waiting": [{"what", "who", "state", "seconds", "seconds_left", "then"}],
  //  "sites": [{"site", "connected", "phase", "progress", "awaited", "awaited_seconds", "metrics", "bytes",
  //             "failure", "trouble", "unfit", "silent_seconds", "silent", "waiting", "download_bytes_per_second",
  //             "upload_bytes_per_second", "health": {...}, "drops": {reason: count}}]}
  // A site's "phase" is its heartbeat's, "away", or "elsewhere" when it works for another job.
  // "phase" is "failed" for a job that ended so.
  Json ToJson(const JobMachine& machine, Instant now) const;

 private:
  Json SiteToJson(const JobMachine& machine, const SiteName& site, bool awaited, Instant now) const;
  std::map<SiteName, SiteNote> notes_;
};

}  // namespace consilium::coordinator
