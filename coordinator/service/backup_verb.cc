#include "coordinator/service/backup_verb.h"

#include <iostream>

#include "comm/base/folder_lock.h"
#include "coordinator/service/archive.h"
#include "coordinator/service/local_door.h"
#include "coordinator/service/snapshot.h"

namespace consilium::coordinator {
namespace {

namespace fs = std::filesystem;

constexpr auto kSnapshotTimeout = std::chrono::minutes(2);

StatusOr<fs::path> StateFolder(const std::string& kit, const std::string& state) {
  if (!state.empty()) return fs::path(state);
  if (!kit.empty()) return fs::path(kit) / "state";
  return InvalidArgument("say which state folder: --state DIR, or --kit DIR for the one inside the coordinator's kit");
}

// From the coordinator that works in the folder, or by ourselves when none does.
StatusOr<fs::path> Snapshot(const fs::path& state) {
  std::error_code error;
  if (!fs::exists(state / "jobs", error) && !fs::exists(state / "endpoint.json", error))
    return NotFound(state.string(), " is not the state folder of a coordinator: it has no jobs");
  StatusOr<Json> reply = AskLocally(state, {{"ask", "snapshot"}}, kSnapshotTimeout);
  if (reply.ok()) return fs::path(reply->value("snapshot", ""));
  if (reply.code() != StatusCode::kUnavailable) return reply.status();
  StatusOr<FolderLock> lock = FolderLock::Acquire(state);
  if (!lock.ok()) return Annotate(lock.status(), reply.status().message(), ", and its folder cannot be locked");
  return TakeSnapshotAtRest(state);
}

Json Summary(const Json& manifest) {
  std::set<std::string> jobs;
  std::uint64_t bytes = 0;
  for (const auto& [name, file] : manifest["files"].items()) {
    bytes += file.value("bytes", std::uint64_t{0});
    if (name.starts_with("jobs/")) jobs.insert(name.substr(5, name.find('/', 5) - 5));
  }
  return {{"made", manifest["made"]}, {"jobs", jobs}, {"files", manifest["files"].size()}, {"bytes", bytes}};
}

}  // namespace

int BackupVerb(const Arguments& arguments) {
  std::string kit, state, output;
  Command command(
      "consilium coordinator backup",
      "Packs the state of a coordinator, running or not, into one file: every job with its journal, and the "
      "models and updates that they need.  The file is a tar archive with a manifest of SHA-256 digests.  "
      "It does not hold the kit: keep a copy of that apart.",
      "consilium coordinator backup --state state --output backup.tar");
  command.Option("--kit", &kit, "the coordinator's kit; its state is in KIT/state unless --state says otherwise");
  command.Option("--state", &state, "the coordinator's state folder");
  command.Option("--output,-o", &output, "file to write", true);
  return command.Run(arguments, [&]() -> Status {
    ASSIGN_OR_RETURN(const fs::path folder, StateFolder(kit, state));
    ASSIGN_OR_RETURN(const fs::path snapshot, Snapshot(folder));
    const StatusOr<Json> manifest = PackArchive(snapshot, output);
    std::error_code ignored;
    fs::remove_all(snapshot, ignored);
    if (!manifest.ok()) return manifest.status();
    const Json summary = Summary(*manifest);
    if (command.json()) Command::PrintJson(summary);
    std::cerr << "Packed " << summary["jobs"].size() << " jobs, " << summary["files"] << " files, "
              << FormatBytes(summary["bytes"].get<std::uint64_t>()) << ", into " << output << "\n";
    return Status();
  });
}

int RestoreVerb(const Arguments& arguments) {
  std::string kit, state, input;
  Command command("consilium coordinator restore",
                  "Makes a state folder from a backup, after checking every file against its SHA-256.  Start the "
                  "coordinator with it, and the jobs go on; sites connect and deliver by themselves.",
                  "consilium coordinator restore --input backup.tar --state state");
  command.Option("--kit", &kit, "the coordinator's kit; its state is in KIT/state unless --state says otherwise");
  command.Option("--state", &state, "folder to make; must be absent or empty");
  command.Option("--input,-i", &input, "the backup", true);
  return command.Run(arguments, [&]() -> Status {
    ASSIGN_OR_RETURN(const fs::path folder, StateFolder(kit, state));
    ASSIGN_OR_RETURN(const Json manifest, UnpackArchive(input, folder));
    const Json summary = Summary(manifest);
    if (command.json()) Command::PrintJson(summary);
    std::cerr << "Restored " << summary["jobs"].size() << " jobs as they were at " << summary["made"].get<std::string>()
              << " into " << folder.string() << "\n";
    return Status();
  });
}

}  // namespace consilium::coordinator
