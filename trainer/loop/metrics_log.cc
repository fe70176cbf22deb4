#include "trainer/loop/metrics_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <sstream>

#include "comm/base/file.h"

namespace consilium::trainer {
namespace {

// A line that is no JSON or has no epoch was cut short by a crash: not kept.
bool BelongsBefore(const std::string& line, std::int64_t first_epoch) {
  const StatusOr<Json> json = ParseJson(line, "metrics.jsonl");
  return json.ok() && json->is_object() && json->contains("epoch") && (*json)["epoch"].is_number_integer() &&
         (*json)["epoch"].get<std::int64_t>() < first_epoch;
}

}  // namespace

StatusOr<MetricsLog> MetricsLog::Open(const std::filesystem::path& path, std::int64_t first_epoch) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return MetricsLog(path);
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  std::string kept;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (BelongsBefore(line, first_epoch)) kept += line + "\n";
  if (kept != text) RETURN_IF_ERROR(WriteFileAtomic(path, kept));
  return MetricsLog(path);
}

Status MetricsLog::Append(const Json& line) {
  const std::string text = line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  const int descriptor = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (descriptor < 0) return ErrnoStatus(errno, "opening " + path_.string());
  struct stat before {};
  ssize_t written = ::fstat(descriptor, &before) == 0 ? 0 : -1;
  if (written == 0) written = ::write(descriptor, text.data(), text.size());
  int failure = written < 0 ? errno : 0;
  if (failure == 0 && written < static_cast<ssize_t>(text.size())) {
    failure = ENOSPC;
    if (::ftruncate(descriptor, before.st_size) != 0) failure = errno;
  }
  ::close(descriptor);
  return failure == 0 ? Status() : ErrnoStatus(failure, "writing " + path_.string());
}

}  // namespace consilium::trainer
