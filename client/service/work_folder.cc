#include "client/service/work_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "comm/base/file.h"
#include "comm/base/log.h"

namespace consilium::client {
namespace {

namespace fs = std::filesystem;

// sun_path has 108 bytes with its end; "/trainer-xxxxxxxx.sock" takes 22.
constexpr std::size_t kSocketFolderBytesMax = 84;

Status MakePrivate(const fs::path& folder) {
  RETURN_IF_ERROR(MakeDirectories(folder));
  return ::chmod(folder.c_str(), 0700) == 0 ? Status() : ErrnoStatus(errno, "chmod 700 " + folder.string());
}

StatusOr<fs::path> MakeSocketFolder(const fs::path& root) {
  const fs::path inside = fs::absolute(root) / "run";
  if (inside.string().size() <= kSocketFolderBytesMax) {
    std::error_code ignored;
    fs::remove_all(inside, ignored);
    RETURN_IF_ERROR(MakePrivate(inside));
    return inside;
  }
  std::string name = "/tmp/consilium-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) return ErrnoStatus(errno, "making a folder for the trainer's socket in /tmp");
  return fs::path(name);
}

}  // namespace

StatusOr<WorkFolder> WorkFolder::Open(const fs::path& root) {
  WorkFolder folder(root);
  RETURN_IF_ERROR(MakePrivate(root));
  RETURN_IF_ERROR(MakePrivate(root / "jobs"));
  ASSIGN_OR_RETURN(folder.sockets_, MakeSocketFolder(root));
  return folder;
}

StatusOr<SessionState> WorkFolder::Load() const {
  const fs::path file = root_ / "session.json";
  const StatusOr<Json> json = ReadJson(file);
  if (json.code() == StatusCode::kNotFound) return SessionState();
  if (!json.ok()) return json.status();
  StatusOr<SessionState> state = SessionState::FromJson(*json);
  if (!state.ok())
    return Annotate(state.status(), file.string(), " (move it away to forget unfinished work and go on)");
  return state;
}

Status WorkFolder::Save(const SessionState& state) const {
  return WriteFileAtomic(root_ / "session.json", state.ToJson().dump(1) + "\n", 0600);
}

Status WorkFolder::Prepare(const JobId& job) const { return MakePrivate(root_ / "jobs" / job.value()); }

void WorkFolder::Tidy(const std::set<std::string>& live) const {
  std::error_code error;
  for (fs::directory_iterator job(root_ / "jobs", error), end; !error && job != end; job.increment(error)) {
    std::error_code inner;
    for (fs::directory_iterator file(job->path(), inner); !inner && file != end; file.increment(inner)) {
      const std::string name = file->path().filename().string();
      if (!name.starts_with("update-") && !name.starts_with("state-") && !name.starts_with("masked-")) continue;
      if (live.contains(job->path().filename().string() + "/" + name)) continue;
      std::error_code failed;
      fs::remove_all(file->path(), failed);
      if (failed)
        Log(LogLevel::kWarning, "file_not_removed", {{"file", file->path().string()}, {"reason", failed.message()}});
    }
  }
}

}  // namespace consilium::client
