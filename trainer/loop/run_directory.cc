#include "trainer/loop/run_directory.h"

#include <algorithm>
#include <cstdlib>
#include <set>

#include "comm/base/file.h"

namespace consilium::trainer {
namespace {

namespace fs = std::filesystem;

constexpr char kJobFile[] = "job.yaml";

// Keys of the flattened job that decide where and how it runs, not what comes out.
bool IsOperational(const std::string& key) {
  return key.starts_with("/cluster/") || key == "/train/threads" || key == "/train/checkpoint_every";
}

// "/train/epochs" -> "train.epochs".
std::string DottedKey(const std::string& pointer) {
  std::string key = pointer.substr(1);
  std::replace(key.begin(), key.end(), '/', '.');
  return key;
}

std::string ValueText(const Json& flat, const std::string& key) {
  return flat.contains(key) ? flat.at(key).dump() : std::string("nothing");
}

Status CheckSameJob(const fs::path& run, const wire::JobSpec& now) {
  ASSIGN_OR_RETURN(const wire::JobSpec before, wire::ReadJob(run / kJobFile));
  const std::vector<std::string> differences = JobDifferences(before, now);
  if (differences.empty()) return Status();
  std::string list;
  for (const std::string& difference : differences) list += (list.empty() ? "" : ", ") + difference;
  return InvalidArgument((run / kJobFile).string(), ": the training was begun with other values of ", list,
                         "; resume it with those, or give another --output");
}

}  // namespace

std::vector<std::string> JobDifferences(const wire::JobSpec& before, const wire::JobSpec& now) {
  const Json a = wire::JobToJson(before).flatten(), b = wire::JobToJson(now).flatten();
  std::set<std::string> keys;
  for (const Json* json : {&a, &b})
    for (const auto& [key, value] : json->items()) keys.insert(key);
  std::vector<std::string> differences;
  for (const std::string& key : keys) {
    const std::string was = ValueText(a, key), is = ValueText(b, key);
    if (was != is && !IsOperational(key)) differences.push_back(Concat(DottedKey(key), " (", was, ", now ", is, ")"));
  }
  return differences;
}

fs::path DefaultRunFolder(const wire::JobSpec& job) {
  const char* results = std::getenv("nnUNet_results");
  if (results == nullptr || *results == '\0') return fs::path("runs") / job.name;
  const std::string fold = job.data.fold < 0 ? "all" : std::to_string(job.data.fold);
  return fs::path(results) / job.data.dataset / (job.name + "__" + job.data.configuration) / ("fold_" + fold);
}

Status CheckRun(const fs::path& path, const wire::JobSpec& job, RunStart start) {
  std::error_code error;
  if (!fs::exists(path / kJobFile, error)) return Status();
  if (start == RunStart::kResume) return CheckSameJob(path, job);
  return AlreadyExists(path.string(),
                       " holds a training already; add --resume to go on with it, or give another --output");
}

StatusOr<std::unique_ptr<RunDirectory>> RunDirectory::Open(const fs::path& path, const wire::JobSpec& job,
                                                           RunStart start) {
  RETURN_IF_ERROR(CheckRun(path, job, start));
  RETURN_IF_ERROR(MakeDirectories(path));
  ASSIGN_OR_RETURN(RunLock lock, RunLock::Acquire(path));
  ASSIGN_OR_RETURN(CheckpointStore checkpoints, CheckpointStore::Open(path));
  std::error_code error;
  if (!fs::exists(path / kJobFile, error)) RETURN_IF_ERROR(WriteFileAtomic(path / kJobFile, wire::JobToYaml(job)));
  return std::unique_ptr<RunDirectory>(new RunDirectory(path, std::move(lock), std::move(checkpoints)));
}

}  // namespace consilium::trainer
