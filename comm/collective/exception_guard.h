// The one place where what c10d, Gloo, NCCL or torch throw becomes a Status.
#pragma once

#include <string>

#include "comm/base/status.h"

namespace consilium::collective {

// Call it in a catch block.  A connection that broke: RankFailure; no answer in time: DeadlineExceeded; memory:
// ResourceExhausted; everything else (wrong arguments, our bug): Failed.  Keeps the first line of the text.
Status StatusOfExceptionInFlight(const std::string& what);

// Is it about the gang, so that its ranks no longer agree on what comes next?
inline bool BreaksTheGang(const Status& status) {
  return status.code() == StatusCode::kRankFailure || status.code() == StatusCode::kDeadlineExceeded;
}

}  // namespace consilium::collective
