#include "trainer/checkpoints/checkpoint_store.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <functional>
#include <set>

#include "comm/base/file.h"
#include "comm/base/log.h"
#include "comm/tensor/safetensors.h"
#include "trainer/checkpoints/checkpoint_manifest.h"

namespace consilium::trainer {
namespace {

namespace fs = std::filesystem;

constexpr CheckpointKind kKinds[] = {CheckpointKind::kLatest, CheckpointKind::kBest, CheckpointKind::kFinal};
constexpr char kWeightsEnding[] = ".safetensors";
constexpr char kOptimizerEnding[] = ".optimizer.safetensors";
constexpr char kManifestEnding[] = ".json";
constexpr const char* kEndings[] = {kManifestEnding, kOptimizerEnding, kWeightsEnding};  // in the order of removal
constexpr char kTemporaryMark[] = ".tmp.";

// How many generations are worth their disk: the one before matters when work would be lost with it.
std::size_t GenerationsKept(CheckpointKind kind) { return kind == CheckpointKind::kLatest ? 2 : 1; }

fs::path FolderOf(const fs::path& run) { return run / "checkpoints"; }

std::string Stem(CheckpointKind kind, std::int64_t generation) {
  char digits[32];
  std::snprintf(digits, sizeof digits, "-%06lld", static_cast<long long>(generation));
  return CheckpointName(kind) + digits;
}

// "latest-000007.optimizer.safetensors" -> {"latest", 7, ".optimizer.safetensors"}; nullopt for names of other things.
struct FileName {
  CheckpointKind kind;
  std::int64_t generation;
  std::string ending;
};
std::optional<FileName> ParseName(const std::string& name) {
  for (const CheckpointKind kind : kKinds) {
    const std::string prefix = CheckpointName(kind) + "-";
    if (!name.starts_with(prefix)) continue;
    std::int64_t generation = 0;
    const char* end = name.data() + name.size();
    const auto [rest, error] = std::from_chars(name.data() + prefix.size(), end, generation);
    if (error == std::errc()) return FileName{kind, generation, std::string(rest, end)};
  }
  return std::nullopt;
}

StatusOr<std::vector<std::string>> ListFolder(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    names.push_back(it->path().filename().string());
  if (error && error != std::errc::no_such_file_or_directory)
    return ErrnoStatus(error.value(), "listing " + folder.string());
  std::sort(names.begin(), names.end());
  return names;
}

// Generations that have a manifest, newest first.
StatusOr<std::vector<std::int64_t>> Committed(const fs::path& run, CheckpointKind kind) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListFolder(FolderOf(run)));
  std::vector<std::int64_t> generations;
  for (const std::string& name : names) {
    const std::optional<FileName> parsed = ParseName(name);
    if (parsed && parsed->kind == kind && parsed->ending == kManifestEnding) generations.push_back(parsed->generation);
  }
  std::sort(generations.begin(), generations.end(), std::greater<>());
  return generations;
}

Status RemoveFile(const fs::path& path) {
  std::error_code error;
  fs::remove(path, error);
  return error ? ErrnoStatus(error.value(), "removing " + path.string()) : Status();
}

// The manifest first: what is left of a removal that was cut short was never committed.
Status RemoveGeneration(const fs::path& run, CheckpointKind kind, std::int64_t generation) {
  for (const char* ending : kEndings) RETURN_IF_ERROR(RemoveFile(FolderOf(run) / (Stem(kind, generation) + ending)));
  return Status();
}

// Gives `target` a second name, atomically.  A copy where the file system has no hard links.
Status LinkOver(const fs::path& target, const fs::path& name) {
  const fs::path temporary = name.string() + Concat(kTemporaryMark, ::getpid());
  ::unlink(temporary.c_str());
  if (::link(target.c_str(), temporary.c_str()) == 0) {
    const int result = ::rename(temporary.c_str(), name.c_str());
    const int error = errno;
    ::unlink(temporary.c_str());  // still there when both names were already one file, or after a failure
    return result == 0 ? Status() : ErrnoStatus(error, "renaming onto " + name.string());
  }
  if (errno != EPERM && errno != EOPNOTSUPP && errno != EMLINK && errno != EXDEV)
    return ErrnoStatus(errno, "linking " + name.string());
  ASSIGN_OR_RETURN(const std::string content, ReadFile(target, std::size_t{1} << 40));
  return WriteFileAtomic(name, content);
}

