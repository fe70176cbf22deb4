// Which ends of a transfer may be other ones later.
#pragma once

#include "comm/base/status.h"

namespace consilium::client {

// Connection trouble, as opposed to an answer.
inline bool IsConnectionTrouble(StatusCode code) {
  return code == StatusCode::kUnavailable || code == StatusCode::kDeadlineExceeded || code == StatusCode::kCancelled;
}
// For an upload, a full disk at the coordinator is as passing as a cut line: the work is done, and a person can make
// room.
inline bool IsPassingForUploads(StatusCode code) { return IsConnectionTrouble(code) || code == StatusCode::kStorage; }

}  // namespace consilium::client
