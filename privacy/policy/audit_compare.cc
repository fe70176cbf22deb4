#include "privacy/policy/audit_compare.h"

#include <map>
#include <set>

namespace consilium::policy {
namespace {

constexpr char kTaken[] = "update_accepted";
constexpr char kReleased[] = "release";
constexpr char kSubmitted[] = "job_submitted";
constexpr char kAccepted[] = "task_accepted";
constexpr std::size_t kContradictionsMax = 20;  // a log that lacks a thousand rounds is told of once

// "" where there is none: entries of other versions may say less, and say nothing false by that.
std::string TextAt(const Json& detail, const char* key) {
  return detail.contains(key) && detail[key].is_string() ? detail[key].get<std::string>() : "";
}

// By job: the digests of the contents that were handed in under its name.
std::map<std::string, std::set<std::string>> SubmittedJobs(std::span<const AuditFindings> logs) {
  std::map<std::string, std::set<std::string>> jobs;
  for (const AuditFindings& log : logs)
    for (const AuditEntry& entry : log.shared)
      if (entry.type == kSubmitted) jobs[TextAt(entry.detail, "job")].insert(TextAt(entry.detail, "digest"));
  return jobs;
}

}  // namespace

bool IsShared(const std::string& type) {
  return type == kTaken || type == kReleased || type == kSubmitted || type == kAccepted;
}

std::vector<std::string> ContradictionsOf(const AuditFindings& log, std::span<const AuditFindings> others) {
  std::vector<std::string> found;
  std::set<std::string> released, told;
  for (const AuditEntry& entry : log.shared)
    if (entry.type == kReleased) released.insert(TextAt(entry.detail, "update"));
  for (const AuditFindings& other : others)
    for (const AuditEntry& entry : other.shared) {
      const std::string update = TextAt(entry.detail, "update");
      if (entry.type != kTaken || TextAt(entry.detail, "site") != log.actor || update.empty()) continue;
      if (!released.contains(update) && told.insert(update).second)
        found.push_back(
            Concat("'", other.actor, "' took the update ", update.substr(0, 16), "... of job '",
                   TextAt(entry.detail, "job"), "' from it on ", entry.time,
                   ", and it has no release of that: entries are missing, or there are two versions of it"));
    }
  const auto jobs = SubmittedJobs(others);
  for (const AuditEntry& entry : log.shared) {
    const std::string job = TextAt(entry.detail, "job"), digest = TextAt(entry.detail, "digest");
    const auto submitted = jobs.find(job);
    if (entry.type != kAccepted || submitted == jobs.end() || submitted->second.contains(digest)) continue;
    if (told.insert(job + digest).second)
      found.push_back(
          Concat("it was asked about job '", job, "' with the contents ", digest.substr(0, 16),
                 "..., which were never handed in: the coordinator changed the job, or its log is another"));
  }
  if (found.size() > kContradictionsMax) {
    const std::size_t more = found.size() - kContradictionsMax;
    found.resize(kContradictionsMax);
    found.push_back(Concat("and ", more, " more of the kind"));
  }
  return found;
}

std::vector<std::string> ForksNoted(std::span<const AuditFindings> logs) {
  struct Note {
    std::string by;
    Digest head;
  };
  std::map<std::pair<std::string, std::uint64_t>, Note> noted;
  std::set<std::string> told;
  std::vector<std::string> forks;
  for (const AuditFindings& log : logs)
    for (const SeenHead& seen : log.seen) {
      const auto& [at, first] = noted.emplace(std::pair(seen.party, seen.entries), Note{log.actor, seen.head});
      const Note& note = at->second;
      if (first || note.head == seen.head || !told.insert(seen.party).second) continue;
      forks.push_back(Concat("'", seen.party, "' keeps two versions of its log: after ", seen.entries, " entries '",
                             note.by, "' was told the head ", note.head.ToHex().substr(0, 16), "..., and '", log.actor,
                             "' ", seen.head.ToHex().substr(0, 16), "..."));
    }
  return forks;
}

}  // namespace consilium::policy
