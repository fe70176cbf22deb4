// The trainer's stderr in a file of bounded size, and its last words for whoever asks why it died.
#pragma once

#include <filesystem>
#include <string>

#include "comm/base/status.h"

namespace consilium::client {

// Before a trainer starts: a large log becomes <log>.1.
Status RotateLog(const std::filesystem::path& log);
// While it writes (in append mode): beyond 16 MiB the newest MiB is kept as <log>.1 and the log starts anew.
Status BoundLog(const std::filesystem::path& log);
// How many bytes the log has; 0 when there is none.
std::uint64_t LogBytes(const std::filesystem::path& log);
// The last lines after byte `begin`, at most 20 lines or 2 KiB, without control characters; "" when there are none.
std::string LastWords(const std::filesystem::path& log, std::uint64_t begin);

}  // namespace consilium::client
