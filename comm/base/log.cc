#include "comm/base/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <mutex>

namespace consilium {
namespace {

std::shared_ptr<spdlog::logger> MakeLogger(std::shared_ptr<spdlog::sinks::sink> sink, spdlog::level::level_enum level) {
  auto logger = std::make_shared<spdlog::logger>("consilium", std::move(sink));
  logger->set_formatter(
      std::make_unique<spdlog::pattern_formatter>("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc));
  logger->set_level(level);
  logger->flush_on(spdlog::level::info);
  return logger;
}

// Not spdlog's default logger: that one is replaced while another thread, one of gRPC's for instance, writes with it.
struct Current {
  std::mutex mutex;
  std::shared_ptr<spdlog::logger> logger =
      MakeLogger(std::make_shared<spdlog::sinks::stderr_sink_mt>(), spdlog::level::info);
};

// Never destroyed: some thread may log while the process ends.
Current& TheCurrent() {
  static auto* const current = new Current;
  return *current;
}

std::shared_ptr<spdlog::logger> Logger() {
  Current& current = TheCurrent();
  const std::lock_guard lock(current.mutex);
  return current.logger;
}

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

// A value with blanks, quotes or control characters is quoted, so that a line stays one line of key=value pairs.
std::string Quoted(const std::string& value) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  const bool plain = !value.empty() && value.find_first_of(" \"=\\") == std::string::npos &&
                     std::none_of(value.begin(), value.end(), is_control);
  if (plain) return value;
  std::string quoted = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += is_control(c) ? ' ' : c;  // a peer's text must not drive the reader's terminal
  }
  return quoted + "\"";
}

}  // namespace

void SetLogLevel(LogLevel level) { Logger()->set_level(ToSpdlog(level)); }

Status LogToFile(const std::filesystem::path& path) {
  try {
    const auto sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path.string());
    Current& current = TheCurrent();
    const std::lock_guard lock(current.mutex);
    current.logger = MakeLogger(sink, current.logger->level());
  } catch (const spdlog::spdlog_ex& error) {
    return Storage("opening log ", path.string(), ": ", error.what());
  }
  return Status();
}

void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  Log(level, event, std::span<const LogField>(fields.begin(), fields.size()));
}

void Log(LogLevel level, std::string_view event, std::span<const LogField> fields) {
  std::string line;
  for (const LogField& field : fields) line += std::string(field.key) + "=" + Quoted(field.value) + " ";
  Logger()->log(ToSpdlog(level), "{}event={}", line, event);
}

}  // namespace consilium
