// Times as people read them in a roster or a policy: to the second.
#pragma once

#include <chrono>
#include <string>

#include "comm/base/status.h"

namespace consilium::pki {

using WallTime = std::chrono::system_clock::time_point;

WallTime FloorToSecond(WallTime when);
std::int64_t UnixSeconds(WallTime when);
// "2026-11-21T10:48:14Z"
std::string FormatSecond(WallTime when);
// The other way; also a day alone, "2027-06-30", which is its end.  Errors: InvalidArgument, also for years before 1970
// and after 2261.
StatusOr<WallTime> ParseSecond(const std::string& text);
// Whole days from now until then; negative when it is over.
std::int64_t DaysUntil(WallTime when, WallTime now);

}  // namespace consilium::pki