// The names that people know.
fs::path PublicName(const fs::path& run, CheckpointKind kind, const std::string& ending) {
  return run / ("checkpoint_" + CheckpointName(kind) + ending);
}

Status Publish(const fs::path& run, CheckpointKind kind, std::int64_t generation) {
  for (const char* ending : {kWeightsEnding, kManifestEnding}) {
    const fs::path target = FolderOf(run) / (Stem(kind, generation) + ending);
    std::error_code error;
    if (fs::exists(target, error)) RETURN_IF_ERROR(LinkOver(target, PublicName(run, kind, ending)));
  }
  return SyncDirectory(run);
}

Status SweepTemporaries(const fs::path& run) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListFolder(run));
  for (const std::string& name : names)
    if (name.starts_with("checkpoint_") && name.find(kTemporaryMark) != std::string::npos)
      RETURN_IF_ERROR(RemoveFile(run / name));
  return Status();
}

Status SweepUncommitted(const fs::path& folder) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListFolder(folder));
  const std::set<std::string> present(names.begin(), names.end());
  for (const std::string& name : names) {
    const std::optional<FileName> parsed = ParseName(name);
    if (!parsed) continue;  // not ours
    if (parsed->ending.find(kTemporaryMark) == std::string::npos &&
        present.count(Stem(parsed->kind, parsed->generation) + kManifestEnding))
      continue;
    Log(LogLevel::kWarning, "checkpoint_swept", {{"file", (folder / name).string()}, {"reason", "never_committed"}});
    RETURN_IF_ERROR(RemoveFile(folder / name));
  }
  return Status();
}

StatusOr<CheckpointManifest::File> WriteTensors(const fs::path& folder, const std::string& name,
                                                const tensor::ParameterVector& values) {
  RETURN_IF_ERROR(tensor::WriteParameters(folder / name, values, {{"format", "pt"}}));
  ASSIGN_OR_RETURN(const Digest digest, Sha256OfFile(folder / name));
  return CheckpointManifest::File{name, digest};
}

StatusOr<tensor::ParameterVector> ReadTensors(const fs::path& folder, const CheckpointManifest::File& file) {
  ASSIGN_OR_RETURN(const Digest digest, Sha256OfFile(folder / file.name));
  if (digest != file.sha256)
    return DataLoss((folder / file.name).string(), " has SHA-256 ", digest, ", its manifest says ", file.sha256);
  return tensor::ReadParameters(folder / file.name);
}

Status WriteGeneration(const fs::path& run, CheckpointKind kind, std::int64_t generation,
                       const Checkpoint& checkpoint) {
  const fs::path folder = FolderOf(run);
  const std::string stem = Stem(kind, generation);
  CheckpointManifest manifest;
  manifest.meta = checkpoint.meta;
  ASSIGN_OR_RETURN(manifest.weights, WriteTensors(folder, stem + kWeightsEnding, checkpoint.weights));
  if (checkpoint.momentum) {
    ASSIGN_OR_RETURN(manifest.optimizer, WriteTensors(folder, stem + kOptimizerEnding, *checkpoint.momentum));
  }
  return WriteJson(folder / (stem + kManifestEnding), ManifestToJson(manifest));
}

StatusOr<Checkpoint> ReadGeneration(const fs::path& run, CheckpointKind kind, std::int64_t generation) {
  const fs::path folder = FolderOf(run);
  const fs::path manifest_path = folder / (Stem(kind, generation) + kManifestEnding);
  ASSIGN_OR_RETURN(const Json json, ReadJson(manifest_path));
  const StatusOr<CheckpointManifest> manifest = ManifestFromJson(json);
  if (!manifest.ok()) return Annotate(manifest.status(), manifest_path.string());
  Checkpoint checkpoint;
  checkpoint.meta = manifest->meta;
  ASSIGN_OR_RETURN(checkpoint.weights, ReadTensors(folder, manifest->weights));
  if (manifest->optimizer) {
    ASSIGN_OR_RETURN(checkpoint.momentum, ReadTensors(folder, *manifest->optimizer));
  }
  return checkpoint;
}

}  // namespace

