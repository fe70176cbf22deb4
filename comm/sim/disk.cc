#include "comm/sim/disk.h"

#include <algorithm>
#include <set>

namespace consilium::sim {
namespace {

// What the disk may hold of a file that was `synced` once and then changed to `seen`.
Bytes Torn(const Bytes* synced, const Bytes& seen, Rng* rng) {
  const bool appended =
      synced != nullptr && synced->size() <= seen.size() && std::equal(synced->begin(), synced->end(), seen.begin());
  const std::size_t sure = appended ? synced->size() : 0;
  Bytes kept(seen.begin(), seen.begin() + static_cast<std::ptrdiff_t>(sure + rng->Below(seen.size() - sure + 1)));
  // The length may have reached the disk before the bytes: then the tail reads as zeros.
  const std::size_t zeros = rng->Bernoulli(0.3) ? rng->Below(kept.size() - sure + 1) : 0;
  std::fill(kept.end() - static_cast<std::ptrdiff_t>(zeros), kept.end(), 0);
  return kept;
}

}  // namespace

StatusOr<Bytes> Disk::Read(const std::string& name) const {
  const auto found = seen_.find(name);
  if (found == seen_.end()) return NotFound("there is no file ", name);
  return found->second;
}

std::vector<std::string> Disk::List(const std::string& prefix) const {
  std::vector<std::string> names;
  for (auto file = seen_.lower_bound(prefix); file != seen_.end() && file->first.starts_with(prefix); ++file)
    names.push_back(file->first);
  return names;
}

Status Disk::CheckRoom(const std::string& name) const {
  return full_ ? Storage("writing ", name, ": no space left on device") : Status();
}

Status Disk::Write(const std::string& name, Bytes bytes) {
  RETURN_IF_ERROR(CheckRoom(name));
  stats_.bytes_written += bytes.size();
  seen_[name] = std::move(bytes);
  return Status();
}

Status Disk::Append(const std::string& name, ByteSpan bytes) {
  RETURN_IF_ERROR(CheckRoom(name));
  stats_.bytes_written += bytes.size();
  Bytes& file = seen_[name];
  file.insert(file.end(), bytes.begin(), bytes.end());
  return Status();
}

Status Disk::Sync(const std::string& name) {
  const auto found = seen_.find(name);
  if (found == seen_.end()) return NotFound("there is no file ", name, " to sync");
  ++stats_.syncs;
  if (!lying_) durable_[name] = found->second;
  return Status();
}

Status Disk::Rename(const std::string& from, const std::string& to) {
  const auto found = seen_.find(from);
  if (found == seen_.end()) return NotFound("there is no file ", from, " to rename");
  seen_[to] = std::move(found->second);
  seen_.erase(from);
  return Status();
}

void Disk::Truncate(const std::string& name, std::size_t size) {
  if (const auto found = seen_.find(name); found != seen_.end() && found->second.size() > size)
    found->second.resize(size);
}

Status Disk::WriteAtomic(const std::string& name, ByteSpan bytes) {
  const std::string temporary = name + ".tmp";
  RETURN_IF_ERROR(Write(temporary, Bytes(bytes.begin(), bytes.end())));
  RETURN_IF_ERROR(Sync(temporary));
  RETURN_IF_ERROR(Rename(temporary, name));
  return Sync(name);
}

void Disk::LosePower(Rng* rng) {
  std::set<std::string> names;
  for (const auto& [name, bytes] : seen_) names.insert(name);
  for (const auto& [name, bytes] : durable_) names.insert(name);
  for (const std::string& name : names) {
    const auto seen = seen_.find(name);
    const auto synced = durable_.find(name);
    const Bytes* before = synced == durable_.end() ? nullptr : &synced->second;
    if (before != nullptr && seen != seen_.end() && *before == seen->second) continue;
    const double fate = rng->Uniform();
    if (seen != seen_.end() && fate < 0.4) {
      seen->second = Torn(before, seen->second, rng);
    } else if (fate < 0.7) {  // as it was synced
      if (before != nullptr)
        seen_[name] = *before;
      else
        seen_.erase(name);
    }  // else all of it had got there
  }
  durable_ = seen_;
}

}  // namespace consilium::sim
