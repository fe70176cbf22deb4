#include "comm/wire/blob.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>

namespace consilium::wire {

Status CheckManifest(const BlobManifest& manifest) {
  if (manifest.bytes > kBlobBytesMax)
    return DataLoss("a manifest announces ", manifest.bytes, " bytes; at most ", kBlobBytesMax, " are accepted");
  const std::uint64_t expected = (manifest.bytes + kChunkBytes - 1) / kChunkBytes;
  if (manifest.chunks.size() != expected)
    return DataLoss("a manifest of ", manifest.bytes, " bytes lists ", manifest.chunks.size(), " chunks, expected ",
                    expected);
  return Status();
}

Digest DigestOfChunks(const BlobManifest& manifest) {
  ByteWriter writer;
  writer.PutRaw(AsBytes(std::string_view("consilium blob 1")));
  writer.Put(manifest.bytes);
  for (const Digest& chunk : manifest.chunks) writer.PutRaw(chunk.bytes);
  return Sha256Of(writer.bytes());
}

BlobManifest ManifestOf(ByteSpan bytes) {
  BlobManifest manifest{.bytes = bytes.size()};
  for (; !bytes.empty(); bytes = bytes.subspan(std::min<std::size_t>(bytes.size(), kChunkBytes)))
    manifest.chunks.push_back(Sha256Of(bytes.first(std::min<std::size_t>(bytes.size(), kChunkBytes))));
  manifest.digest = DigestOfChunks(manifest);
  return manifest;
}

StatusOr<BlobManifest> ManifestOfFile(const std::filesystem::path& path) {
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (!file) return ErrnoStatus(errno, "opening " + path.string());
  BlobManifest manifest;
  Bytes chunk(kChunkBytes);
  while (const std::size_t size = std::fread(chunk.data(), 1, chunk.size(), file.get())) {
    manifest.chunks.push_back(Sha256Of({chunk.data(), size}));
    manifest.bytes += size;
  }
  if (std::ferror(file.get())) return ErrnoStatus(errno, "reading " + path.string());
  manifest.digest = DigestOfChunks(manifest);
  return manifest;
}

void Encode(const BlobManifest& manifest, ByteWriter* writer) {
  writer->PutRaw(manifest.digest.bytes);
  writer->Put(manifest.bytes);
  writer->Put(static_cast<std::uint32_t>(manifest.chunks.size()));
  for (const Digest& chunk : manifest.chunks) writer->PutRaw(chunk.bytes);
}

BlobManifest DecodeManifest(ByteReader* reader) {
  const auto get_digest = [&] {
    Digest digest;
    const ByteSpan raw = reader->GetRaw(digest.bytes.size());
    if (!raw.empty()) std::copy(raw.begin(), raw.end(), digest.bytes.begin());
    return digest;
  };
  BlobManifest manifest;
  manifest.digest = get_digest();
  manifest.bytes = reader->Get<std::uint64_t>();
  const std::uint32_t count = reader->GetCount(32);
  for (std::uint32_t i = 0; i < count; ++i) manifest.chunks.push_back(get_digest());
  if (reader->status().ok())
    if (const Status status = CheckManifest(manifest); !status.ok()) reader->Fail(status.message());
  return manifest;
}

}  // namespace consilium::wire
