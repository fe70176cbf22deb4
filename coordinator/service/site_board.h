// What is known about each site right now, and status.json made from it.  Nothing here is durable.
#pragma once

#include <functional>
#include <map>
#include <optional>

#include "comm/transport/traffic.h"
#include "coordinator/core/job_machine.h"

namespace consilium::coordinator {

struct SiteNote {
  wire::Heartbeat beat;          // the last one
  std::optional<Instant> heard;  // when it came, or when the site connected
  Duration silence_max{};        // the longest time between two heartbeats of one connection
  double told_progress = 0;      // of the last one that was worth an event
  std::uint64_t bytes = 0;       // of its last update
  wire::Metrics metrics;         // of its last update or evaluation
};

// Strand-bound.
class SiteBoard {
 public:
  using TrafficOf = std::function<transport::Traffic(const SiteName&)>;
  // `traffic_of`: what the transport has carried to and from a site, for whichever job.
  explicit SiteBoard(TrafficOf traffic_of = {}) : traffic_of_(std::move(traffic_of)) {}

  void Connected(const SiteName& site, Instant now) { notes_[site].heard = now; }
  // What it has not said before: it went wrong and is being tried again there; "" when nothing has.  To be asked before
  // Hear.
  std::string NewTrouble(const SiteName& site, const wire::Heartbeat& beat) const;
  // True when it is worth an event: another phase, or 5 % further.
  bool Hear(const SiteName& site, const wire::Heartbeat& beat, Instant now);
  void Take(const Record& record);

  // {"job", "phase", "round", "rounds", "mode", "phase_seconds", "awaited": [...], "message", "parameters",
  //  "paused_by", "replies", "target", "best": {"round", "metric", "value"},
  //  "waiting": [{"what", "who", "state", "seconds", "seconds_left", "then"}],
  //  "sites": [{"site", "connected", "phase", "progress", "awaited", "awaited_seconds", "metrics", "bytes",
  //             "failure", "trouble", "unfit", "silent_seconds", "silent", "waiting", "download_bytes_per_second",
  //             "upload_bytes_per_second", "silent_seconds_max", "health": {...}, "drops": {reason: count},
  //             "traffic": {"bytes_sent", "bytes_received", "chunks_sent", "chunks_received",
  //                         "send_bytes_per_second", "receive_bytes_per_second"}}]}
  // "download_..." and "upload_..." are what the site measured of its last transfer, "traffic" what the coordinator
  // counts since it began, and its speed over the last ten seconds of transfers; of all jobs together.
  // A site's "phase" is its heartbeat's, "away", or "elsewhere" when it works for another job.
  // "phase" is "failed" for a job that ended so.
  Json ToJson(const JobMachine& machine, Instant now) const;

 private:
  Json SiteToJson(const JobMachine& machine, const SiteName& site, bool awaited, Instant now) const;
  TrafficOf traffic_of_;
  std::map<SiteName, SiteNote> notes_;
};

}  // namespace consilium::coordinator
