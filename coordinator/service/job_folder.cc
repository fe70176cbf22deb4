#include "coordinator/service/job_folder.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "comm/base/log.h"

namespace consilium::coordinator {
namespace {

namespace fs = std::filesystem;

// For one line of a log: ["a", "b"] -> a,b; {"loss": 0.51423, "step": 3.0} -> loss:0.5142,step:3.
std::string PlainText(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) {
    char text[32];
    std::snprintf(text, sizeof text, "%.4g", value.get<double>());
    return text;
  }
  if (!value.is_structured()) return value.dump();
  std::string text;
  for (const auto& [key, item] : value.items())
    text += (text.empty() ? "" : ",") + (value.is_object() ? key + ":" : std::string()) + PlainText(item);
  return text;
}

bool EndsInsideALine(const fs::path& path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  if (!in || in.tellg() <= 0) return false;
  in.seekg(-1, std::ios::end);
  return in.get() != '\n';
}

LogLevel LevelOf(const std::string& event) {
  for (const char* unusual : {"drop", "site_failed", "awaited", "update_lost"})
    if (event == unusual) return LogLevel::kWarning;
  return event == "progress" ? LogLevel::kDebug : LogLevel::kInfo;
}

}  // namespace

std::vector<JobId> JobsIn(const fs::path& state) {
  std::vector<JobId> jobs;
  std::error_code error;
  for (fs::directory_iterator entry(state / "jobs", error), end; !error && entry != end; entry.increment(error))
    if (IsValidName(entry->path().filename().string())) jobs.emplace_back(entry->path().filename().string());
  std::sort(jobs.begin(), jobs.end());
  return jobs;
}

StatusOr<std::unique_ptr<JsonLines>> JsonLines::Open(const fs::path& path, At at) {
  std::FILE* file = std::fopen(path.c_str(), at == At::kEnd ? "ae" : "we");
  if (file == nullptr) return ErrnoStatus(errno, "opening " + path.string());
  std::unique_ptr<JsonLines> lines(new JsonLines(path, file));
  if (at == At::kEnd && EndsInsideALine(path)) std::fputc('\n', file);  // a crash cut it short: keep the next one whole
  return lines;
}

void JsonLines::Append(const Json& line) {
  const std::string text = line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  const bool written =
      std::fwrite(text.data(), 1, text.size(), file_.get()) == text.size() && std::fflush(file_.get()) == 0;
  if (written || warned_) return;
  warned_ = true;
  Log(LogLevel::kWarning, "view_not_written", {{"file", path_.string()}, {"reason", std::strerror(errno)}});
}

void RecordEvent(JsonLines* events, const Clock& clock, const JobId& job, const std::string& event,
                 const Json& fields) {
  Json line = {{"time", FormatUtc(clock.WallNow())}, {"event", event}};
  std::vector<LogField> log_fields = {{"job", job}};
  for (const auto& [key, value] : fields.items()) {
    line[key] = value;
    if (!value.is_null()) log_fields.emplace_back(key, PlainText(value));
  }
  events->Append(line);
  Log(LevelOf(event), event, log_fields);
}

}  // namespace consilium::coordinator
