// Content-addressed blobs: a model file travels in chunks that are checked one by one, and is named by a digest of the
// chunks' digests (a Merkle tree of one level), so that who has checked every chunk has checked the whole.
#pragma once

#include <filesystem>
#include <vector>

#include "comm/base/digest.h"

namespace consilium::wire {

inline constexpr std::uint32_t kChunkBytes = 1 << 20;
// 16 GiB: a manifest is 32 bytes a chunk, so this bounds it at 512 KiB.
inline constexpr std::uint64_t kBlobBytesMax = std::uint64_t{16} << 30;

struct BlobManifest {
  Digest digest;  // DigestOfChunks
  std::uint64_t bytes = 0;
  std::vector<Digest> chunks;  // SHA-256 of each kChunkBytes piece; the last one may be shorter
  friend bool operator==(const BlobManifest&, const BlobManifest&) = default;
};

// The name that these bytes and chunks give a blob: SHA-256 of "consilium blob 1", `bytes` as 8 bytes little-endian,
// and the chunks' digests in order.
Digest DigestOfChunks(const BlobManifest& manifest);
// What is wrong inside the manifest itself: too large, or the number of chunks does not fit the bytes.  DataLoss.
Status CheckManifest(const BlobManifest& manifest);
BlobManifest ManifestOf(ByteSpan bytes);
// Reads and hashes the file.  Errors: those of the file system.
StatusOr<BlobManifest> ManifestOfFile(const std::filesystem::path& path);

void Encode(const BlobManifest& manifest, ByteWriter* writer);
BlobManifest DecodeManifest(ByteReader* reader);

}  // namespace consilium::wire
