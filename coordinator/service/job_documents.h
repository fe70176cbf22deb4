// What an operator is told about jobs: list, status and why, as JSON.
//
// A site sees its own jobs, and of the others in them only whether they are connected and awaited: what they measure
// and what fails there is for the operators.
#pragma once

#include "coordinator/service/event_digest.h"
#include "coordinator/service/job_table.h"

namespace consilium::coordinator {

// Who reads: an operator, or (not empty) a site.
struct Reader {
  SiteName site;
  bool is_operator() const { return site.empty(); }
};
// May this reader know of the job at all?
bool MaySee(const Reader& reader, const JobEntry& entry);

// {"active_max", "jobs": [{"job", "state", "round", "rounds", "sites", "connected", "awaited": [...], "absent": [...],
//  "by", "submitted", "priority", "queue_position", "message", "eta_seconds", "paused_by"}]}, oldest first.
Json ListDocument(const JobTable& table, const Reader& reader, Instant now);

// The same of one job, and what status.json has: "phase", "phase_seconds", "mode", "parameters", "sites": [...].
Json StatusDocument(const JobTable& table, const JobEntry& entry, const Reader& reader, Instant now);

// {"job", "state", "answer": "It waits for hospital-b, ...", "since_seconds", "until_seconds", "then",
//  "awaited": [{"site", "for": "answer" | "connection" | "software", "what", "detail"}], "waiting": [as in status, for
//  operators], "causes": [{"site", "round", "message"}], "mend": "..."}; absent keys do not
// apply.
Json WhyDocument(const JobTable& table, const JobEntry& entry, const Reader& reader, Instant now, WallTime wall_now);

}  // namespace consilium::coordinator
