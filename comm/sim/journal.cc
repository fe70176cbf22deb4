#include "comm/sim/journal.h"

#include <algorithm>

namespace consilium::sim {
namespace {

// FNV-1a: enough against tears; nobody forges here.
std::uint64_t ChecksumOf(ByteSpan bytes) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const std::uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001b3;
  return hash;
}

// u64 checksum, u32 size, the record.  Zeros are no frame: the checksum of nothing is not zero.
Bytes FrameOf(ByteSpan record) {
  ByteWriter frame;
  frame.Put(ChecksumOf(record));
  frame.PutBytes(record);
  return std::move(frame).Take();
}

}  // namespace

std::vector<Bytes> Journal::Recover() {
  std::vector<Bytes> records;
  const StatusOr<Bytes> file = disk_->Read(name_);
  if (!file.ok()) return records;
  ByteReader reader(*file);
  std::size_t whole = 0;
  while (reader.remaining() > 0) {
    const auto checksum = reader.Get<std::uint64_t>();
    Bytes record = reader.GetBytes(file->size());
    if (!reader.status().ok() || checksum != ChecksumOf(record)) break;
    records.push_back(std::move(record));
    whole = file->size() - reader.remaining();
  }
  // Else the next record would stand behind bytes that nobody can read past.
  disk_->Truncate(name_, whole);
  (void)disk_->Sync(name_);  // the file is there
  return records;
}

Status Journal::Append(ByteSpan record) {
  RETURN_IF_ERROR(disk_->Append(name_, FrameOf(record)));
  return disk_->Sync(name_);
}

void Journal::AppendTorn(ByteSpan record, std::size_t bytes) {
  const Bytes frame = FrameOf(record);
  (void)disk_->Append(name_, ByteSpan(frame).first(std::min(bytes, frame.size() - 1)));
}

}  // namespace consilium::sim
