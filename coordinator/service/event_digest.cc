#include "coordinator/service/event_digest.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <sstream>

namespace consilium::coordinator {
namespace {

constexpr std::streamoff kBytesMax = 256 << 10;
constexpr std::size_t kPaceRounds = 5;  // over how many of the last rounds the pace is taken

std::string Text(const Json& event, const char* key) {
  return event.contains(key) && event[key].is_string() ? event[key].get<std::string>() : "";
}

void Take(const Json& event, EventDigest* digest) {
  const std::optional<WallTime> when = ParseUtc(Text(event, "time"));
  if (!when) return;
  if (!digest->began) digest->began = when;
  const std::string name = Text(event, "event"), site = Text(event, "site");
  if (name == "model_published") digest->published.push_back(*when);
  if (name == "site_connected") digest->departed.erase(site);
  if (name == "site_disconnected") digest->departed[site] = {*when, Text(event, "reason")};
  if (name == "update_accepted" || name == "evaluation") digest->trouble.erase(site);  // it came good
  // After a restart of the coordinator who is there has to say so again.
  if (name == "recovered") digest->departed.clear();
  if (name == "site_failed" || name == "site_held_up" || name == "update_refused") {
    const Json round = event.value("round", Json());
    digest->trouble[site] = {*when, Text(event, "message"), round.is_number_integer() ? round.get<std::int64_t>() : -1};
  }
}

}  // namespace

std::optional<WallTime> ParseUtc(const std::string& text) {
  std::tm parts{};
  int milliseconds = 0;
  if (std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ", &parts.tm_year, &parts.tm_mon, &parts.tm_mday,
                  &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &milliseconds) != 7)
    return std::nullopt;
  parts.tm_year -= 1900, parts.tm_mon -= 1;
  return std::chrono::system_clock::from_time_t(::timegm(&parts)) + std::chrono::milliseconds(milliseconds);
}

EventDigest DigestEvents(const std::filesystem::path& events) {
  EventDigest digest;
  std::ifstream in(events, std::ios::binary | std::ios::ate);
  if (!in) return digest;
  const std::streamoff size = in.tellg(), begin = std::max<std::streamoff>(0, size - kBytesMax);
  in.seekg(begin);
  std::string line;
  if (begin > 0) std::getline(in, line);  // the rest of a line
  while (std::getline(in, line)) {
    const StatusOr<Json> event = ParseJson(line, "events.jsonl");
    if (event.ok() && event->is_object()) Take(*event, &digest);
  }
  return digest;
}

std::optional<double> SecondsPerRound(const EventDigest& digest) {
  const std::vector<WallTime>& published = digest.published;
  if (published.size() < 2) return std::nullopt;
  const std::size_t rounds = std::min(kPaceRounds, published.size() - 1);
  return std::chrono::duration<double>(published.back() - published[published.size() - 1 - rounds]).count() /
         static_cast<double>(rounds);
}

}  // namespace consilium::coordinator
