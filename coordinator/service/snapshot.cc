#include "coordinator/service/snapshot.h"

#include "comm/base/entropy.h"
#include "comm/base/file.h"
#include "comm/base/log.h"

namespace consilium::coordinator {
namespace {

namespace fs = std::filesystem;

constexpr char kSnapshots[] = "snapshots";

// Files that are replaced as a whole, never written to again: a link is a copy.
Status Link(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::create_hard_link(from, to, error);
  if (error) fs::copy_file(from, to, error);
  return error ? ErrnoStatus(error.value(), "linking " + from.string()) : Status();
}

Status Copy(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::copy_file(from, to, error);
  return error ? ErrnoStatus(error.value(), "copying " + from.string()) : Status();
}

bool Exists(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

Status TakeJob(const JobFolder& folder, Journal* journal, const fs::path& target) {
  RETURN_IF_ERROR(MakeDirectories(target));
  std::error_code error;
  for (fs::directory_iterator entry(folder.root(), error), end; !error && entry != end; entry.increment(error)) {
    const fs::path file = entry->path();
    const std::string name = file.filename().string();
    const bool is_journal = name.starts_with(folder.journal().filename().string());
    if (!entry->is_regular_file() || (is_journal && journal != nullptr) || file == folder.fold() ||
        file.extension() == ".tmp" || name.find(".tmp.") != std::string::npos)
      continue;
    const bool grows = is_journal || file.extension() == ".jsonl";
    RETURN_IF_ERROR(grows ? Copy(file, target / name) : Link(file, target / name));
  }
  if (error) return ErrnoStatus(error.value(), "listing " + folder.root().string());
  return journal == nullptr ? Status() : journal->CopyTo(target / folder.journal().filename());
}

Status TakeBlobs(const std::set<Digest>& digests, const transport::BlobStore& blobs, const fs::path& target) {
  for (const Digest& digest : digests)
    if (blobs.Has(digest)) RETURN_IF_ERROR(Link(blobs.PathOf(digest), target / digest.ToHex()));
  return Status();
}

StatusOr<fs::path> MakeFolder(const fs::path& state) {
  const fs::path folder = state / kSnapshots / RandomHex(SystemEntropy(), 8);
  RETURN_IF_ERROR(MakeDirectories(folder / "jobs"));
  RETURN_IF_ERROR(MakeDirectories(folder / "blobs"));
  return folder;
}

// All or nothing.
StatusOr<fs::path> Whole(const fs::path& folder, const Status& status) {
  if (status.ok()) return folder;
  std::error_code ignored;
  fs::remove_all(folder, ignored);
  return Annotate(status, "the state could not be copied");
}

Status Take(const fs::path& state, const std::map<JobId, JobEntry>& jobs, const transport::BlobStore& blobs,
            const fs::path& folder) {
  std::set<Digest> digests;
  for (const auto& [job, entry] : jobs) {
    RETURN_IF_ERROR(TakeJob(JobFolder(state, job), entry.runner ? entry.runner->journal() : nullptr,
                            folder / "jobs" / job.value()));
    if (entry.stand == Stand::kFinished) continue;
    if (entry.submission.model.bytes > 0) digests.insert(entry.submission.model.digest);
    digests.insert(entry.live.begin(), entry.live.end());
    if (entry.runner) digests.merge(entry.runner->LiveBlobs());
  }
  return TakeBlobs(digests, blobs, folder / "blobs");
}

Status TakeAtRest(const fs::path& state, const fs::path& folder) {
  for (const JobId& job : JobsIn(state)) {
    const JobFolder from(state, job);
    std::unique_ptr<Journal> journal;
    if (Exists(from.journal())) {
      ASSIGN_OR_RETURN(journal, Journal::Open(from.journal()));
    }
    RETURN_IF_ERROR(TakeJob(from, journal.get(), folder / "jobs" / job.value()));
  }
  // Which of them are needed is found when the coordinator starts.
  std::error_code error;
  for (fs::directory_iterator entry(state / "blobs", error), end; !error && entry != end; entry.increment(error))
    if (Digest::FromHex(entry->path().filename().string()).ok())
      RETURN_IF_ERROR(Link(entry->path(), folder / "blobs" / entry->path().filename()));
  return Status();
}

}  // namespace

StatusOr<fs::path> TakeSnapshot(const fs::path& state, const std::map<JobId, JobEntry>& jobs,
                                const transport::BlobStore& blobs) {
  ASSIGN_OR_RETURN(const fs::path folder, MakeFolder(state));
  Log(LogLevel::kInfo, "snapshot", {{"folder", folder.string()}, {"jobs", jobs.size()}});
  return Whole(folder, Take(state, jobs, blobs, folder));
}

StatusOr<fs::path> TakeSnapshotAtRest(const fs::path& state) {
  ASSIGN_OR_RETURN(const fs::path folder, MakeFolder(state));
  return Whole(folder, TakeAtRest(state, folder));
}

void RemoveSnapshots(const fs::path& state) {
  std::error_code ignored;
  fs::remove_all(state / kSnapshots, ignored);
}

}  // namespace consilium::coordinator
