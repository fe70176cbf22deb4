// What the coordinator says about a job in its status.json, read tolerantly: the file is rewritten while we look.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "comm/base/json.h"

namespace consilium::demo {

struct SiteView {
  std::string name;
  bool connected = false;
  std::string phase;                      // "training", "idle", ...
  double progress = 0;                    // 0 to 1, of the work in hand
  std::map<std::string, double> metrics;  // the last that it reported: "loss", "dice", "seconds"
  std::uint64_t bytes = 0;                // of the update that it sent last
  bool awaited = false;                   // the round waits for this site
};

struct JobView {
  std::string phase;       // "collecting", "folding", "evaluating", "finished", "failed"
  std::int64_t round = 0;  // 0-based
  std::int64_t rounds = 0;
  std::vector<SiteView> sites;
  std::string message;  // why it failed
};

StatusOr<JobView> ReadJobView(const std::filesystem::path& status_json);

// "round 3/10 collecting", then one line per site: bar, loss, Dice, seconds, bytes.
std::vector<std::string> RenderTable(const JobView& view, double elapsed_seconds);

}  // namespace consilium::demo
