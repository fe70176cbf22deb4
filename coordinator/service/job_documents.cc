#include "coordinator/service/job_documents.h"

#include <algorithm>

namespace consilium::coordinator {
namespace {

constexpr std::size_t kJobsListedMax = 500;

std::optional<double> EtaSeconds(const JobTable& table, const JobEntry& entry, Instant now) {
  if (entry.stand != Stand::kActive) return std::nullopt;
  const JobState& state = entry.runner->state();
  const std::optional<double> pace = SecondsPerRound(DigestEvents(table.FolderOf(entry.submission.job).events()));
  if (!pace || state.all_rounds_done()) return std::nullopt;
  const double left = *pace * (ToInt(state.plan().rounds) - ToInt(state.round()));
  return std::max(0.0, left - std::min(*pace, Seconds(now - entry.runner->machine().phase_since())));
}

// A finished job has no machine: what it left on disk speaks for it.
Json LastStatus(const JobTable& table, const JobEntry& entry) {
  Json json = Json::object();
  if (const StatusOr<Json> status = ReadJson(table.FolderOf(entry.submission.job).status());
      status.ok() && status->is_object())
    json = *status;
  if (const StatusOr<Json> result = ReadJson(table.FolderOf(entry.submission.job).result());
      result.ok() && result->is_object())
    for (const char* key : {"rounds", "mode", "parameters", "evaluations", "not_evaluated", "privacy"})
      if (result->contains(key)) json[key] = (*result)[key];
  json["awaited"] = Json::array();
  if (json.contains("sites") && json["sites"].is_array())
    for (Json& site : json["sites"])
      if (site.is_object()) site["awaited"] = false, site["awaited_seconds"] = nullptr;
  return json;
}

Json QueuedStatus(const JobTable& table, const JobEntry& entry) {
  Json json = {{"job", entry.submission.job.value()}, {"round", 0}, {"awaited", Json::array()}};
  if (const StatusOr<FederationPlan> plan = PlanOf(entry.submission.job_json); plan.ok()) {
    json["rounds"] = ToInt(plan->rounds);
    json["mode"] = plan->mode == RoundMode::kWait ? "wait" : "close";
  }
  json["sites"] = Json::array();
  for (const SiteName& site : entry.submission.sites)
    json["sites"].push_back({{"site", site.value()},
                             {"connected", table.IsConnected(site)},
                             {"phase", table.IsConnected(site) ? "idle" : "away"},
                             {"awaited", false}});
  return json;
}

// Takes from the rows of other sites what is not this reader's to know.
void Withhold(const Reader& reader, Json* json) {
  if (reader.is_operator() || !json->contains("sites")) return;
  for (Json& row : (*json)["sites"]) {
    if (row.value("site", "") == reader.site.value()) continue;
    Json shown = Json::object();
    for (const char* key : {"site", "connected", "phase", "progress", "awaited", "awaited_seconds", "silent_seconds"})
      if (row.contains(key)) shown[key] = row[key];
    row = std::move(shown);
  }
  json->erase("waiting");  // in it are other sites' words; why says what of it is for everybody
  for (const char* key : {"evaluations", "not_evaluated"})
    if (json->contains(key)) {
      Json own = Json::object();
      if ((*json)[key].contains(reader.site.value())) own[reader.site.value()] = (*json)[key][reader.site.value()];
      (*json)[key] = own;
    }
}

}  // namespace

bool MaySee(const Reader& reader, const JobEntry& entry) {
  const std::vector<SiteName>& sites = entry.submission.sites;
  return reader.is_operator() || std::binary_search(sites.begin(), sites.end(), reader.site);
}

Json StatusDocument(const JobTable& table, const JobEntry& entry, const Reader& reader, Instant now) {
  Json json = entry.stand == Stand::kQueued ? QueuedStatus(table, entry)
              : entry.stand == Stand::kFinished || !entry.runner
                  ? LastStatus(table, entry)
                  : entry.runner->board().ToJson(entry.runner->machine(), now);
  json["job"] = entry.submission.job.value();
  json["state"] = StandName(entry);
  json["by"] = entry.submission.by;
  json["submitted"] = entry.submission.time;
  json["priority"] = entry.submission.priority;
  if (entry.stand == Stand::kQueued) {
    const std::vector<JobId> queue = table.Queue();
    json["phase"] = "queued";
    json["queue_position"] = std::find(queue.begin(), queue.end(), entry.submission.job) - queue.begin() + 1;
  }
  if (entry.stand == Stand::kFinished) json["phase"] = StandName(entry), json["message"] = entry.outcome.message;
  if (entry.stand == Stand::kStopped) json["phase"] = "stopped", json["message"] = entry.stopped.message();
  json["absent"] = Json::array();  // awaited, and not even connected
  if (json.contains("awaited"))
    for (const Json& site : json["awaited"])
      if (!table.IsConnected(SiteName(site.get<std::string>()))) json["absent"].push_back(site);
  if (const std::optional<double> eta = EtaSeconds(table, entry, now)) json["eta_seconds"] = *eta;
  Withhold(reader, &json);
  // What is told of the end can name another site and its message.
  if (!reader.is_operator() && json.contains("message")) json.erase("message");
  return json;
}

Json ListDocument(const JobTable& table, const Reader& reader, Instant now) {
  std::vector<const JobEntry*> entries;
  for (const auto& [job, entry] : table.jobs())
    if (MaySee(reader, entry)) entries.push_back(&entry);
  std::sort(entries.begin(), entries.end(),
            [](const JobEntry* a, const JobEntry* b) { return a->submission.sequence < b->submission.sequence; });
  // A message has its limit: of very many jobs the oldest that are over are left out.
  for (auto at = entries.begin(); entries.size() > kJobsListedMax && at != entries.end();)
    at = (*at)->stand == Stand::kFinished ? entries.erase(at) : at + 1;
  Json jobs = Json::array();
  for (const JobEntry* entry : entries) {
    Json status = StatusDocument(table, *entry, reader, now);
    Json row = Json::object();
    for (const char* key : {"job", "state", "round", "rounds", "awaited", "absent", "by", "submitted", "priority",
                            "queue_position", "message", "eta_seconds", "paused_by"})
      if (status.contains(key)) row[key] = status[key];
    row["sites"] = entry->submission.sites.size();
    row["connected"] = std::count_if(entry->submission.sites.begin(), entry->submission.sites.end(),
                                     [&](const SiteName& site) { return table.IsConnected(site); });
    jobs.push_back(std::move(row));
  }
  return {{"active_max", table.active_max()}, {"jobs", std::move(jobs)}};
}

}  // namespace consilium::coordinator
