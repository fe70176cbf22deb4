// Content-addressed blobs: a model file is named by the SHA-256 of its bytes and travels in chunks that are checked one
// by one.
#pragma once

#include <filesystem>
#include <vector>

#include "comm/base/digest.h"

namespace consilium::wire {

inline constexpr std::uint32_t kChunkBytes = 1 << 20;
// 16 GiB: a manifest is 32 bytes a chunk, so this bounds it at 512 KiB.
inline constexpr std::uint64_t kBlobBytesMax = std::uint64_t{16} << 30;

struct BlobManifest {
  Digest digest;  // SHA-256 of the whole
  std::uint64_t bytes = 0;
  std::vector<Digest> chunks;  // SHA-256 of each kChunkBytes piece; the last one may be shorter
  friend bool operator==(const BlobManifest&, const BlobManifest&) = default;
};

// What is wrong inside the manifest itself: too large, or the number of chunks does not fit the bytes.  DataLoss.
Status CheckManifest(const BlobManifest& manifest);
StatusOr<BlobManifest> ManifestOfFile(const std::filesystem::path& path);

void Encode(const BlobManifest& manifest, ByteWriter* writer);
BlobManifest DecodeManifest(ByteReader* reader);

}  // namespace consilium::wire
