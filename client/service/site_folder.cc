#include "client/service/site_folder.h"

#include <vector>

#include "comm/base/file.h"

namespace consilium::client {

namespace fs = std::filesystem;

StatusOr<SiteFolder> SiteFolder::Open(fs::path root) {
  root = fs::absolute(root).lexically_normal();
  ASSIGN_OR_RETURN(FolderLock lock, FolderLock::Acquire(root));
  RETURN_IF_ERROR(MakeDirectories(root / "work"));
  return SiteFolder(std::move(root), std::move(lock));
}

StatusOr<SessionState> SiteFolder::ReadState() const {
  const fs::path file = root_ / "session.json";
  std::error_code error;
  if (!fs::exists(file, error)) return SessionState();
  ASSIGN_OR_RETURN(const Json json, ReadJson(file));
  StatusOr<SessionState> state = SessionState::FromJson(json);
  return state.ok() ? std::move(state) : Annotate(state.status(), file.string());
}

Status SiteFolder::WriteState(const SessionState& state) const {
  return WriteJson(root_ / "session.json", state.ToJson());
}

void SiteFolder::RetainOnly(const std::set<std::string>& keep) const {
  std::error_code error;
  std::vector<fs::path> gone;
  const fs::path work = root_ / "work";
  for (fs::recursive_directory_iterator entry(work, error), end; !error && entry != end; entry.increment(error))
    if (entry->is_regular_file(error) && !keep.contains(entry->path().lexically_relative(work).generic_string()))
      gone.push_back(entry->path());
  for (const fs::path& file : gone) fs::remove(file, error);
}

}  // namespace consilium::client
