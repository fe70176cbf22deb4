// What each site may fetch and upload right now: a picture of the jobs' states that transport threads can ask.
//
// It may lag behind the machine by one step; the machine judges every answer again.
#pragma once

#include <map>
#include <mutex>
#include <set>

#include "coordinator/core/job_state.h"

namespace consilium::coordinator {

// Thread-safe.
class AccessTable {
 public:
  void Show(const JobState& state);
  // The job is over: nothing of it may be fetched or uploaded any more.
  void Hide(const JobId& job);

  // Blobs that sites may be sending for work in hand, of all jobs: not to be removed, whether they have come or not.
  std::set<Digest> OfferedBlobs() const;
  // What sites offered for the job's work that is no longer in hand, since the last call.
  std::set<Digest> TakeRetired(const JobId& job);

  // Errors, sent to the site as they are: NotFound when the blob is not a model in force; PermissionDenied when the
  // site has no part in it.
  Status AuthorizeFetch(const SiteName& site, const Digest& digest) const;
  // Errors: AlreadyExists when the update is there; FailedPrecondition when the task is not the site's work in hand;
  // ResourceExhausted when the blob is larger than an update can be, or the fourth one for the same task.
  Status AuthorizeUpload(const SiteName& site, const wire::TaskKey& task, const wire::BlobManifest& manifest);

 private:
  struct Work {
    wire::TaskKey task;
    bool answered = false;
    std::uint32_t session = 0;  // of secure sums: each has vectors of its own
    std::set<Digest> offered;   // what the site wanted to upload for it
  };
  struct Job {
    std::set<SiteName> sites;
    std::set<Digest> models;                   // for every site: the global model, auxiliary state
    std::map<SiteName, std::set<Digest>> own;  // for that site alone
    std::uint64_t update_bytes_max = 0;
    bool secure = false;  // uploads are masked vectors, in a sum
    std::map<SiteName, Work> work;
  };
  void Retire(const JobId& job, const std::map<SiteName, Work>& work);

  mutable std::mutex mutex_;
  std::map<JobId, Job> jobs_;
  std::map<JobId, std::set<Digest>> retired_;
};

}  // namespace consilium::coordinator
