#include "witness.h"

#include <algorithm>
#include <cmath>

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
                      std::is_same_v<Fact, hub::ModelPublished> || std::is_same_v<Fact, hub::EvaluationAccepted> ||
                      std::is_same_v<Fact, hub::UnmaskingBegan>)
          Judge(fact);
        if constexpr (std::is_same_v<Fact, hub::UpdateAccepted> || std::is_same_v<Fact, hub::EvaluationAccepted> ||
                      std::is_same_v<Fact, hub::TaskFailureRecorded>)
          dealt_with_.insert({fact.site, fact.task});
        if constexpr (std::is_same_v<Fact, hub::RoundSkipped>) replies_ = 0;
        if constexpr (std::is_same_v<Fact, hub::UpdateWithdrawn>) {
          dealt_with_.erase({fact.site, fact.task});
          --replies_;
        }
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
  ++replies_;
  const Attempt which = durable_.async() ? record.task.attempt : Attempt{};
  const auto [first, is_first] = counted_.try_emplace({record.site, record.task.round, which}, digest);
  if (!is_first && first->second != digest)
    Hold(Concat("two different updates of ", record.site, " were counted for round ", record.task.round));
}

// The masked vectors count from here on, and their sites need not offer them again.
void Witness::Judge(const hub::UnmaskingBegan& record) {
  for (const auto& [site, vector] : record.vectors) {
    dealt_with_.insert({site, durable_.KeyFor(site)});
    if (!summands_.contains({site, record.round})) Hold(Concat("a vector of ", site, " counts, which never trained"));
    if (models_.contains(vector.vector.digest))
      Hold(Concat("the coordinator has the update of ", site, " in the clear"));
  }
  replies_ = record.vectors.size();
}

void Witness::OnSummedInSecret(Round round, const std::vector<SiteName>& sites, const Model& mean) {
  std::vector<double> sum(mean.size());
  double total = 0;
  for (const SiteName& site : sites) {
    const TrainedModel& trained = summands_.at({site, round});
    const double share = scenario_.weighting == "equal" ? 1.0 : trained.weight / 50;
    total += share;
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += share * static_cast<double>(trained.update[i]);
  }
  // Each site is rounded by less than a unit of the ring, 4 / 2^26.
  const double bound = static_cast<double>(sites.size()) * 6e-8 / total + 1e-6;
  for (std::size_t i = 0; i < sum.size(); ++i)
    if (!(std::abs(static_cast<double>(mean[i]) - sum[i] / total) <= bound))
      return Hold(Concat("the secure sum of round ", round, " is not the mean of what its sites trained"));
}

void Witness::Judge(const hub::EvaluationAccepted& record) {
  const auto said = evaluations_said_.find({record.site, record.task});
  if (said == evaluations_said_.end() || said->second != record.metrics)
    Hold(Concat("an evaluation was taken that ", record.site, " never reported"));
}

void Witness::Judge(const hub::RoundClosed& record) {
  if (replies_ < scenario_.sites_min)
    Hold(Concat("round ", record.round, " closed with ", replies_, " of at least ", scenario_.sites_min, " updates"));
  if (record.reason == hub::CloseReason::kAllAnswered && !durable_.Awaited().empty())
    Hold(Concat("round ", record.round, " closed for want of anybody to wait for, which is not so"));
  if (scenario_.mode == "wait" && record.contributors.size() != scenario_.sites)
    Hold(Concat("round ", record.round, " did not wait for every site"));
}

void Witness::Judge(const hub::ModelPublished& record) {
  if (durable_.secure()) {
    if (durable_.HeldUpdates().size() != replies_) Hold("a masked vector was forgotten, or one was counted twice");
    replies_ = 0;
    return;
  }
  std::vector<std::pair<const Model*, double>> updates;
  for (const hub::UpdateAccepted& update : durable_.HeldUpdates()) {
    const auto model = models_.find(update.update.digest);
    if (model == models_.end()) return Hold(Concat("an update that ", update.site, " never trained was accepted"));
    updates.emplace_back(&model->second, scenario_.weighting == "equal" ? 1.0 : update.weight);
  }
  if (updates.size() != replies_) Hold("an accepted update was forgotten, or one was counted twice");
  replies_ = 0;
  if (updates.empty()) return Hold("a model was made of nothing");
  if (wire::ManifestOf(BytesOf(MeanOf(updates))) != record.model)
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
  const std::vector<SiteName> awaited = durable_.Awaited();
  if (std::find(awaited.begin(), awaited.end(), site) == awaited.end() || task.task != durable_.KeyFor(site))
    return Hold(Concat(site, " was given ", task.task, ", which is not durably its work in hand"));
  if (task.model != durable_.ModelOfTask(site)) Hold(Concat(site, " was given a model that is not durably in force"));
}

void Witness::JudgeSaid(const SiteName& site, const wire::Receipt& receipt) {
  const bool promises = receipt.reason == wire::DropReason::kNone || receipt.reason == wire::DropReason::kDuplicate;
  if (promises && !dealt_with_.contains({site, receipt.task}))
    Hold(Concat(site, " was told that ", receipt.task, " was dealt with, which is not durable"));
}

void Witness::JudgeSaid(const SiteName& site, const wire::StandDown& down) {
  const std::vector<SiteName> awaited = durable_.Awaited();
  if (std::find(awaited.begin(), awaited.end(), site) != awaited.end() && durable_.KeyFor(site) == down.task)
    Hold(Concat(site, " was told to stop ", down.task, ", which is durably its work in hand"));
}

void Witness::JudgeSaid(const SiteName& site, const wire::JobEnded& ended) {
  if (!finished() || durable_.outcome().code != ended.code || durable_.outcome().message != ended.message)
    Hold(Concat(site, " was told that the job is over, which is not durable"));
}

void Witness::JudgeSaid(const SiteName& site, const wire::SecureRequest& question) {
  if (question.stage == wire::SecureStage::kAbort) return;
  if (question.session != durable_.sessions_opened())
    Hold(Concat(site, " is asked about session ", question.session, ", whose number is not durably spent"));
  if (question.stage != wire::SecureStage::kRelease) return;
  if (!durable_.unmasking() || durable_.unmasking()->session != question.session)
    Hold(Concat(site, " is asked to release before the sum is durably the round's"));
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
  } else if (const auto* answer = std::get_if<wire::SecureAnswer>(&message)) {
    require_remembered(answer->task);
    if (answer->stage != wire::SecureStage::kRelease) return;
    if (sessions_[site].find(ToHex(answer->body)) == std::string::npos)
      Hold(Concat(site, " released shares of ", answer->task, " before that was durable"));
    const auto [first, is_first] = released_.try_emplace({site, answer->task.round}, answer->body);
    if (!is_first && first->second != answer->body)
      Hold(Concat(site, " released shares of round ", answer->task.round, " in two versions"));
  }
}

void Witness::OnTrained(const SiteName& site, const wire::TaskKey& task, const TrainedModel& trained) {
  const Digest digest = wire::ManifestOf(BytesOf(trained.update)).digest;
  models_[digest] = trained.update;
  if (scenario_.mode == "secure") summands_[{site, task.round}] = trained;
  const auto [first, is_first] = trained_.try_emplace({site, task}, digest);
  // Mode async promises that every update counts once, not that work done again gives the same bits: what counts when a
  // task starts depends on which receipts have arrived.
  if (scenario_.mode == "async") first->second = digest;
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
  if (durable_.model() != wire::ManifestOf(BytesOf(UndisturbedResult(scenario_))))
    Hold("the final model is not that of the undisturbed job");
}

}  // namespace consilium::simtest
