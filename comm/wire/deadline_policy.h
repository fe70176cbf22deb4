// Every wait of a federated job, derived from the one number that a person chooses: federation.round_deadline.
// docs/deadlines.md shows the table to users.  Transfers have their own limit (GrpcServerOptions::stall_timeout): it is
// the time of one piece on the slowest line that is served, which no job changes, and shorter would never end there.
#pragma once

#include "comm/base/time.h"

namespace consilium::wire {

struct DeadlinePolicy {
  Duration task;             // a site's answer to a training task: the round_deadline itself
  Duration evaluation;       // a site's answer to an evaluation, validation or statistics task
  Duration gather;           // enough sites to open a later round; before the first there is no limit
  Duration gather_grace;     // who contributed to the last round is given this long to reconnect
  Duration straggler_grace;  // once `sites.enough` have replied, the others are given this long
  Duration secure_stage;     // mode secure: a site's answer to a question about keys, shares or survivors
  Duration secure_silence;   // at the site: its keys of a sum about which it is asked nothing for so long are wiped
  Duration silence;          // a site whose heartbeats stop for so long is taken for disconnected
  Duration trainer_silence;  // a trainer that reports nothing for so long is stuck, and ended
  Duration reminder;         // who is awaited is said again so often

  // Heartbeats come every 3 s; a site that missed so many is shown as silent.
  static constexpr int kHeartbeatsMissedMax = 3;

  explicit DeadlinePolicy(Duration round_deadline);
  friend bool operator==(const DeadlinePolicy&, const DeadlinePolicy&) = default;
};

}  // namespace consilium::wire
