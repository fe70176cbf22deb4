// The jobs of this coordinator: which run, which wait for their turn, which are over.
//
// A job is in STATE/jobs/<name> from its submission on, so a restarted coordinator carries on with all of them.  At
// most `active_max` run; the others wait in the order of their priority, then of their submission.  Each has its own
// journal, deadlines and failures: one that cannot go on stops alone, says why, and is tried again when the fault is
// one that passes (a full disk).
#pragma once

#include <boost/asio/steady_timer.hpp>

#include "coordinator/service/audit_trail.h"
#include "coordinator/service/job_opening.h"
#include "coordinator/service/task_desk.h"

namespace consilium::coordinator {

enum class Stand {
  kQueued,
  kActive,
  kFinished,
  kStopped,  // could not go on; its journal is as it was
};

struct JobEntry {
  Submission submission;
  Stand stand = Stand::kQueued;
  std::unique_ptr<JobRunner> runner;  // of a job that runs, or has run in this process
  JobFinished outcome;                // of a finished job
  Status stopped;                     // why, of a stopped one
  std::set<SiteName> told;            // which sites know that it is over
  std::set<Digest> live;              // blobs that it was last known to need
  std::unique_ptr<boost::asio::steady_timer> retry;
  Duration retry_after{};
};

// "queued", "running", "done", "failed", "aborted", "stopped".
std::string StandName(const JobEntry& entry);

// Strand-bound.
class JobTable {
 public:
  struct Options {
    std::filesystem::path state;
    std::size_t active_max = 4;
  };
  struct Hands {
    boost::asio::io_context* loop = nullptr;
    boost::asio::thread_pool* workers = nullptr;
    transport::BlobStore* blobs = nullptr;
    AccessTable* access = nullptr;
    const std::map<SiteName, crypto::RawPublicKey>* signing_keys = nullptr;      // the roster's
    std::function<void(const SiteName&, wire::CoordinatorMessage)> send;         // to a connected site
    std::function<void(const SiteName&, const std::string& reason)> disconnect;  // end its session; it comes back
    SiteBoard::TrafficOf traffic;
    std::function<void(const JobId&)> finished;
    std::function<void(const JobId&, const Status&)> stopped;
    std::function<std::set<Digest>()> also_keep;  // blobs that no job has yet
    AuditTrail* audit = nullptr;                  // null: nobody keeps a log
  };
  JobTable(Options options, Hands hands) : options_(std::move(options)), hands_(std::move(hands)) {}

  // Reads what the state folder holds.
  Status Load();
  // Goes on with what has begun, drops blobs that nobody needs, lets the first of the queue begin.
  void Start();

  // Durable when it returns.  False when the same job is there already.  Errors: InvalidArgument with what differs when
  // another one of that name is; Storage.
  StatusOr<bool> Add(Submission submission);
  // The job ends as cancelled; its sites are told.  Errors: FailedPrecondition when it is over; Storage when that could
  // not be written down.
  Status Abort(const JobId& job, const std::string& by, const std::string& reason);
  // Of a job that runs: nothing new is opened until it is resumed.  Fine when it is so already.  Errors:
  // FailedPrecondition when it does not run, Storage.
  Status Pause(const JobId& job, const std::string& by);
  Status Resume(const JobId& job, const std::string& by);

  void SiteConnected(const SiteName& site, const wire::Capability& capability);
  void SiteDisconnected(const SiteName& site, const Status& reason);
  void Heard(const SiteName& site, wire::SiteMessage message);
  bool IsConnected(const SiteName& site) const { return connected_.contains(site); }

  const std::map<JobId, JobEntry>& jobs() const { return jobs_; }
  const JobEntry* Find(const JobId& job) const;
  // NotFound, with the nearest name.
  Status NoSuchJob(const JobId& job) const;
  JobFolder FolderOf(const JobId& job) const { return JobFolder(options_.state, job); }
  const TaskDesk& desk() const { return desk_; }
  std::size_t active_max() const { return options_.active_max; }
  // In the order in which they will begin.
  std::vector<JobId> Queue() const;
  // Every site of the job knows that it is over, and is gone.
  bool AllToldAndGone(const JobId& job) const;
  // What the jobs that are not over may still need on the disk, and what of it is used.
  std::uint64_t BytesPromised() const;
  // Blobs that some job needs.
  std::set<Digest> Keep() const;
  void WriteStatuses();

 private:
  Status LoadJob(const JobId& job);
  void FillSlots();
  Status TellRunning(const JobId& job, const Input& word);
  Status AbortFromOutside(JobEntry* entry, const std::string& message);
  Status OpenRunner(JobEntry* entry);
  void StartRunner(JobEntry* entry);
  void OnFinished(const JobId& job);
  void OnStopped(const JobId& job, const Status& status);
  void Retry(const JobId& job);
  void Conclude(JobEntry* entry, JobFinished outcome);
  void Tidy(JobEntry* entry);
  void Say(const SiteName& site, wire::CoordinatorMessage message);
  void TellEnd(JobEntry* entry, const SiteName& site);
  std::size_t ActiveCount() const;

  Options options_;
  Hands hands_;
  std::map<JobId, JobEntry> jobs_;
  std::map<SiteName, wire::Capability> connected_;
  TaskDesk desk_;
  std::uint64_t sequence_ = 0;
  bool started_ = false;
  bool needs_unknown_ = false;                         // of a job that could not be read: no blob is removed
  std::vector<std::unique_ptr<JobRunner>> graveyard_;  // dead runners that handlers may still point to
};

}  // namespace consilium::coordinator
