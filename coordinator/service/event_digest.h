// What the end of a job's events.jsonl tells: when rounds were published, who left, what failed.  For people: events
// can be missing after a crash.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "comm/base/ids.h"
#include "comm/base/json.h"

namespace consilium::coordinator {

using WallTime = std::chrono::system_clock::time_point;

struct EventDigest {
  struct Departure {
    WallTime when;
    std::string reason;
  };
  struct Trouble {
    WallTime when;
    std::string message;
    std::int64_t round = -1;  // -1: not said
  };
  std::vector<WallTime> published;            // of models, oldest first
  std::map<std::string, Departure> departed;  // the last disconnection of sites that have not come back
  std::map<std::string, Trouble> trouble;     // the last failure of each site
  std::optional<WallTime> began;              // the first event that was read
};

// Reads at most the last 256 KiB.
EventDigest DigestEvents(const std::filesystem::path& events);
// From the last rounds' pace; nothing before two rounds are done.
std::optional<double> SecondsPerRound(const EventDigest& digest);
// 2026-11-21T10:48:14.123Z
std::optional<WallTime> ParseUtc(const std::string& text);

}  // namespace consilium::coordinator
