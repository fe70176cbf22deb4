#include "coordinator/service/job_table.h"

#include <algorithm>
#include <boost/asio/post.hpp>

#include "comm/base/log.h"
#include "comm/base/suggest.h"
#include "coordinator/service/job_result.h"

namespace consilium::coordinator {
namespace {

constexpr Duration kRetryFirst = std::chrono::seconds(15), kRetryMax = std::chrono::minutes(10);

StatusOr<JobFinished> ReadOutcome(const JobFolder& folder) {
  ASSIGN_OR_RETURN(const Json json, ReadJson(folder.result()));
  JobFinished outcome{StatusCode::kFailed, ""};
  const Json code = json.value("code", Json());
  if (json.contains("message") && json["message"].is_string()) outcome.message = json["message"];
  for (int i = 0; i <= static_cast<int>(StatusCode::kUnimplemented); ++i)
    if (code == StatusCodeName(static_cast<StatusCode>(i))) outcome.code = static_cast<StatusCode>(i);
  return outcome;
}

std::set<SiteName> ReadTold(const JobFolder& folder) {
  std::set<SiteName> told;
  const StatusOr<Json> json = ReadJson(folder.told());
  if (json.ok() && json->is_array())
    for (const Json& site : *json)
      if (site.is_string()) told.insert(SiteName(site.get<std::string>()));
  return told;
}

bool IsMember(const JobEntry& entry, const SiteName& site) {
  const std::vector<SiteName>& sites = entry.submission.sites;
  return std::binary_search(sites.begin(), sites.end(), site);
}

bool Exists(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

// The task that a message is about; nullptr when it is about none.
const wire::TaskKey* TaskOf(const wire::SiteMessage& message) {
  return std::visit(
      [](const auto& alternative) -> const wire::TaskKey* {
        if constexpr (requires { alternative.task; }) return &alternative.task;
        return nullptr;
      },
      message);
}

}  // namespace

std::string StandName(const JobEntry& entry) {
  switch (entry.stand) {
    case Stand::kQueued:
      return "queued";
    case Stand::kActive:
      return "running";
    case Stand::kStopped:
      return "stopped";
    case Stand::kFinished:
      return entry.outcome.code == StatusCode::kOk          ? "done"
             : entry.outcome.code == StatusCode::kCancelled ? "aborted"
                                                            : "failed";
  }
  return "unknown";
}

// --- from the state folder

Status JobTable::Load() {
  for (const JobId& job : JobsIn(options_.state)) {
    const Status status = LoadJob(job);
    if (status.ok()) continue;
    Log(LogLevel::kError, "job_not_read", {{"job", job}, {"reason", status.message()}});
    JobEntry& entry = jobs_[job];
    entry.submission.job = job;
    entry.stand = Stand::kStopped;
    entry.stopped = status;
    needs_unknown_ = true;
  }
  for (const auto& [job, entry] : jobs_) sequence_ = std::max(sequence_, entry.submission.sequence);
  return Status();
}

Status JobTable::LoadJob(const JobId& job) {
  const JobFolder folder = FolderOf(job);
  StatusOr<Submission> submission = ReadSubmission(folder);
  if (submission.code() == StatusCode::kNotFound) {
    if (!Exists(folder.journal())) return Status();  // killed before its submission was durable: nobody was told of it
    submission = SubmissionFromJournal(folder);
  }
  if (!submission.ok()) return submission.status();
  JobEntry& entry = jobs_[job];
  entry.submission = *std::move(submission);
  entry.told = ReadTold(folder);
  if (!Exists(folder.result())) return Status();
  ASSIGN_OR_RETURN(entry.outcome, ReadOutcome(folder));
  entry.stand = Stand::kFinished;
  return Status();
}

void JobTable::Start() {
  std::vector<JobEntry*> begun;
  for (auto& [job, entry] : jobs_) {
    if (entry.stand != Stand::kQueued || !Exists(FolderOf(job).journal())) continue;
    entry.stand = Stand::kActive;  // whatever the limit: who has begun goes on
    if (const Status status = OpenRunner(&entry); !status.ok()) {
      needs_unknown_ = true;
      OnStopped(job, status);
      continue;
    }
    begun.push_back(&entry);
  }
  // Before anything is received or folded: later, only what is known to be a job's own is removed.
  if (needs_unknown_) {
    Log(LogLevel::kWarning, "blobs_kept", {{"reason", "a job cannot be read, so what it needs is not known"}});
  } else if (const Status status = hands_.blobs->RetainOnly(Keep()); !status.ok()) {
    Log(LogLevel::kWarning, "blobs_not_removed", {{"reason", status.message()}});
  }
  started_ = true;
  for (JobEntry* entry : begun) StartRunner(entry);
  FillSlots();
}

// --- the life of a job

StatusOr<bool> JobTable::Add(Submission submission) {
  const JobId job = submission.job;
  if (const JobEntry* there = Find(job)) {
    const std::string difference = Difference(there->submission, submission);
    if (difference.empty()) return false;
    return InvalidArgument("job '", job, "' is there already, with other settings (", difference,
                           "); give this one another name");
  }
  submission.sequence = ++sequence_;
  submission.time = FormatUtc(SystemClock().WallNow());
  if (hands_.audit != nullptr)
    RETURN_IF_ERROR(hands_.audit->NoteSubmission(job, Sha256Of(submission.job_json), submission.by));
  RETURN_IF_ERROR(Annotate(WriteSubmission(FolderOf(job), submission), "job '", job, "' is not accepted"));
  Log(LogLevel::kInfo, "job",
      {{"job", job}, {"by", submission.by}, {"sites", submission.sites.size()}, {"priority", submission.priority}});
  jobs_[job].submission = std::move(submission);
  FillSlots();
  return true;
}

void JobTable::FillSlots() {
  if (!started_) return;
  for (const JobId& job : Queue()) {
    if (ActiveCount() >= options_.active_max) return;
    JobEntry& entry = jobs_.at(job);
    entry.stand = Stand::kActive;
    if (const Status status = OpenRunner(&entry); !status.ok()) {
      OnStopped(job, status);
      continue;
    }
    StartRunner(&entry);
  }
}

Status JobTable::OpenRunner(JobEntry* entry) {
  const JobId job = entry->submission.job;
  RunnerServices services{.loop = hands_.loop,
                          .workers = hands_.workers,
                          .blobs = hands_.blobs,
                          .access = hands_.access,
                          .signing_keys = hands_.signing_keys};
  services.send = [this, job](const SiteName& site, wire::CoordinatorMessage message) {
    if (std::holds_alternative<wire::JobEnded>(message)) return TellEnd(&jobs_.at(job), site);
    Say(site, std::move(message));
  };
  services.disconnect = hands_.disconnect;
  services.traffic = hands_.traffic;
  services.die = [this, job](const Status& status) { OnStopped(job, status); };
  services.finished = [this, job] { OnFinished(job); };
  services.tidy_blobs = [this, job] { Tidy(&jobs_.at(job)); };
  if (hands_.audit != nullptr) {
    services.audit = [this, job](const std::string& event, const Json& fields) {
      return hands_.audit->Note(job, event, fields);
    };
    services.audit_point = [this] { return hands_.audit->point(); };
  }
  ASSIGN_OR_RETURN(std::unique_ptr<JobRunner> runner, OpenJob(FolderOf(job), entry->submission, std::move(services)));
  if (entry->runner) graveyard_.push_back(std::move(entry->runner));
  entry->runner = std::move(runner);
  entry->live = entry->runner->LiveBlobs();
  return Status();
}

void JobTable::StartRunner(JobEntry* entry) {
  entry->runner->Start();
  for (const auto& [site, capability] : connected_)
    if (entry->stand == Stand::kActive && IsMember(*entry, site)) entry->runner->Connected(site, capability);
}

void JobTable::OnFinished(const JobId& job) {
  JobEntry& entry = jobs_.at(job);
  if (entry.stand != Stand::kActive) return;
  Conclude(&entry, entry.runner->state().outcome());
  hands_.finished(job);
  FillSlots();
}

// Over, with its results written.
void JobTable::Conclude(JobEntry* entry, JobFinished outcome) {
  const JobId job = entry->submission.job;
  entry->stand = Stand::kFinished;
  entry->outcome = std::move(outcome);
  entry->retry.reset();
  for (auto& [site, messages] : desk_.Drop(job, SystemClock().Now()))
    for (wire::CoordinatorMessage& message : messages) hands_.send(site, std::move(message));
  for (const auto& [site, capability] : connected_)
    if (IsMember(*entry, site) && !entry->told.contains(site)) TellEnd(entry, site);
  hands_.access->Hide(job);
  Tidy(entry);
}

void JobTable::OnStopped(const JobId& job, const Status& status) {
  JobEntry& entry = jobs_.at(job);
  if (entry.stand == Stand::kFinished) return;
  entry.stand = Stand::kStopped;
  entry.stopped = status;
  Log(LogLevel::kError, "job_stopped", {{"job", job}, {"reason", status.message()}});
  for (auto& [site, messages] : desk_.Drop(job, SystemClock().Now()))
    for (wire::CoordinatorMessage& message : messages) hands_.send(site, std::move(message));
  if (status.code() == StatusCode::kStorage) {  // a full disk is mended by a person, and then nobody thinks of us
    entry.retry_after = entry.retry_after == Duration() ? kRetryFirst : std::min(kRetryMax, entry.retry_after * 2);
    entry.retry = std::make_unique<boost::asio::steady_timer>(*hands_.loop);
    entry.retry->expires_after(std::chrono::duration_cast<boost::asio::steady_timer::duration>(entry.retry_after));
    entry.retry->async_wait([this, job](const boost::system::error_code& error) {
      if (!error) Retry(job);
    });
  }
  hands_.stopped(job, status);
  // Not from inside the runner that has just died.
  boost::asio::post(*hands_.loop, [this] { FillSlots(); });
}

void JobTable::Retry(const JobId& job) {
  JobEntry& entry = jobs_.at(job);
  if (entry.stand != Stand::kStopped) return;
  entry.stand = Stand::kActive;
  if (const Status status = OpenRunner(&entry); !status.ok()) return OnStopped(job, status);
  entry.stopped = Status();
  Log(LogLevel::kInfo, "job_goes_on", {{"job", job}});
  entry.runner->Start();
  // What a site said to the dead runner it says again on a new connection.
  for (const auto& [site, capability] : connected_)
    if (IsMember(entry, site)) hands_.disconnect(site, "a job goes on after it was stopped; connect again");
}

Status JobTable::Abort(const JobId& job, const std::string& by, const std::string& reason) {
  const auto found = jobs_.find(job);
  if (found == jobs_.end()) return NoSuchJob(job);
  JobEntry& entry = found->second;
  if (entry.stand == Stand::kFinished)
    return FailedPrecondition("job '", job, "' is over already (", StandName(entry), ")");
  if (entry.stand != Stand::kActive)
    return AbortFromOutside(&entry, Concat("aborted by ", by, reason.empty() ? "" : ": ", reason));
  RETURN_IF_ERROR(TellRunning(job, AbortJob{by, reason}));
  OnFinished(job);  // what the runner posts to say so comes too late for the answer
  return Status();
}

// Of a job that has not begun, or whose journal cannot be written.
Status JobTable::AbortFromOutside(JobEntry* entry, const std::string& message) {
  const JobId job = entry->submission.job;
  const JobFinished outcome{StatusCode::kCancelled, message};
  const JobFolder folder = FolderOf(job);
  RETURN_IF_ERROR(WriteAbortedResult(folder, entry->runner ? &entry->runner->state() : nullptr, entry->submission,
                                     outcome, *hands_.blobs));
  if (entry->runner) entry->runner->Retire();
  if (const auto events = JsonLines::Open(folder.events(), JsonLines::At::kEnd); events.ok())
    RecordEvent(events->get(), SystemClock(), job, "job_finished",
                {{"code", StatusCodeName(outcome.code)}, {"message", message}, {"missing", Json::array()}});
  Conclude(entry, outcome);
  hands_.finished(job);
  FillSlots();
  return Status();
}

Status JobTable::Pause(const JobId& job, const std::string& by) { return TellRunning(job, PauseJob{by}); }
Status JobTable::Resume(const JobId& job, const std::string& by) { return TellRunning(job, ResumeJob{by}); }

Status JobTable::TellRunning(const JobId& job, const Input& word) {
  const auto found = jobs_.find(job);
  if (found == jobs_.end()) return NoSuchJob(job);
  JobEntry& entry = found->second;
  if (entry.stand != Stand::kActive)
    return FailedPrecondition("job '", job, "' does not run: it is ", StandName(entry));
  entry.runner->Tell(word);
  return entry.stand == Stand::kStopped ? entry.stopped : Status();  // it could not be written down
}

// --- sites

void JobTable::SiteConnected(const SiteName& site, const wire::Capability& capability) {
  connected_[site] = capability;
  desk_.Connected(site);
  for (auto& [job, entry] : jobs_) {
    if (!IsMember(entry, site)) continue;
    if (entry.stand == Stand::kActive) entry.runner->Connected(site, capability);
    if (entry.stand == Stand::kFinished && !entry.told.contains(site)) TellEnd(&entry, site);
  }
}

void JobTable::SiteDisconnected(const SiteName& site, const Status& reason) {
  connected_.erase(site);
  desk_.Disconnected(site);
  for (auto& [job, entry] : jobs_)
    if (entry.stand == Stand::kActive && IsMember(entry, site)) entry.runner->Disconnected(site, reason);
}

void JobTable::Heard(const SiteName& site, wire::SiteMessage message) {
  for (wire::CoordinatorMessage& next : desk_.Heard(site, message, SystemClock().Now()))
    hands_.send(site, std::move(next));
  const wire::TaskKey* task = TaskOf(message);
  if (task == nullptr || std::holds_alternative<wire::Heartbeat>(message)) {
    for (auto& [job, entry] : jobs_)
      if (entry.stand == Stand::kActive && IsMember(entry, site)) entry.runner->Heard(site, message);
    return;
  }
  const auto found = jobs_.find(task->job);
  if (found == jobs_.end())
    return Say(site, wire::Receipt{*task, wire::DropReason::kUnknownTask, "this coordinator has no such job"});
  if (found->second.stand == Stand::kActive) return found->second.runner->Heard(site, std::move(message));
  if (found->second.stand == Stand::kFinished) TellEnd(&found->second, site);
  // Queued or stopped: it asks again when it goes on.
}

void JobTable::Say(const SiteName& site, wire::CoordinatorMessage message) {
  for (wire::CoordinatorMessage& next : desk_.Say(site, std::move(message), SystemClock().Now()))
    hands_.send(site, std::move(next));
}

void JobTable::TellEnd(JobEntry* entry, const SiteName& site) {
  const JobId& job = entry->submission.job;
  const JobFinished& outcome = entry->stand == Stand::kFinished ? entry->outcome : entry->runner->state().outcome();
  if (entry->told.insert(site).second)
    if (const Status status = WriteJson(FolderOf(job).told(), NamesJson({entry->told.begin(), entry->told.end()}));
        !status.ok())
      Log(LogLevel::kWarning, "view_not_written", {{"reason", status.message()}});
  Say(site, wire::JobEnded{job, outcome.code, outcome.message});
}

bool JobTable::AllToldAndGone(const JobId& job) const {
  const JobEntry* entry = Find(job);
  if (entry == nullptr) return true;
  return std::all_of(entry->submission.sites.begin(), entry->submission.sites.end(),
                     [&](const SiteName& site) { return entry->told.contains(site) && !connected_.contains(site); });
}

// --- what there is

const JobEntry* JobTable::Find(const JobId& job) const {
  const auto found = jobs_.find(job);
  return found == jobs_.end() ? nullptr : &found->second;
}

Status JobTable::NoSuchJob(const JobId& job) const {
  if (jobs_.empty()) return NotFound("there is no job '", job, "': this coordinator has none yet");
  std::vector<std::string> names;
  for (const auto& [name, entry] : jobs_) names.push_back(name.value());
  return NotFound("there is no job '", job, "'", Suggestion(job.value(), names));
}

std::vector<JobId> JobTable::Queue() const {
  std::vector<const Submission*> queued;
  for (const auto& [job, entry] : jobs_)
    if (entry.stand == Stand::kQueued) queued.push_back(&entry.submission);
  std::sort(queued.begin(), queued.end(), [](const Submission* a, const Submission* b) {
    return a->priority != b->priority ? a->priority > b->priority : a->sequence < b->sequence;
  });
  std::vector<JobId> jobs;
  for (const Submission* submission : queued) jobs.push_back(submission->job);
  return jobs;
}

std::size_t JobTable::ActiveCount() const {
  return static_cast<std::size_t>(
      std::count_if(jobs_.begin(), jobs_.end(), [](const auto& item) { return item.second.stand == Stand::kActive; }));
}

std::uint64_t JobTable::BytesPromised() const {
  std::uint64_t bytes = 0;
  for (const auto& [job, entry] : jobs_)
    if (entry.stand != Stand::kFinished) bytes += DiskNeeded(entry.submission);
  return bytes;
}

// --- blobs

std::set<Digest> JobTable::Keep() const {
  std::set<Digest> keep = hands_.also_keep();
  keep.merge(hands_.access->OfferedBlobs());
  for (const auto& [job, entry] : jobs_) {
    if (entry.stand == Stand::kFinished) continue;
    const bool begun = entry.runner && entry.runner->state().phase() != Phase::kNew;
    if (!begun && entry.submission.model.bytes > 0) keep.insert(entry.submission.model.digest);
    if (entry.stand == Stand::kStopped) keep.insert(entry.live.begin(), entry.live.end());
    if (entry.runner) keep.merge(entry.runner->LiveBlobs());
  }
  return keep;
}

// Removes what was this job's and is nobody's now.  Other blobs may be somebody's of whom we do not know yet: received
// and not announced, or folded and not published.
void JobTable::Tidy(JobEntry* entry) {
  std::set<Digest> candidates = hands_.access->TakeRetired(entry->submission.job);
  candidates.merge(entry->live);
  if (entry->submission.model.bytes > 0) candidates.insert(entry->submission.model.digest);
  const std::set<Digest> keep = Keep();
  entry->live = entry->runner && entry->stand != Stand::kFinished ? entry->runner->LiveBlobs() : std::set<Digest>();
  for (const Digest& digest : candidates) {
    if (keep.contains(digest)) {
      entry->live.insert(digest);
    } else if (const Status status = hands_.blobs->Remove(digest); !status.ok()) {
      Log(LogLevel::kWarning, "blobs_not_removed", {{"reason", status.message()}});
    }
  }
}

void JobTable::WriteStatuses() {
  for (const auto& [job, entry] : jobs_)
    if (entry.runner && entry.stand != Stand::kFinished) entry.runner->WriteStatus();
}

}  // namespace consilium::coordinator
