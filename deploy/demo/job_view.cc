#include "deploy/demo/job_view.h"

#include <cmath>
#include <cstdio>

namespace consilium::demo {
namespace {

template <typename T>
T Get(const Json& json, const char* key, T fallback) {
  try {
    return json.contains(key) && !json[key].is_null() ? json[key].get<T>() : fallback;
  } catch (const Json::exception&) {
    return fallback;
  }
}

std::string Bar(double fraction, int width) {
  const int full = static_cast<int>(std::lround(std::fmin(std::fmax(fraction, 0.0), 1.0) * width));
  std::string bar;
  for (int i = 0; i < width; ++i) bar += i < full ? "█" : "░";
  return bar;
}

std::string Cell(const SiteView& site, const char* metric, const char* format) {
  const auto found = site.metrics.find(metric);
  if (found == site.metrics.end() || !std::isfinite(found->second)) return "-";
  char text[32];
  std::snprintf(text, sizeof text, format, found->second);
  return text;
}

}  // namespace

StatusOr<JobView> ReadJobView(const std::filesystem::path& status_json) {
  ASSIGN_OR_RETURN(const Json json, ReadJson(status_json));
  if (!json.is_object()) return DataLoss(status_json.string(), " is not a map");
  JobView view;
  view.phase = Get<std::string>(json, "phase", "");
  view.round = Get<std::int64_t>(json, "round", 0);
  view.rounds = Get<std::int64_t>(json, "rounds", 0);
  for (const Json& entry : Get<Json>(json, "sites", Json::array())) {
    SiteView site;
    site.name = Get<std::string>(entry, "site", "");
    site.connected = Get<bool>(entry, "connected", false);
    site.phase = Get<std::string>(entry, "phase", "");
    site.progress = Get<double>(entry, "progress", 0.0);
    site.awaited = Get<bool>(entry, "awaited", false);
    const Json metrics = Get<Json>(entry, "metrics", Json::object());
    if (metrics.is_object())
      for (const auto& [name, value] : metrics.items())
        if (value.is_number()) site.metrics[name] = value.get<double>();
    view.sites.push_back(std::move(site));
  }
  return view;
}

std::vector<std::string> RenderTable(const JobView& view, double elapsed_seconds) {
  char line[256];
  std::vector<std::string> lines;
  std::snprintf(line, sizeof line, "  round %lld/%lld  %s  %.0f s",
                static_cast<long long>(std::min(view.round + 1, view.rounds)), static_cast<long long>(view.rounds),
                view.phase.c_str(), elapsed_seconds);
  lines.push_back(line);
  for (const SiteView& site : view.sites) {
    const bool busy = site.connected && site.phase != "idle";
    std::string text = "  " + site.name + std::string(site.name.size() < 12 ? 12 - site.name.size() : 1, ' ') +
                       Bar(busy ? site.progress : 0.0, 20);
    std::snprintf(line, sizeof line, "  %-10s loss %-7s", site.connected ? site.phase.c_str() : "away",
                  Cell(site, "loss", "%.3f").c_str());
    text += line;
    if (site.awaited) text += "  awaited";
    lines.push_back(text);
  }
  return lines;
}

}  // namespace consilium::demo