std::string CheckpointName(CheckpointKind kind) {
  switch (kind) {
    case CheckpointKind::kLatest:
      return "latest";
    case CheckpointKind::kBest:
      return "best";
    case CheckpointKind::kFinal:
      return "final";
  }
  return "";
}

StatusOr<CheckpointStore> CheckpointStore::Open(const fs::path& run) {
  RETURN_IF_ERROR(MakeDirectories(FolderOf(run)));
  RETURN_IF_ERROR(SweepTemporaries(run));
  RETURN_IF_ERROR(SweepUncommitted(FolderOf(run)));
  for (const CheckpointKind kind : kKinds) {  // a writer killed after the commit did not get to the public names
    ASSIGN_OR_RETURN(const std::vector<std::int64_t> generations, Committed(run, kind));
    if (!generations.empty()) RETURN_IF_ERROR(Publish(run, kind, generations.front()));
  }
  return CheckpointStore(run);
}

Status CheckpointStore::Save(CheckpointKind kind, const Checkpoint& checkpoint) {
  ASSIGN_OR_RETURN(const std::vector<std::int64_t> generations, Committed(run_, kind));
  const std::int64_t generation = generations.empty() ? 1 : generations.front() + 1;
  if (const Status written = WriteGeneration(run_, kind, generation, checkpoint); !written.ok()) {
    const Status removed = RemoveGeneration(run_, kind, generation);
    return Annotate(written, "saving checkpoint ", CheckpointName(kind), " (step ", checkpoint.meta.step, ")",
                    removed.ok() ? std::string() : Concat(" (", removed.message(), ")"));
  }
  RETURN_IF_ERROR(Annotate(Publish(run_, kind, generation), "saving checkpoint ", CheckpointName(kind)));
  for (std::size_t i = GenerationsKept(kind) - 1; i < generations.size(); ++i)
    RETURN_IF_ERROR(RemoveGeneration(run_, kind, generations[i]));
  return Status();
}

StatusOr<std::optional<Checkpoint>> CheckpointStore::Load(CheckpointKind kind, std::vector<std::string>* notices) {
  ASSIGN_OR_RETURN(const std::vector<std::int64_t> generations, Committed(run_, kind));
  std::vector<std::string> faults;
  for (const std::int64_t generation : generations) {
    StatusOr<Checkpoint> checkpoint = ReadGeneration(run_, kind, generation);
    if (!checkpoint.ok()) {
      faults.push_back(
          Concat("checkpoint ", Stem(kind, generation), " cannot be used: ", checkpoint.status().message()));
      continue;
    }
    for (std::size_t i = 0; i < faults.size(); ++i) {
      if (notices != nullptr)
        notices->push_back(Concat(faults[i], "; discarded, ", Stem(kind, generation), " is used instead"));
      RETURN_IF_ERROR(RemoveGeneration(run_, kind, generations[i]));
    }
    if (!faults.empty()) RETURN_IF_ERROR(Publish(run_, kind, generation));
    return std::optional<Checkpoint>(std::move(checkpoint).value());
  }
  if (faults.empty()) return std::optional<Checkpoint>();
  std::string all;
  for (const std::string& fault : faults) all += (all.empty() ? "" : "; ") + fault;
  return Storage(all, "; mend: put the files back, or remove ", FolderOf(run_).string(), " and train anew");
}

Status CheckpointStore::Remove(CheckpointKind kind) {
  for (const char* ending : {kManifestEnding, kWeightsEnding})
    RETURN_IF_ERROR(RemoveFile(PublicName(run_, kind, ending)));
  ASSIGN_OR_RETURN(std::vector<std::int64_t> generations, Committed(run_, kind));
  std::reverse(generations.begin(), generations.end());  // the newest last: cut short, it is still what Load() finds
  for (const std::int64_t generation : generations) RETURN_IF_ERROR(RemoveGeneration(run_, kind, generation));
  return SyncDirectory(FolderOf(run_));
}

}  // namespace consilium::trainer
