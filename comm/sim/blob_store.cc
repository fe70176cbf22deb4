#include "comm/sim/blob_store.h"

#include <algorithm>

namespace consilium::sim {

void BlobStore::Recover() {
  for (const std::string& name : disk_->List("parts/")) disk_->Remove(name);
  for (const std::string& name : disk_->List("blobs/"))
    if (NameOf(wire::ManifestOf(disk_->Read(name).value()).digest) != name) disk_->Remove(name);
}

StatusOr<wire::BlobManifest> BlobStore::Import(ByteSpan bytes) {
  wire::BlobManifest manifest = wire::ManifestOf(bytes);
  RETURN_IF_ERROR(disk_->WriteAtomic(NameOf(manifest.digest), bytes));
  return manifest;
}

std::uint64_t BlobStore::BytesDone(const wire::BlobManifest& manifest) const {
  if (Has(manifest.digest)) return manifest.bytes;
  const StatusOr<Bytes> part = disk_->Read(PartOf(manifest.digest));
  return part.ok() ? part->size() : 0;
}

Status BlobStore::Append(const wire::BlobManifest& manifest, std::uint64_t offset, ByteSpan bytes) {
  const std::string part = PartOf(manifest.digest);
  const std::uint64_t done = BytesDone(manifest);
  if (offset != done || done + bytes.size() > manifest.bytes)
    return DataLoss("bytes ", offset, " to ", offset + bytes.size(), " of a blob of ", manifest.bytes, " that has ",
                    done);
  RETURN_IF_ERROR(disk_->Append(part, bytes));
  if (done + bytes.size() < manifest.bytes) return Status();
  if (wire::ManifestOf(disk_->Read(part).value()).digest == manifest.digest)
    return disk_->Rename(part, NameOf(manifest.digest));
  disk_->Remove(part);
  return DataLoss("the bytes that came are not those of blob ", manifest.digest);
}

void BlobStore::RetainOnly(const std::set<Digest>& keep, const std::set<Digest>& receiving) {
  std::set<std::string> names;
  for (const Digest& digest : keep) names.merge(std::set<std::string>{NameOf(digest), PartOf(digest)});
  for (const Digest& digest : receiving) names.insert(PartOf(digest));
  for (const char* folder : {"blobs/", "parts/"})
    for (const std::string& name : disk_->List(folder))
      if (!names.contains(name)) disk_->Remove(name);
}

}  // namespace consilium::sim
