#include "coordinator/service/job_runner.h"

#include <boost/asio/post.hpp>

#include "comm/base/file.h"
#include "comm/base/log.h"
#include "coordinator/service/job_result.h"
#include "coordinator/service/model_file.h"

namespace consilium::coordinator {
namespace {

constexpr auto kStatusInterval = std::chrono::milliseconds(500);
// A site that keeps sending what does not count must not fill our disk with reports of it.
constexpr std::size_t kDropsReportedMax = 100;

}  // namespace

JobRunner::JobRunner(JobFolder folder, std::unique_ptr<Journal> journal, JobMachine machine, RunnerServices services)
    : folder_(std::move(folder)),
      journal_(std::move(journal)),
      machine_(std::move(machine)),
      services_(std::move(services)),
      status_timer_(*services_.loop) {}

StatusOr<std::unique_ptr<JobRunner>> JobRunner::Create(const JobFolder& folder, std::unique_ptr<Journal> journal,
                                                       const std::vector<Record>& records, JobMachine machine,
                                                       RunnerServices services) {
  std::unique_ptr<JobRunner> runner(new JobRunner(folder, std::move(journal), std::move(machine), std::move(services)));
  RETURN_IF_ERROR(runner->OpenViews(records));
  const JobState& state = runner->state();
  if (!records.empty() && !runner->services_.blobs->Has(state.model().digest))
    return DataLoss("the model in force, blob ", state.model().digest,
                    ", is missing; restore the state folder from a backup");
  return runner;
}

Status JobRunner::OpenViews(const std::vector<Record>& records) {
  ASSIGN_OR_RETURN(events_, JsonLines::Open(folder_.events(), JsonLines::At::kEnd));
  ASSIGN_OR_RETURN(metrics_, JsonLines::Open(folder_.metrics(), JsonLines::At::kBeginning));
  for (const Record& record : records) {
    board_.Take(record);
    if (const auto line = round_metrics_.Apply(record)) metrics_->Append(*line);
  }
  return Status();
}

// --- inputs

void JobRunner::Start() {
  Started started;
  for (const auto& [site, work] : state().cohort())
    if (state().phase() != Phase::kFinished && work.update && !services_.blobs->Has(work.update->update.digest))
      started.lost_updates.push_back(site);
  Step(started);
}

void JobRunner::Connected(const SiteName& site, const wire::Capability& capability) {
  Step(SiteConnected{site, capability});
}

void JobRunner::Disconnected(const SiteName& site, const Status& reason) {
  Step(SiteDisconnected{site, reason.message()});
}

void JobRunner::Heard(const SiteName& site, wire::SiteMessage message) {
  if (const auto* beat = std::get_if<wire::Heartbeat>(&message)) {
    if (board_.Hear(site, *beat, services_.clock->Now()) && beat->task.job == state().opened().job)
      RecordEvent(events_.get(), *services_.clock, state().opened().job, "progress",
                  {{"site", site.value()},
                   {"phase", wire::SitePhaseName(beat->phase)},
                   {"round", ToInt(beat->task.round)},
                   {"progress", beat->progress},
                   {"metrics", MetricsJson(beat->metrics)}});
    return MarkStatus();
  }
  Step(FromSite{site, std::move(message)});
}

void JobRunner::Step(const Input& input) {
  if (dead_) return;
  for (const Action& action : machine_.Step(input, services_.clock->Now())) {
    std::visit([this](const auto& alternative) { Execute(alternative); }, action);
    if (dead_) return;
  }
  services_.access->Show(state());
  MarkStatus();
}

// --- actions

void JobRunner::Execute(const Persist& action) {
  if (const Status status = journal_->Append(Encode(action.record)); !status.ok()) return Die(status);
  board_.Take(action.record);
  if (const auto line = round_metrics_.Apply(action.record)) metrics_->Append(*line);
}

void JobRunner::Execute(const Send& action) {
  // A task may be answered as soon as it is said: what it allows has to be in force before.
  services_.access->Show(state());
  services_.send(action.site, action.message);
}

void JobRunner::Execute(const SetTimer& action) {
  auto timer = std::make_unique<boost::asio::steady_timer>(*services_.loop);
  timer->expires_after(std::chrono::duration_cast<boost::asio::steady_timer::duration>(action.after));
  timer->async_wait([this, id = action.id](const boost::system::error_code& error) {
    if (error) return;
    const auto alive = timers_.extract(id);
    Step(TimerFired{id});
  });
  timers_[action.id] = std::move(timer);
}

void JobRunner::InWorker(std::function<std::function<void()>()> work) {
  boost::asio::post(*services_.workers, [this, work = std::move(work)] { boost::asio::post(*services_.loop, work()); });
}

void JobRunner::Execute(const CheckUpdate& action) {
  InWorker([this, action, model = state().model().digest]() -> std::function<void()> {
    const Status verdict =
        CheckUpdateFile(services_.blobs->PathOf(action.update.digest), services_.blobs->PathOf(model));
    return [this, action, verdict] {
      // Anything but the site's fault is ours, and no reason to refuse its work.
      if (!verdict.ok() && verdict.code() != StatusCode::kDataLoss)
        return Die(Annotate(verdict, "checking an update of ", action.site));
      Step(UpdateChecked{action.site, action.task, verdict});
    };
  });
}

void JobRunner::Execute(const FoldRound& action) {
  InWorker([this, action, model = state().model().digest]() -> std::function<void()> {
    const StatusOr<FoldDone> done = Fold(action, model);
    return [this, done, round = action.round] {
      if (!done.ok()) return Die(Annotate(done.status(), "folding round ", round));
      Step(*done);
    };
  });
}

// In a worker thread.
StatusOr<FoldDone> JobRunner::Fold(const FoldRound& fold, const Digest& model) const {
  std::vector<WeightedFile> updates;
  for (const Contribution& contribution : fold.contributions)
    updates.push_back({services_.blobs->PathOf(contribution.update.digest), contribution.weight});
  ASSIGN_OR_RETURN(const Digest parameters, FoldFiles(updates, services_.blobs->PathOf(model), folder_.fold()));
  ASSIGN_OR_RETURN(const wire::BlobManifest manifest, services_.blobs->Import(folder_.fold()));
  RETURN_IF_ERROR(SyncDirectory(services_.blobs->PathOf(manifest.digest).parent_path()));
  std::error_code ignored;
  std::filesystem::remove(folder_.fold(), ignored);
  return FoldDone{fold.round, manifest, parameters};
}

void JobRunner::Execute(const Publish&) { services_.tidy_blobs(); }

void JobRunner::Execute(const Finish&) {
  if (const Status status = WriteJobResult(folder_, state(), *services_.blobs); !status.ok()) return Die(status);
  WriteStatus();
  boost::asio::post(*services_.loop, services_.finished);
}

void JobRunner::Execute(const Report& action) {
  if (action.event == "drop") {
    const std::size_t count = ++drops_[SiteName(action.fields["site"].get<std::string>())];
    if (count == kDropsReportedMax + 1)
      Log(LogLevel::kWarning, "drops_no_longer_reported", {{"site", action.fields["site"].get<std::string>()}});
    if (count > kDropsReportedMax) return;
  }
  RecordEvent(events_.get(), *services_.clock, state().opened().job, action.event, action.fields);
}

void JobRunner::Execute(const Disconnect& action) {
  if (services_.disconnect) services_.disconnect(action.site, action.reason);
}

// An uncompressed update of weights is the site's model already.
void JobRunner::Execute(const BuildLocalModels& action) {
  LocalModelsBuilt built;
  for (const Contribution& contribution : action.contributions) built.models[contribution.site] = contribution.update;
  boost::asio::post(*services_.loop, [this, built = std::move(built)] { Step(built); });
}

// --- status.json

void JobRunner::MarkStatus() {
  if (status_due_ || dead_) return;
  status_due_ = true;
  status_timer_.expires_after(kStatusInterval);
  status_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) WriteStatus();
  });
}

void JobRunner::WriteStatus() {
  status_due_ = false;
  const Status status = WriteJson(folder_.status(), board_.ToJson(machine_, services_.clock->Now()));
  if (!status.ok()) Log(LogLevel::kWarning, "view_not_written", {{"reason", status.message()}});
}

void JobRunner::Die(const Status& status) {
  if (dead_) return;
  Retire();
  services_.die(Annotate(status, "job '", state().opened().job, "'"));
}

void JobRunner::Retire() {
  dead_ = true;
  status_timer_.cancel();
  journal_.reset();  // unlocked: the job may be opened again
}

}  // namespace consilium::coordinator
