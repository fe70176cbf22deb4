#include "coordinator/service/submission.h"

#include <algorithm>
#include <cstdio>

#include "comm/base/file.h"
#include "comm/base/json_number.h"
#include "comm/base/suggest.h"
#include "comm/wire/blob_json.h"
#include "coordinator/core/job_machine.h"
#include "coordinator/strategies/models_on_disk.h"

namespace consilium::coordinator {
namespace {

// Where two resolved jobs differ: "federation.rounds is 10 there and 5 here".
std::string FirstDifference(const Json& there, const Json& here, const std::string& path = "") {
  for (const auto& [key, value] : there.items()) {
    const std::string name = path.empty() ? key : path + "." + key;
    if (!here.contains(key)) return name + " is missing here";
    if (value == here[key]) continue;
    if (value.is_object() && here[key].is_object()) return FirstDifference(value, here[key], name);
    return Concat(name, " is ", value.dump(), " there and ", here[key].dump(), " here");
  }
  for (const auto& [key, value] : here.items())
    if (!there.contains(key)) return (path.empty() ? key : path + "." + key) + " is missing there";
  return "";
}

StatusOr<std::vector<SiteName>> SitesOf(const wire::JobSpec& job, const std::vector<SiteName>& roster,
                                        const std::string& where) {
  std::vector<SiteName> sites = roster;
  if (!job.federation.sites.empty()) sites.clear();
  std::vector<std::string> known;
  for (const SiteName& site : roster) known.push_back(site.value());
  for (const std::string& name : job.federation.sites) {
    if (std::find(known.begin(), known.end(), name) == known.end())
      return InvalidArgument(where, ": federation.sites names '", name, "', which has no kit in this project",
                             Suggestion(name, known));
    sites.emplace_back(name);
  }
  std::sort(sites.begin(), sites.end());
  return sites;
}

StatusOr<Submission> SubmissionFromJson(const Json& json) {
  Submission submission;
  submission.job = JobId(json.at("job").get<std::string>());
  submission.job_json = json.at("job_json").get<std::string>();
  for (const Json& site : json.at("sites")) submission.sites.emplace_back(site.get<std::string>());
  ASSIGN_OR_RETURN(submission.model, wire::BlobManifestFromJson(json.at("model")));
  submission.priority = WholeNumber<std::int32_t>(json.at("priority"));
  submission.sequence = WholeNumber<std::uint64_t>(json.at("sequence"));
  submission.by = json.at("by").get<std::string>();
  submission.time = json.at("time").get<std::string>();
  return submission;
}

}  // namespace

StatusOr<Submission> SubmissionOf(const wire::JobSpec& job, const std::vector<SiteName>& roster,
                                  const std::string& where) {
  if (!job.has_federation)
    return InvalidArgument(where, " has no 'federation' part; add one, e.g. federation: {rounds: 10, mode: close}");
  Submission submission{.job = JobId(job.name), .job_json = wire::JobToJson(job).dump()};
  ASSIGN_OR_RETURN(submission.sites, SitesOf(job, roster, where));
  // What the job itself says when it begins, said now.
  RETURN_IF_ERROR(
      Annotate(JobMachine::Open({submission.job, submission.job_json, submission.sites, {}}).status(), where));
  return submission;
}

std::string Difference(const Submission& there, const Submission& here) {
  const StatusOr<Json> old = ParseJson(there.job_json, "the job"), now = ParseJson(here.job_json, "the job");
  if (!old.ok() || !now.ok()) return "its settings cannot be compared";
  if (std::string difference = FirstDifference(*old, *now); !difference.empty()) return difference;
  if (there.model.digest != here.model.digest)
    return Concat("its model is ", there.model.digest.ToHex().substr(0, 12), " there and ",
                  here.model.digest.ToHex().substr(0, 12), " here");
  return "";
}

Status WriteSubmission(const JobFolder& folder, const Submission& submission) {
  RETURN_IF_ERROR(MakeDirectories(folder.root()));
  RETURN_IF_ERROR(SyncDirectory(folder.root().parent_path()));
  Json json = {{"job", submission.job.value()},
               {"job_json", submission.job_json},
               {"sites", NamesJson(submission.sites)},
               {"model", wire::BlobManifestToJson(submission.model)},
               {"priority", submission.priority},
               {"sequence", submission.sequence},
               {"by", submission.by},
               {"time", submission.time}};
  return WriteJson(folder.submission(), json);
}

StatusOr<Submission> ReadSubmission(const JobFolder& folder) {
  ASSIGN_OR_RETURN(const Json json, ReadJson(folder.submission()));
  try {
    StatusOr<Submission> submission = SubmissionFromJson(json);
    if (!submission.ok()) return Annotate(submission.status(), folder.submission().string());
    return submission;
  } catch (const Json::exception& error) {
    return DataLoss(folder.submission().string(), " is damaged: ", error.what());
  }
}

std::size_t ModelsNeeded(const Submission& submission) {
  wire::FederationSpec federation;  // plain averaging, should the job not be readable: opening it will say so
  const StatusOr<ConfigNode> root = ConfigNode::Parse(submission.job_json, "the job");
  if (root.ok()) {
    if (const StatusOr<wire::JobSpec> job = wire::ParseJob(*root); job.ok()) federation = job->federation;
  }
  return ModelsOnDisk(federation, submission.sites.size());
}

Status CheckInitialModel(const Submission& submission, const std::string& how) {
  // As the job itself checks when it begins, where it says more.
  ASSIGN_OR_RETURN(const FederationPlan plan, PlanOf(submission.job_json));
  if (submission.model.bytes == 0 && !plan.plans)
    return InvalidArgument("a new job needs the model that round 0 starts from", how);
  return JobMachine::Open({submission.job, submission.job_json, submission.sites, submission.model}).status();
}

std::uint64_t DiskNeeded(const Submission& submission) {
  return ModelsNeeded(submission) * (submission.model.bytes > 0 ? submission.model.bytes : kPlannedModelBytesMax);
}

std::string FormatBytes(std::uint64_t bytes) {
  static constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 999.5 && unit + 1 < std::size(kUnits)) value /= 1000, ++unit;
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 || value >= 99.5 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text;
}

}  // namespace consilium::coordinator
