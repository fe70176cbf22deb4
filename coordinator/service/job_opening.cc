#include "coordinator/service/job_opening.h"

#include <algorithm>

#include "comm/base/file.h"
#include "comm/base/log.h"
#include "comm/base/suggest.h"
#include "comm/wire/job.h"
#include "coordinator/service/model_file.h"

namespace consilium::coordinator {
namespace {

// The job in a state folder when no job file says which.
StatusOr<JobId> OnlyJobIn(const std::filesystem::path& state) {
  const std::vector<JobId> jobs = JobsIn(state);
  if (jobs.size() == 1) return jobs.front();
  if (jobs.empty())
    return InvalidArgument(state.string(), " holds no job yet; start one with --job JOB.yaml --initial-model FILE");
  std::string names;
  for (const JobId& job : jobs) names += (names.empty() ? "" : ", ") + job.value();
  return InvalidArgument(state.string(), " holds several jobs (", names, "); say which with --job JOB.yaml");
}

StatusOr<std::vector<Record>> ReadRecords(Journal* journal) {
  ASSIGN_OR_RETURN(const std::vector<Bytes> rows, journal->ReadAll());
  std::vector<Record> records;
  for (const Bytes& row : rows) {
    StatusOr<Record> record = DecodeRecord(row);
    if (!record.ok()) return Annotate(record.status(), "record ", records.size() + 1, " of the journal");
    records.push_back(std::move(record).value());
  }
  return records;
}

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
  return "nothing";
}

StatusOr<std::vector<SiteName>> SitesOf(const wire::JobSpec& job, const JobRequest& request) {
  std::vector<SiteName> sites = request.roster;
  if (!job.federation.sites.empty()) sites.clear();
  std::vector<std::string> known;
  for (const SiteName& site : request.roster) known.push_back(site.value());
  for (const std::string& name : job.federation.sites) {
    if (std::find(known.begin(), known.end(), name) == known.end())
      return InvalidArgument(request.job_file.string(), ": federation.sites names '", name,
                             "', which has no kit in this project", Suggestion(name, known));
    sites.emplace_back(name);
  }
  std::sort(sites.begin(), sites.end());
  return sites;
}

StatusOr<JobOpened> NewJob(const wire::JobSpec& job, const JobRequest& request, transport::BlobStore* blobs) {
  if (!job.has_federation)
    return InvalidArgument(request.job_file.string(),
                           " has no 'federation' part; add one, e.g. federation: {rounds: 10, mode: close}");
  if (request.initial_model.empty())
    return InvalidArgument("a new job needs the model that round 0 starts from: make one with 'consilium init ",
                           request.job_file.string(),
                           " --data DIR --output model.safetensors', then add "
                           "--initial-model model.safetensors");
  RETURN_IF_ERROR(CheckModelFile(request.initial_model));
  JobOpened opened{.job = JobId(job.name), .job_json = wire::JobToJson(job).dump()};
  ASSIGN_OR_RETURN(opened.sites, SitesOf(job, request));
  ASSIGN_OR_RETURN(opened.model, blobs->Import(request.initial_model));
  return opened;
}

Status CheckSameJob(const JobState& state, const wire::JobSpec& job, const JobRequest& request) {
  ASSIGN_OR_RETURN(const Json there, ParseJson(state.opened().job_json, "the journal"));
  const Json here = wire::JobToJson(job);
  if (there != here)
    return InvalidArgument(request.job_file.string(), ": job '", job.name, "' is in ", request.state.string(),
                           " already, with other settings (", FirstDifference(there, here),
                           "); give this one another name or another --state, or leave --job away to go on");
  if (request.initial_model.empty()) return Status();
  ASSIGN_OR_RETURN(const wire::BlobManifest model, wire::ManifestOfFile(request.initial_model));
  if (model.digest != state.opened().model.digest)
    return InvalidArgument(request.initial_model.string(), " is not the model that job '", job.name,
                           "' started from; leave --initial-model away to go on, or give another --state");
  return Status();
}

}  // namespace

StatusOr<std::unique_ptr<JobRunner>> OpenJob(const JobRequest& request, RunnerServices services) {
  wire::JobSpec job;
  JobId name;
  if (request.job_file.empty()) {
    ASSIGN_OR_RETURN(name, OnlyJobIn(request.state));
  } else {
    ASSIGN_OR_RETURN(job, wire::ReadJob(request.job_file));
    name = JobId(job.name);
  }
  const JobFolder folder(request.state, name);
  RETURN_IF_ERROR(MakeDirectories(folder.root()));
  ASSIGN_OR_RETURN(std::unique_ptr<Journal> journal, Journal::Open(folder.journal()));
  ASSIGN_OR_RETURN(const std::vector<Record> records, ReadRecords(journal.get()));
  std::optional<JobMachine> machine;
  if (!records.empty()) {
    ASSIGN_OR_RETURN(machine, JobMachine::Restore(records));
    if (!request.job_file.empty()) RETURN_IF_ERROR(CheckSameJob(machine->state(), job, request));
  } else {
    if (request.job_file.empty())
      return InvalidArgument(folder.root().string(), " holds a job that never began; start it with --job JOB.yaml");
    ASSIGN_OR_RETURN(JobOpened opened, NewJob(job, request, services.blobs));
    Log(LogLevel::kInfo, "job", {{"job", name}, {"digest", wire::JobDigest(job)}, {"sites", opened.sites.size()}});
    ASSIGN_OR_RETURN(machine, JobMachine::Open(std::move(opened)));
    RETURN_IF_ERROR(WriteFileAtomic(folder.job_yaml(), wire::JobToYaml(job)));
  }
  return JobRunner::Create(folder, std::move(journal), records, *std::move(machine), std::move(services));
}

}  // namespace consilium::coordinator
