#include "privacy/pki/utc.h"

#include <ctime>

namespace consilium::pki {
namespace {

// The system clock counts nanoseconds in 64 bits: another year would come out as some other time.
constexpr int kYearMin = 1970, kYearMax = 2261;

// The whole text must be of this form, and a time that exists: strptime takes 31 February, the way back does not.
StatusOr<WallTime> ParseAs(const std::string& text, const char* form) {
  std::tm parts{};
  const char* end = ::strptime(text.c_str(), form, &parts);
  if (end == nullptr || *end != '\0') return InvalidArgument("another form");
  if (parts.tm_year + 1900 < kYearMin || parts.tm_year + 1900 > kYearMax) return InvalidArgument("another age");
  const std::tm given = parts;
  const std::time_t seconds = ::timegm(&parts);
  if (given.tm_mday != parts.tm_mday || given.tm_mon != parts.tm_mon) return InvalidArgument("no such day");
  return std::chrono::system_clock::from_time_t(seconds);
}

}  // namespace

WallTime FloorToSecond(WallTime when) { return std::chrono::floor<std::chrono::seconds>(when); }

std::int64_t UnixSeconds(WallTime when) { return std::chrono::system_clock::to_time_t(FloorToSecond(when)); }

std::string FormatSecond(WallTime when) {
  const std::time_t seconds = UnixSeconds(when);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[64];
  const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return std::string(text, size);
}

StatusOr<WallTime> ParseSecond(const std::string& text) {
  if (const StatusOr<WallTime> when = ParseAs(text, "%Y-%m-%dT%H:%M:%SZ"); when.ok()) return when;
  if (const StatusOr<WallTime> day = ParseAs(text, "%Y-%m-%d"); day.ok()) return *day + std::chrono::hours(24);
  return InvalidArgument("'", text.substr(0, 40),
                         "' is not a time such as 2026-11-21T10:48:14Z or a day such as 2027-06-30, from 1970 to 2261");
}

std::int64_t DaysUntil(WallTime when, WallTime now) {
  return std::chrono::floor<std::chrono::days>(when - now).count();
}

}  // namespace consilium::pki
