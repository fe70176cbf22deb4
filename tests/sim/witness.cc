#include "witness.h"

#include "comm/sim/blob_store.h"

namespace consilium::simtest {

namespace hub = coordinator;

Witness::Witness(const Scenario& scenario, sim::Trace* trace) : scenario_(scenario), trace_(trace) {}

void Witness::Hold(const std::string& violation) {
  trace_->Note("VIOLATION ", violation);
  violations_.push_back(violation);
}

// --- records

void Witness::OnRecordDurable(const Bytes& bytes) {
  records_.push_back(bytes);
  const StatusOr<hub::Record> record = hub::DecodeRecord(bytes);
  if (!record.ok()) return Hold("a record cannot be read: " + record.status().message());
  Judge(*record);
}

void Witness::OnRecordsRecovered(const std::vector<Bytes>& records) {
  if (records.size() < records_.size())
    return Hold(Concat("the journal went back from ", records_.size(), " records to ", records.size()));
  if (records.size() > records_.size() + 1) return Hold("the journal holds records that nobody wrote");
  for (std::size_t i = 0; i < records_.size(); ++i)
    if (records[i] != records_[i]) return Hold(Concat("record ", i, " has changed on the disk"));
  if (records.size() > records_.size()) OnRecordDurable(records.back());
}

void Witness::Judge(const hub::Record& record) {
  // Before the state takes it: what was true until now is what the record is judged by.
  std::visit(
      [this](const auto& fact) {
        using Fact = std::decay_t<decltype(fact)>;
        if constexpr (std::is_same_v<Fact, hub::UpdateAccepted> || std::is_same_v<Fact, hub::RoundClosed> ||
                      std::is_same_v<Fact, hub::ModelPublished> || std::is_same_v<Fact, hub::EvaluationAccepted>)
          Judge(fact);
        if constexpr (std::is_same_v<Fact, hub::TaskFailureRecorded>) failures_.insert({fact.site, fact.task});
      },
      record);
  if (const Status applied = durable_.Apply(record); !applied.ok())
    Hold("the journal cannot be replayed: " + applied.message());
}

void Witness::Judge(const hub::UpdateAccepted& record) {
  const Digest& digest = record.update.digest;
  const auto said = updates_said_.find({record.site, record.task});
  if (said == updates_said_.end() || !said->second.contains({digest, record.weight}))
    Hold(Concat("an update of ", record.site, " for ", record.task, " was counted that it never announced"));
  const auto [first, is_first] = counted_.try_emplace({record.site, record.task.round}, digest);
  if (!is_first && first->second != digest)
    Hold(Concat("two different updates of ", record.site, " were counted for round ", record.task.round));
}

void Witness::Judge(const hub::EvaluationAccepted& record) {
  const auto said = evaluations_said_.find({record.site, record.task});
  if (said == evaluations_said_.end() || said->second != record.metrics)
    Hold(Concat("an evaluation was taken that ", record.site, " never reported"));
}

void Witness::Judge(const hub::RoundClosed& record) {
  if (record.contributors.size() < scenario_.sites_min)
    Hold(Concat("round ", record.round, " closed with ", record.contributors.size(), " of at least ",
                scenario_.sites_min, " updates"));
  if (scenario_.mode == "wait" && record.contributors.size() != scenario_.sites)
    Hold(Concat("round ", record.round, " did not wait for every site"));
}

void Witness::Judge(const hub::ModelPublished& record) {
  std::map<SiteName, std::pair<const Model*, double>> updates;
  for (const auto& [site, work] : durable_.cohort()) {
    if (!work.update) continue;
    const auto model = models_.find(work.update->update.digest);
    if (model == models_.end()) return Hold(Concat("an update that ", site, " never trained was accepted"));
    updates[site] = {&model->second, scenario_.weighting == "equal" ? 1.0 : work.update->weight};
  }
  if (updates.empty()) return Hold("a model was made of nothing");
  if (sim::ManifestOf(BytesOf(MeanOf(updates))) != record.model)
    Hold(Concat("the model of round ", record.round, " is not the mean of the accepted updates"));
}

// --- what the coordinator says

void Witness::OnCoordinatorSays(const SiteName& site, const wire::CoordinatorMessage& message) {
  std::visit(
      [&](const auto& alternative) {
        if constexpr (requires { JudgeSaid(site, alternative); }) JudgeSaid(site, alternative);
      },
      message);
}

void Witness::JudgeSaid(const SiteName& site, const wire::Task& task) {
  const bool evaluates = task.task.kind == wire::TaskKind::kEvaluate;
  if (durable_.phase() != (evaluates ? hub::Phase::kEvaluating : hub::Phase::kCollecting) ||
      !durable_.cohort().contains(site) || task.task != durable_.KeyFor(site))
    return Hold(Concat(site, " was given ", task.task, ", which is not durably its work in hand"));
  if (task.model != durable_.ModelFor(site)) Hold(Concat(site, " was given a model that is not durably in force"));
}

bool Witness::IsDealtWith(const SiteName& site, const wire::TaskKey& task) const {
  if (failures_.contains({site, task})) return true;
  const auto work = durable_.cohort().find(site);
  if (work != durable_.cohort().end() && ((work->second.update && work->second.update->task == task) ||
                                          (work->second.evaluation && work->second.evaluation->task == task)))
    return true;
  const std::size_t round = ToInt(task.round);
  return task.kind == wire::TaskKind::kTrain && round < durable_.past().size() && durable_.past()[round].contains(site);
}

void Witness::JudgeSaid(const SiteName& site, const wire::Receipt& receipt) {
  const bool promises = receipt.reason == wire::DropReason::kNone || receipt.reason == wire::DropReason::kDuplicate;
  if (promises && !IsDealtWith(site, receipt.task))
    Hold(Concat(site, " was told that ", receipt.task, " was dealt with, which is not durable"));
}

void Witness::JudgeSaid(const SiteName& site, const wire::StandDown& down) {
  const bool open = durable_.phase() == hub::Phase::kCollecting && durable_.round() == down.task.round;
  if (open) Hold(Concat(site, " was told to stop ", down.task, ", whose round is durably open"));
}

void Witness::JudgeSaid(const SiteName& site, const wire::JobEnded& ended) {
  if (!finished() || durable_.outcome().code != ended.code || durable_.outcome().message != ended.message)
    Hold(Concat(site, " was told that the job is over, which is not durable"));
}

void Witness::OnMachineState(const hub::JobState& state) {
  if (!(durable_ == state)) Hold("the machine believes what its journal does not say");
}

// --- sites

void Witness::OnSessionDurable(const SiteName& site, const client::SessionState& state) {
  sessions_[site] = state.ToJson().dump();
  std::set<wire::TaskKey>& remembered = remembered_[site];
  remembered.clear();
  for (const client::Outcome& outcome : state.outcomes()) remembered.insert(outcome.task);
}

void Witness::OnSessionRecovered(const SiteName& site, const client::SessionState& state) {
  const auto durable = sessions_.find(site);
  const std::string expected = durable == sessions_.end() ? client::SessionState().ToJson().dump() : durable->second;
  if (state.ToJson().dump() != expected) Hold(Concat(site, " remembers another session than was durable"));
}

void Witness::OnSiteSays(const SiteName& site, const wire::SiteMessage& message) {
  const auto require_remembered = [&](const wire::TaskKey& task) {
    if (!remembered_[site].contains(task)) Hold(Concat(site, " told the outcome of ", task, " before it was durable"));
  };
  if (const auto* ready = std::get_if<wire::UpdateReady>(&message)) {
    require_remembered(ready->task);
    updates_said_[{site, ready->task}].insert({ready->update.digest, ready->weight});
    const auto trained = trained_.find({site, ready->task});
    if (trained == trained_.end() || trained->second != ready->update.digest)
      Hold(Concat(site, " announced an update for ", ready->task, " that it did not train"));
  } else if (const auto* report = std::get_if<wire::EvaluationReport>(&message)) {
    require_remembered(report->task);
    evaluations_said_[{site, report->task}] = report->metrics;
  } else if (const auto* failed = std::get_if<wire::TaskFailed>(&message)) {
    require_remembered(failed->task);
  }
}

void Witness::OnTrained(const SiteName& site, const wire::TaskKey& task, const TrainedModel& trained) {
  const Digest digest = Sha256Of(BytesOf(trained.update));
  models_[digest] = trained.update;
  const auto [first, is_first] = trained_.try_emplace({site, task}, digest);
  if (!is_first && first->second != digest) Hold(Concat(site, " trained ", task, " again, to other weights"));
}

void Witness::OnSiteEnded(const SiteName& site, const Status& status) {
  const bool full = status.code() == StatusCode::kStorage;
  const bool job_over = scenario_.sites_exit_when_done && finished() && status.code() == durable_.outcome().code;
  if (!full && !job_over) Hold(Concat(site, " ended itself: ", status));
}

// --- the end

void Witness::OnJobOver() {
  const hub::JobFinished& outcome = durable_.outcome();
  if (scenario_.mode != "wait") return;
  if (outcome.code != StatusCode::kOk) {
    if (refusals_ == 0) Hold("a job that waits for every site failed without a site's failing: " + outcome.message);
    return;
  }
  if (durable_.model() != sim::ManifestOf(BytesOf(UndisturbedResult(scenario_))))
    Hold("the final model is not that of the undisturbed job");
}

}  // namespace consilium::simtest
