// Messages over a local stream socket or pipe: u32 little-endian size, then that many bytes.  Blocking; interrupted and
// partial transfers are continued.
#pragma once

#include <optional>

#include "comm/base/bytes.h"

namespace consilium::wire {

// A peer that went away is Unavailable, and raises no SIGPIPE on a socket.  At most u32's range of bytes.
Status WriteFrame(int descriptor, ByteSpan message);

// Nothing when the peer closed between two messages.  Errors: DataLoss when it closed inside one, or announces more
// than `size_max` bytes (nothing of that size is allocated); Unavailable when the connection broke.
StatusOr<std::optional<Bytes>> ReadFrame(int descriptor, std::size_t size_max);

}  // namespace consilium::wire
