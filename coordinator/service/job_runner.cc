#include "coordinator/service/job_runner.h"

#include <boost/asio/post.hpp>

#include "comm/base/file.h"
#include "comm/base/log.h"
#include "coordinator/service/aggregate.h"
#include "coordinator/service/job_result.h"
#include "coordinator/service/local_model.h"
#include "coordinator/service/model_file.h"
#include "coordinator/service/plan_files.h"
#include "coordinator/service/secure_mean.h"

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
      board_(services_.traffic),
      status_timer_(*services_.loop) {}

StatusOr<std::unique_ptr<JobRunner>> JobRunner::Create(const JobFolder& folder, std::unique_ptr<Journal> journal,
                                                       const std::vector<Record>& records, JobMachine machine,
                                                       RunnerServices services) {
  std::unique_ptr<JobRunner> runner(new JobRunner(folder, std::move(journal), std::move(machine), std::move(services)));
  RETURN_IF_ERROR(runner->OpenViews(records));
  RETURN_IF_ERROR(runner->ReadFederation());
  const JobState& state = runner->state();
  runner->WritePlanViews();
  if (!records.empty() && state.model().bytes > 0 && !runner->services_.blobs->Has(state.model().digest))
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

Status JobRunner::ReadFederation() {
  const bool fresh = state().phase() == Phase::kNew;
  const std::string& json = fresh ? machine_.job().job_json : state().job_json();
  ASSIGN_OR_RETURN(const ConfigNode root, ConfigNode::Parse(json, "job"));
  ASSIGN_OR_RETURN(const wire::JobSpec job, wire::ParseJob(root));
  federation_ = job.federation;
  site_privacy_ = job.site_privacy;
  return Status();
}

// What a secure sum is over, and by whose keys.
StatusOr<SecureSetting> JobRunner::SettingOf() const {
  SecureSetting setting;
  if (!federation_.secure.enabled) return setting;
  const Digest& model = machine_.state().phase() == Phase::kNew ? machine_.job().model.digest : state().model().digest;
  ASSIGN_OR_RETURN(setting.elements, SharedElements(services_.blobs->PathOf(model), federation_.personal));
  if (services_.signing_keys != nullptr) setting.roster = *services_.signing_keys;
  if (services_.audit_point) setting.audit = services_.audit_point();
  return setting;
}

void JobRunner::Start() {
  const bool fresh = state().phase() == Phase::kNew;
  Started started;
  if (!fresh && state().phase() != Phase::kFinished)
    for (const UpdateAccepted& update : state().HeldUpdates())
      if (!services_.blobs->Has(update.update.digest)) started.lost_updates.push_back(update.site);
  StatusOr<SecureSetting> setting = SettingOf();
  if (!setting.ok()) return Die(setting.status());
  started.secure = *std::move(setting);
  Step(started);
}

void JobRunner::Connected(const SiteName& site, const wire::Capability& capability) {
  board_.Connected(site, services_.clock->Now());
  Step(SiteConnected{site, capability});
}

void JobRunner::Disconnected(const SiteName& site, const Status& reason) {
  Step(SiteDisconnected{site, reason.message()});
}

void JobRunner::Heard(const SiteName& site, wire::SiteMessage message) {
  if (const auto* beat = std::get_if<wire::Heartbeat>(&message)) {
    if (const std::string trouble = board_.NewTrouble(site, *beat);
        !trouble.empty() && beat->task.job == state().opened().job)
      RecordEvent(events_.get(), *services_.clock, state().opened().job, "site_held_up",
                  {{"site", site.value()}, {"round", ToInt(beat->task.round)}, {"message", trouble}});
    if (board_.Hear(site, *beat, services_.clock->Now()) && beat->task.job == state().opened().job)
      RecordEvent(events_.get(), *services_.clock, state().opened().job, "progress",
                  {{"site", site.value()},
                   {"phase", wire::SitePhaseName(beat->phase)},
                   {"round", ToInt(beat->task.round)},
                   {"progress", beat->progress},
                   {"metrics", MetricsJson(beat->metrics)}});
  }
  Step(FromSite{site, std::move(message)});
}

void JobRunner::Step(const Input& input) {
  if (dead_) return;
  if (federation_.secure.enabled && services_.audit_point)
    (void)machine_.Step(AuditAdvanced{services_.audit_point()}, services_.clock->Now());
  for (const Action& action : machine_.Step(input, services_.clock->Now())) {
    std::visit([this](const auto& alternative) { Execute(alternative); }, action);
    if (dead_) return;
  }
  std::erase_if(timers_, [this](const auto& timer) { return !machine_.Awaits(timer.first); });
  services_.access->Show(state());
  MarkStatus();
}

// --- actions

void JobRunner::Execute(const Persist& action) {
  if (const Status status = journal_->Append(Encode(action.record)); !status.ok()) return Die(status);
  board_.Take(action.record);
  if (const auto line = round_metrics_.Apply(action.record)) metrics_->Append(*line);
  if (std::holds_alternative<PlanPinned>(action.record)) WritePlanViews();
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
  InWorker([this, action, work = state().work(), model = state().model().digest]() -> std::function<void()> {
    const std::filesystem::path file = services_.blobs->PathOf(action.update.digest);
    Status verdict;
    if (work != Work::kTraining) {
      verdict = CheckPreparation(file, work);
    } else if (federation_.secure.enabled) {  // what is masked cannot be looked into; the machine knows size and digest
      if (!services_.blobs->Has(action.update.digest)) verdict = DataLoss("it was announced but never uploaded");
    } else {
      verdict = CheckUpdateFile(file, services_.blobs->PathOf(model), UpdateRulesOf());
    }
    return [this, action, verdict] {
      // Anything but the site's fault is ours, and no reason to refuse its work.
      if (!verdict.ok() && verdict.code() != StatusCode::kDataLoss)
        return Die(Annotate(verdict, "checking an update of ", action.site));
      Step(UpdateChecked{action.site, action.task, verdict, action.update.digest});
    };
  });
}

void JobRunner::Execute(const FoldRound& action) {
  InWorker([this, action, sites = state().opened().sites]() -> std::function<void()> {
    const StatusOr<FoldDone> done = Fold(action, sites);
    return [this, done, round = action.round] {
      if (done.ok()) return Step(*done);
      if (done.code() == StatusCode::kFailedPrecondition) return Step(FoldFailed{round, done.status().message()});
      Die(Annotate(done.status(), "folding round ", round));
    };
  });
}

UpdateRules JobRunner::UpdateRulesOf() const {
  UpdateRules rules{.personal = federation_.personal};
  const wire::StrategySpec* strategy = wire::FindStrategy(federation_.strategy);
  if (strategy != nullptr && !strategy->aux_up.empty()) rules.auxiliary.emplace_back(strategy->aux_up);
  return rules;
}

// In a worker thread.
StatusOr<FoldDone> JobRunner::Fold(const FoldRound& fold, const std::vector<SiteName>& sites) const {
  AggregateRequest request{.federation = federation_,
                           .personal = federation_.personal,
                           .sites = sites,
                           .model = services_.blobs->PathOf(fold.model.digest),
                           .output_folder = folder_.fold()};
  if (fold.strategy_state) request.state = services_.blobs->PathOf(fold.strategy_state->digest);
  std::error_code error;
  std::filesystem::create_directories(folder_.fold(), error);
  if (error) return ErrnoStatus(error.value(), "creating " + folder_.fold().string());
  SecureMean sum;
  if (!fold.secure.empty()) {
    SecureMeanRequest secure = {.secure = fold.secure.front(),
                                .contributions = fold.contributions,
                                .path_of = [this](const Digest& blob) { return services_.blobs->PathOf(blob); },
                                .model = request.model,
                                .personal = federation_.personal,
                                .site_privacy = site_privacy_,
                                .rounds = federation_.rounds,
                                .output = folder_.fold() / "secure-mean.safetensors"};
    if (fold.groups_min > 0) {
      ASSIGN_OR_RETURN(GroupMeans means, WriteGroupMeans(secure, fold.secure, fold.groups_min));
      request.contributions = std::move(means.contributions);
      sum.notes = std::move(means.notes);
    } else {  // one update stands for all: their weighted mean
      ASSIGN_OR_RETURN(sum, WriteSecureMean(secure));
      request.contributions.push_back({.site = SiteName("secure-sum"), .update = secure.output, .base = request.model});
    }
  }
  for (const Contribution& contribution : fold.contributions)
    if (fold.secure.empty())
      request.contributions.push_back({.site = contribution.site,
                                       .update = services_.blobs->PathOf(contribution.update.digest),
                                       .base = services_.blobs->PathOf(contribution.base),
                                       .weight = contribution.weight,
                                       .staleness = contribution.staleness,
                                       .metrics = contribution.metrics});
  ASSIGN_OR_RETURN(const AggregateResult result, Aggregate(request));
  FoldDone done{.round = fold.round, .model = {}, .parameters = result.parameters, .notes = result.notes};
  // What norm clipping says of groups, beside what the sites say of values beyond the job's clip.
  if (fold.groups_min > 0 && done.notes.contains("clipped")) done.notes["clipped_groups"] = done.notes["clipped"];
  if (!fold.secure.empty()) done.notes.update(sum.notes);
  done.share_below = sum.share_below;
  ASSIGN_OR_RETURN(done.model, Keep(result.model));
  if (!result.state.empty()) {
    ASSIGN_OR_RETURN(done.strategy_state, Keep(result.state));
  }
  if (!result.auxiliary.empty()) {
    ASSIGN_OR_RETURN(done.auxiliary, Keep(result.auxiliary));
  }
  for (const auto& [site, path] : result.site_models) {
    ASSIGN_OR_RETURN(done.site_models[site], Keep(path));
  }
  std::filesystem::remove_all(folder_.fold(), error);
  return done;
}

// A file of ours that is durable already, as a durable blob.
StatusOr<wire::BlobManifest> JobRunner::Keep(const std::filesystem::path& file) const {
  ASSIGN_OR_RETURN(const wire::BlobManifest manifest, services_.blobs->Import(file));
  RETURN_IF_ERROR(SyncDirectory(services_.blobs->PathOf(manifest.digest).parent_path()));
  return manifest;
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
  if (!services_.audit) return;
  if (const Status status = services_.audit(action.event, action.fields); !status.ok())
    Die(Annotate(status, "writing the audit log"));
}

void JobRunner::Execute(const Disconnect& action) {
  if (services_.disconnect) services_.disconnect(action.site, action.reason);
}

void JobRunner::Execute(const BuildLocalModels& action) {
  InWorker([this, action]() -> std::function<void()> {
    const StatusOr<LocalModelsBuilt> built = Build(action);
    return [this, built] {
      if (!built.ok()) return Die(Annotate(built.status(), "building the sites' own models"));
      Step(*built);
    };
  });
}

// In a worker thread.  A site's own model is the mean of one update, taken from the model that it started from.
StatusOr<LocalModelsBuilt> JobRunner::Build(const BuildLocalModels& action) const {
  LocalModelsBuilt built;
  std::error_code error;
  std::filesystem::create_directories(folder_.fold(), error);
  if (error) return ErrnoStatus(error.value(), "creating " + folder_.fold().string());
  for (const Contribution& contribution : action.contributions) {
    const std::filesystem::path output = folder_.fold() / "local.safetensors";
    RETURN_IF_ERROR(Annotate(WriteLocalModel(services_.blobs->PathOf(contribution.update.digest),
                                             services_.blobs->PathOf(contribution.base), UpdateRulesOf(), output),
                             "of ", contribution.site));
    ASSIGN_OR_RETURN(built.models[contribution.site], Keep(output));
  }
  std::filesystem::remove_all(folder_.fold(), error);
  return built;
}

// --- before round 0 of a job that asks for a plan

void JobRunner::Execute(const MakePlan& action) {
  InWorker([this, action, job = state().opened().job_json, round = state().round()]() -> std::function<void()> {
    const StatusOr<PlanMade> made = MakeFederationPlan(job, action.statistics, folder_.fold(), services_.blobs);
    return [this, made, round] {
      if (made.ok()) return Step(*made);
      if (made.code() == StatusCode::kFailedPrecondition) return Step(FoldFailed{round, made.status().message()});
      Die(Annotate(made.status(), "planning"));
    };
  });
}

void JobRunner::Execute(const KeepModel& action) {
  InWorker([this, model = action.model]() -> std::function<void()> {
    const Status kept = SyncFile(services_.blobs->PathOf(model.digest));
    return [this, kept, model] {
      if (!kept.ok()) return Die(Annotate(kept, "keeping the first model"));
      Step(ModelKept{model});
    };
  });
}

// What a person looks at; nothing before there is a plan.
void JobRunner::WritePlanViews() const {
  const std::optional<PlanPinned>& pinned = state().pinned();
  if (!pinned) return;
  const auto write = [&]() -> Status {
    ASSIGN_OR_RETURN(const Json plans, ReadJson(services_.blobs->PathOf(pinned->plans.digest)));
    RETURN_IF_ERROR(WriteJson(folder_.plans(), plans));
    ASSIGN_OR_RETURN(const ConfigNode root, ConfigNode::Parse(pinned->job_json, "job"));
    ASSIGN_OR_RETURN(const wire::JobSpec job, wire::ParseJob(root));
    return WriteFileAtomic(folder_.job_yaml(), wire::JobToYaml(job));
  };
  if (const Status status = write(); !status.ok())
    Log(LogLevel::kWarning, "view_not_written", {{"reason", status.message()}});
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
