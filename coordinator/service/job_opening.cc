#include "coordinator/service/job_opening.h"

#include "comm/base/file.h"
#include "comm/wire/apply_plan.h"
#include "coordinator/service/model_file.h"
#include "coordinator/service/noise_check.h"

namespace consilium::coordinator {
namespace {

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

}  // namespace

StatusOr<Submission> SubmissionFromFiles(const LocalJob& local,
                                         const std::function<const Submission*(const JobId&)>& there,
                                         transport::BlobStore* blobs) {
  ASSIGN_OR_RETURN(const wire::JobSpec job, wire::ReadJobToSubmit(local.job_file));
  ASSIGN_OR_RETURN(Submission submission, SubmissionOf(job, local.roster, local.job_file.string()));
  const Submission* old = there(submission.job);
  if (local.initial_model.empty()) {
    if (old != nullptr) {
      submission.model = old->model;
      return submission;
    }
    RETURN_IF_ERROR(CheckInitialModel(submission, Concat(": make one with 'consilium init ", local.job_file.string(),
                                                         " --data DIR --output model.safetensors', then add "
                                                         "--initial-model model.safetensors")));
    return submission;
  }
  if (old == nullptr) {
    RETURN_IF_ERROR(CheckModelFile(local.initial_model));
    ASSIGN_OR_RETURN(submission.model, wire::ManifestOfFile(local.initial_model));
    RETURN_IF_ERROR(Annotate(CheckInitialModel(submission, ""), local.job_file.string()));
    RETURN_IF_ERROR(Annotate(CheckSiteNoise(submission, local.initial_model), local.job_file.string()));
    RETURN_IF_ERROR(blobs->Import(local.initial_model).status());
    return submission;
  }
  ASSIGN_OR_RETURN(submission.model, wire::ManifestOfFile(local.initial_model));
  if (submission.model.digest != old->model.digest)
    return InvalidArgument(local.initial_model.string(), " is not the model that job '", job.name,
                           "' started from; leave --initial-model away to go on, or give another --state");
  return submission;
}

StatusOr<Submission> SubmissionFromJournal(const JobFolder& folder) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Journal> journal, Journal::Open(folder.journal()));
  ASSIGN_OR_RETURN(const std::vector<Record> records, ReadRecords(journal.get()));
  const auto* opened = records.empty() ? nullptr : std::get_if<JobOpened>(&records.front());
  if (opened == nullptr)
    return DataLoss(folder.root().string(), " holds a job that never began, and not its submission; remove the folder");
  return Submission{.job = opened->job, .job_json = opened->job_json, .sites = opened->sites, .model = opened->model};
}

StatusOr<std::unique_ptr<JobRunner>> OpenJob(const JobFolder& folder, const Submission& submission,
                                             RunnerServices services) {
  ASSIGN_OR_RETURN(std::unique_ptr<Journal> journal, Journal::Open(folder.journal()));
  ASSIGN_OR_RETURN(const std::vector<Record> records, ReadRecords(journal.get()));
  std::optional<JobMachine> machine;
  if (!records.empty()) {
    ASSIGN_OR_RETURN(machine, JobMachine::Restore(records));
  } else {
    if (submission.model.bytes > 0 && !services.blobs->Has(submission.model.digest))
      return DataLoss("the initial model of job '", submission.job, "', blob ", submission.model.digest,
                      ", is missing; restore the state folder from a backup");
    JobOpened opened{.job = submission.job, .job_json = submission.job_json, .sites = submission.sites};
    opened.model = submission.model;
    ASSIGN_OR_RETURN(machine, JobMachine::Open(std::move(opened)));
    ASSIGN_OR_RETURN(const ConfigNode node, ConfigNode::Parse(submission.job_json, "the job"));
    ASSIGN_OR_RETURN(const wire::JobSpec job, wire::ParseJob(node));
    RETURN_IF_ERROR(WriteFileAtomic(folder.job_yaml(), wire::JobToYaml(job)));
  }
  return JobRunner::Create(folder, std::move(journal), records, *std::move(machine), std::move(services));
}

}  // namespace consilium::coordinator
