#include "comm/base/time.h"

#include <cmath>
#include <cstdio>
#include <ctime>

namespace consilium {
namespace {

class RealClock final : public Clock {
 public:
  Instant Now() const override { return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now()); }
  std::chrono::system_clock::time_point WallNow() const override { return std::chrono::system_clock::now(); }
};

}  // namespace

const Clock& SystemClock() {
  static const RealClock clock;
  return clock;
}

StatusOr<Duration> ParseDuration(const std::string& text) {
  const auto bad = [&] {
    return InvalidArgument("'", text, "' is not a duration; write for example 90s, 20m, 1h30m or 250ms");
  };
  double total_seconds = 0;
  std::size_t at = 0;
  if (text.empty()) return bad();
  while (at < text.size()) {
    std::size_t digits = at;
    while (digits < text.size() && (std::isdigit(static_cast<unsigned char>(text[digits])) || text[digits] == '.'))
      ++digits;
    std::size_t unit_end = digits;
    while (unit_end < text.size() && std::isalpha(static_cast<unsigned char>(text[unit_end]))) ++unit_end;
    if (digits == at || unit_end == digits) return bad();
    const std::string unit = text.substr(digits, unit_end - digits);
    const double scale = unit == "ms"  ? 1e-3
                         : unit == "s" ? 1.0
                         : unit == "m" ? 60.0
                         : unit == "h" ? 3600.0
                         : unit == "d" ? 86400.0
                                       : -1.0;
    if (scale < 0) return bad();
    char* parsed_end = nullptr;
    const std::string number = text.substr(at, digits - at);
    total_seconds += std::strtod(number.c_str(), &parsed_end) * scale;
    if (*parsed_end != '\0') return bad();
    at = unit_end;
  }
  if (total_seconds > 1e9) return bad();  // 2^63 ns is 292 years; nobody waits that long on purpose
  return Duration(static_cast<std::int64_t>(std::llround(total_seconds * 1e9)));
}

std::string FormatDuration(Duration duration) {
  const double seconds = Seconds(duration);
  char text[64];
  // Each bound is where the next unit begins after rounding, so that 59.9 s reads 1m and not 60s.
  if (seconds < 0.9995) {
    std::snprintf(text, sizeof text, "%.0fms", seconds * 1e3);
  } else if (seconds < 9.95) {
    std::snprintf(text, sizeof text, "%.1fs", seconds);
  } else if (seconds < 59.5) {
    std::snprintf(text, sizeof text, "%.0fs", seconds);
  } else {
    const auto whole = static_cast<long long>(std::llround(seconds));
    if (whole < 3600) {
      std::snprintf(text, sizeof text, whole % 60 ? "%lldm%02llds" : "%lldm", whole / 60, whole % 60);
    } else {
      std::snprintf(text, sizeof text, (whole / 60) % 60 ? "%lldh%02lldm" : "%lldh", whole / 3600, (whole / 60) % 60);
    }
  }
  return text;
}

std::string ExactDuration(Duration duration) {
  const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  return millis % 1000 == 0 ? std::to_string(millis / 1000) + "s" : std::to_string(millis) + "ms";
}

std::string FormatUtc(std::chrono::system_clock::time_point when) {
  const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(when.time_since_epoch()).count();
  const std::time_t seconds = static_cast<std::time_t>(millis / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[64];
  const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text + length, sizeof text - length, ".%03dZ", static_cast<int>(millis % 1000));
  return text;
}

}  // namespace consilium
