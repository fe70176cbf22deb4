// One line per event, key=value, ids first: "2026-11-21T10:48:14.123Z info round=12 site=a event=drop
// reason=late_report". To stderr, or to the file given once at start.  Never secrets.  Thread-safe.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "comm/base/status.h"

namespace consilium {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

struct LogField {
  template <typename T>
  LogField(std::string_view key, const T& value) : key(key), value(Concat(value)) {}
  std::string_view key;
  std::string value;
};

void SetLogLevel(LogLevel level);
// Appends to `path` instead of stderr.
Status LogToFile(const std::filesystem::path& path);
void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});
// The same for fields that are known only at run time.
void Log(LogLevel level, std::string_view event, std::span<const LogField> fields);

}  // namespace consilium
