#include "coordinator/service/access_table.h"

#include "coordinator/core/job_machine.h"

namespace consilium::coordinator {
namespace {

// A site that trained again after a mishap may offer another blob for the same task, but not without end.
constexpr std::size_t kOffersMax = 3;

}  // namespace

void AccessTable::Show(const JobState& state) {
  const std::lock_guard lock(mutex_);
  Job& job = jobs_[state.opened().job];
  job.sites.insert(state.opened().sites.begin(), state.opened().sites.end());
  job.models.clear();
  if (state.model().bytes > 0) job.models.insert(state.model().digest);
  if (state.auxiliary()) job.models.insert(state.auxiliary()->digest);
  if (state.evaluation())
    for (const auto& [subject, model] : state.evaluation()->subjects) job.models.insert(model.digest);
  job.own.clear();
  for (const auto& [site, model] : state.site_models()) job.own[site].insert(model.digest);
  for (const auto& [site, task] : state.in_hand()) job.own[site].insert(state.ModelOfTask(site).digest);
  job.update_bytes_max = AnswerBytesMax(state);
  job.secure = state.secure();
  std::map<SiteName, Work> work;
  const auto show = [&](const SiteName& site, bool answered) {
    Work now{state.KeyFor(site), answered, state.sessions_opened(), {}};
    if (const auto before = job.work.find(site);
        before != job.work.end() && before->second.task == now.task && before->second.session == now.session)
      now.offered.swap(before->second.offered);
    work.emplace(site, std::move(now));
  };
  if (state.async()) {
    for (const auto& [site, task] : state.in_hand()) show(site, false);
  } else if (state.phase() == Phase::kCollecting) {
    for (const auto& [site, item] : state.cohort()) show(site, state.IsDone(item));
  }
  Retire(state.opened().job, job.work);
  job.work = std::move(work);
}

void AccessTable::Retire(const JobId& job, const std::map<SiteName, Work>& work) {
  for (const auto& [site, item] : work) retired_[job].insert(item.offered.begin(), item.offered.end());
}

void AccessTable::Hide(const JobId& job) {
  const std::lock_guard lock(mutex_);
  const auto found = jobs_.find(job);
  if (found == jobs_.end()) return;
  Retire(job, found->second.work);
  jobs_.erase(found);
}

std::set<Digest> AccessTable::OfferedBlobs() const {
  const std::lock_guard lock(mutex_);
  std::set<Digest> offered;
  for (const auto& [name, job] : jobs_)
    for (const auto& [site, work] : job.work) offered.insert(work.offered.begin(), work.offered.end());
  return offered;
}

std::set<Digest> AccessTable::TakeRetired(const JobId& job) {
  const std::lock_guard lock(mutex_);
  const auto found = retired_.find(job);
  if (found == retired_.end()) return {};
  std::set<Digest> retired = std::move(found->second);
  retired_.erase(found);
  return retired;
}

Status AccessTable::AuthorizeFetch(const SiteName& site, const Digest& digest) const {
  const std::lock_guard lock(mutex_);
  bool in_force = false;
  for (const auto& [name, job] : jobs_) {
    const auto own = job.own.find(site);
    if (own != job.own.end() && own->second.contains(digest)) return Status();
    if (!job.models.contains(digest)) continue;
    if (job.sites.contains(site)) return Status();
    in_force = true;
  }
  if (in_force) return PermissionDenied(site, " is not a site of the job that this model belongs to");
  return NotFound("no model ", digest, " is in force");
}

Status AccessTable::AuthorizeUpload(const SiteName& site, const wire::TaskKey& task,
                                    const wire::BlobManifest& manifest) {
  const std::lock_guard lock(mutex_);
  const auto job = jobs_.find(task.job);
  if (job == jobs_.end()) return FailedPrecondition("there is no job '", task.job, "'");
  const auto work = job->second.work.find(site);
  if (work == job->second.work.end() || work->second.task != task)
    return FailedPrecondition("the update for ", task, " is not wanted: it is not this site's work in hand");
  if (job->second.secure && work->second.session == 0)
    return FailedPrecondition("the updates of job '", task.job, "' are summed in secret: nothing is taken for ", task,
                              " before a sum has begun, and then a masked vector");
  if (work->second.answered) return AlreadyExists("the update for ", task, " is already there");
  if (manifest.bytes > job->second.update_bytes_max)
    return ResourceExhausted("an update of ", manifest.bytes, " bytes is larger than the model allows (",
                             job->second.update_bytes_max, ")");
  std::set<Digest>& offered = work->second.offered;
  if (!offered.contains(manifest.digest) && offered.size() >= kOffersMax)
    return ResourceExhausted("this site has offered ", kOffersMax, " different updates for ", task, " already");
  offered.insert(manifest.digest);
  return Status();
}

}  // namespace consilium::coordinator
