#include "client/site/site_folder.h"

#include <sys/stat.h>

#include <cerrno>

#include "comm/base/file.h"
#include "comm/base/json_number.h"

namespace consilium::client {
namespace {

namespace fs = std::filesystem;

constexpr char kJobs[] = "jobs.json";
constexpr char kDecisions[] = "decisions.json";

Digest DigestAt(const Json& json) {
  const StatusOr<Digest> digest = Digest::FromHex(json.at("digest").get<std::string>());
  return digest.ok() ? *digest : Digest();
}

// A map of the file's entries by name; `read` may throw what Json::at throws.
template <typename Entry, typename Read>
StatusOr<std::map<std::string, Entry>> ReadEntries(const fs::path& file, Read read) {
  std::map<std::string, Entry> entries;
  std::error_code error;
  if (!fs::exists(file, error)) return entries;
  ASSIGN_OR_RETURN(const Json json, ReadJson(file));
  try {
    for (const auto& [name, entry] : json.items()) entries.emplace(name, read(entry));
  } catch (const Json::exception& broken) {
    return DataLoss(file.string(), ": ", broken.what());
  }
  return entries;
}

Status WritePrivate(const fs::path& file, const Json& json) { return WriteFileAtomic(file, json.dump(2) + "\n", 0600); }

}  // namespace

Status SiteFolder::Make() const {
  RETURN_IF_ERROR(MakeDirectories(folder_.parent_path()));
  std::error_code error;
  if (fs::is_directory(folder_, error)) return Status();
  if (::mkdir(folder_.c_str(), 0700) != 0) return ErrnoStatus(errno, "creating folder " + folder_.string());
  return Status();
}

StatusOr<SeenJobs> SiteFolder::ReadJobs() const {
  return ReadEntries<SeenJob>(folder_ / kJobs, [](const Json& json) {
    SeenJob job;
    job.digest = DigestAt(json);
    json.at("first_seen").get_to(job.first_seen);
    json.at("coordinator").get_to(job.coordinator);
    json.at("dataset").get_to(job.dataset);
    json.at("architecture").get_to(job.architecture);
    job.rounds = WholeNumber<std::int64_t>(json.at("rounds"));
    job.cohort_min = WholeNumber<std::int64_t>(json.at("cohort_min"));
    json.at("stand").get_to(job.stand);
    json.at("code").get_to(job.code);
    json.at("sentence").get_to(job.sentence);
    return job;
  });
}

Status SiteFolder::WriteJobs(const SeenJobs& jobs) const {
  Json json = Json::object();
  for (const auto& [name, job] : jobs)
    json[name] = {{"digest", job.digest.ToHex()},
                  {"first_seen", job.first_seen},
                  {"coordinator", job.coordinator},
                  {"dataset", job.dataset},
                  {"architecture", job.architecture},
                  {"rounds", job.rounds},
                  {"cohort_min", job.cohort_min},
                  {"stand", job.stand},
                  {"code", job.code},
                  {"sentence", job.sentence}};
  return WritePrivate(folder_ / kJobs, json);
}

StatusOr<Decisions> SiteFolder::ReadDecisions() const {
  return ReadEntries<NotedDecision>(folder_ / kDecisions, [](const Json& json) {
    NotedDecision noted;
    noted.digest = DigestAt(json);
    const auto decision = json.at("decision").get<std::string>();
    noted.decision = decision == "approved"  ? policy::Decision::kApproved
                     : decision == "refused" ? policy::Decision::kRefused
                                             : policy::Decision::kNone;
    json.at("by").get_to(noted.by);
    json.at("when").get_to(noted.when);
    json.at("reason").get_to(noted.reason);
    return noted;
  });
}

Status SiteFolder::WriteDecisions(const Decisions& decisions) const {
  Json json = Json::object();
  for (const auto& [name, noted] : decisions)
    json[name] = {{"digest", noted.digest.ToHex()},
                  {"decision", noted.decision == policy::Decision::kApproved ? "approved" : "refused"},
                  {"by", noted.by},
                  {"when", noted.when},
                  {"reason", noted.reason}};
  return WritePrivate(folder_ / kDecisions, json);
}

}  // namespace consilium::client
