// How a blob is cut into messages: pieces, none of which crosses the end of a chunk.
#pragma once

#include <algorithm>
#include <cstdint>

#include "comm/wire/blob.h"

namespace consilium::transport {

// How much of a chunk travels in one message.  A transfer holds a handful of messages on each side: what many sites
// cost that transfer at the same time is a multiple of this.
inline constexpr std::uint64_t kPieceBytes = 160 << 10;

// The size of the piece that begins at `offset` < `blob_bytes`.
constexpr std::size_t PieceBytesAt(std::uint64_t offset, std::uint64_t blob_bytes) {
  return static_cast<std::size_t>(
      std::min({kPieceBytes, wire::kChunkBytes - offset % wire::kChunkBytes, blob_bytes - offset}));
}
// Is the byte before `end` the last one of a chunk?
constexpr bool EndsChunk(std::uint64_t end, std::uint64_t blob_bytes) {
  return end % wire::kChunkBytes == 0 || end == blob_bytes;
}
// The size of the chunk whose last byte is the one before `end` > 0.
constexpr std::uint64_t ChunkEndingAt(std::uint64_t end) { return (end - 1) % wire::kChunkBytes + 1; }

}  // namespace consilium::transport
