#include "coordinator_actor.h"

#include <algorithm>

#include "coordinator/core/fold.h"
#include "secure_parts.h"

namespace consilium::simtest {

namespace hub = coordinator;
using std::chrono::milliseconds;
using std::chrono::seconds;

CoordinatorActor::Life::Life(CoordinatorActor* actor, hub::JobMachine machine)
    : machine(std::move(machine)),
      journal(&actor->node_.disk(), "journal"),
      blobs(&actor->node_.disk()),
      transfers(&actor->stage_->network, &blobs, kHub,
                {[this](const SiteName& site, const Digest& digest) { return access.AuthorizeFetch(site, digest); },
                 [this](const SiteName& site, const wire::UploadOffer& offer) {
                   return access.AuthorizeUpload(site, offer.task, offer.manifest);
                 }},
                {.unit_bytes = actor->stage_->scenario.unit_bytes}, &actor->stage_->transfers) {}

// --- a life begins

hub::JobOpened CoordinatorActor::NewJob(const wire::BlobManifest& model) const {
  hub::JobOpened job{.job = JobId("trial"), .job_json = JobJsonOf(stage_->scenario)};
  job.sites = SitesOf(stage_->scenario);
  job.model = model;
  return job;
}

StatusOr<hub::JobMachine> CoordinatorActor::OpenMachine(const std::vector<Bytes>& journal, sim::BlobStore* blobs) {
  if (journal.empty()) {
    ASSIGN_OR_RETURN(const wire::BlobManifest model, blobs->Import(BytesOf(InitialModel(stage_->scenario))));
    return hub::JobMachine::Open(NewJob(model));
  }
  std::vector<hub::Record> records;
  for (const Bytes& bytes : journal) {
    ASSIGN_OR_RETURN(hub::Record record, hub::DecodeRecord(bytes));
    records.push_back(std::move(record));
  }
  return hub::JobMachine::Restore(records);
}

void CoordinatorActor::Wake(bool power_was_lost) {
  node_.disk().SetLying(stage_->scenario.sabotage == Sabotage::kSkipSync);
  sim::BlobStore blobs(&node_.disk());
  if (power_was_lost) blobs.Recover();
  const std::vector<Bytes> journal = sim::Journal(&node_.disk(), "journal").Recover();
  stage_->witness.OnRecordsRecovered(journal);
  StatusOr<hub::JobMachine> machine = OpenMachine(journal, &blobs);
  if (machine.code() == StatusCode::kStorage) return Exit(machine.status());
  if (!machine.ok()) return stage_->witness.Hold("the job cannot be restored: " + machine.status().message());
  life_ = std::make_unique<Life>(this, std::move(*machine));

  hub::Started started;
  if (stage_->scenario.mode == "secure")
    started.secure = {stage_->scenario.model_values, RosterOf(stage_->scenario), {1, Sha256Of("log")}};
  if (state().phase() != hub::Phase::kNew) {
    life_->blobs.RetainOnly(state().LiveBlobs(), {});
    if (!life_->blobs.Has(state().model().digest)) return stage_->witness.Hold("the model in force is gone");
  }
  if (state().phase() != hub::Phase::kFinished)
    for (const hub::UpdateAccepted& update : state().HeldUpdates())
      if (!life_->blobs.Has(update.update.digest)) started.lost_updates.push_back(update.site);
  Step(started);
}

// --- the transport's part: who is there

void CoordinatorActor::OnAccepted(sim::StreamId stream, const std::string& peer, const std::string& purpose) {
  if (purpose == "control")
    life_->streams[stream] = SiteName(peer);
  else
    life_->transfers.OnAccepted(stream, peer, purpose);
}

void CoordinatorActor::OnMessage(sim::StreamId stream, Bytes message) {
  if (life_->transfers.OnMessage(stream, message)) return;
  const auto found = life_->streams.find(stream);
  if (found == life_->streams.end()) return;
  const SiteName site = found->second;
  const auto session = life_->sessions.find(site);
  if (session != life_->sessions.end() && session->second == stream) return Heard(site, message);
  Greet(stream, site, message);
}

// The first message is Hello, and is answered with Welcome before the machine knows; the newest session wins.
void CoordinatorActor::Greet(sim::StreamId stream, const SiteName& site, const Bytes& bytes) {
  const StatusOr<wire::SiteMessage> message = wire::DecodeSiteMessage(bytes);
  if (!message.ok() || !std::holds_alternative<wire::Hello>(*message)) return;
  const std::uint64_t life = node_.life();
  EndSession(site, "a newer connection took its place");
  if (!alive() || node_.life() != life) return;
  const auto interval = std::chrono::duration_cast<milliseconds>(stage_->scenario.heartbeat).count();
  stage_->network.Send(stream, kHub,
                       wire::Encode(wire::CoordinatorMessage(wire::Welcome{
                           .coordinator = kHub, .heartbeat_interval_ms = static_cast<std::uint32_t>(interval)})));
  life_->sessions[site] = stream;
  life_->last_beats[site] = stage_->queue.Now();
  Step(hub::SiteConnected{site, std::get<wire::Hello>(*message).capability});
}

void CoordinatorActor::EndSession(const SiteName& site, const std::string& reason) {
  const auto session = life_->sessions.find(site);
  if (session == life_->sessions.end()) return;
  const sim::StreamId stream = session->second;
  life_->sessions.erase(session);
  life_->streams.erase(stream);
  stage_->network.Close(stream, kHub);
  Step(hub::SiteDisconnected{site, reason});
}

void CoordinatorActor::Heard(const SiteName& site, const Bytes& bytes) {
  StatusOr<wire::SiteMessage> message = wire::DecodeSiteMessage(bytes);
  if (!message.ok()) return stage_->witness.Hold("a message cannot be read: " + message.status().message());
  if (std::holds_alternative<wire::Heartbeat>(*message)) {
    const Instant now = stage_->queue.Now();
    const Instant last = std::exchange(life_->last_beats.try_emplace(site, now).first->second, now);
    stage_->counters.silence_max = std::max(stage_->counters.silence_max, now - last);
  }
  stage_->trace.Note(kHub, " hears ", wire::MessageName(*message), " of ", site.value());
  Step(hub::FromSite{site, std::move(*message)});
}

void CoordinatorActor::OnClosed(sim::StreamId stream, const Status& reason) {
  if (life_->transfers.OnClosed(stream)) return;
  const auto found = life_->streams.find(stream);
  if (found == life_->streams.end()) return;
  const SiteName site = found->second;
  life_->streams.erase(found);
  const auto session = life_->sessions.find(site);
  if (session == life_->sessions.end() || session->second != stream) return;
  life_->sessions.erase(session);
  Step(hub::SiteDisconnected{site, reason.message()});
}

// --- the machine's part

void CoordinatorActor::Step(const hub::Input& input) {
  const std::uint64_t life = node_.life();
  const auto is_persist = [](const hub::Action& action) { return std::holds_alternative<hub::Persist>(action); };
  std::vector<hub::Action> actions = life_->machine.Step(input, node_.LocalNow());
  if (stage_->scenario.sabotage == Sabotage::kSayBeforePersist && stage_->Sabotages(Sabotage::kSayBeforePersist))
    std::stable_partition(actions.begin(), actions.end(),
                          [&](const hub::Action& action) { return !is_persist(action); });
  ExecuteAll(
      actions, is_persist, [this](const hub::Action& action) { Execute(action); },
      [this](const hub::Action& action) { Tear(action); });
  if (!alive() || node_.life() != life) return;
  life_->access.Show(state());
  if (stage_->scenario.sabotage == Sabotage::kNone) stage_->witness.OnMachineState(state());
}

void CoordinatorActor::Execute(const hub::Action& action) {
  std::visit([this](const auto& alternative) { Do(alternative); }, action);
}

void CoordinatorActor::Tear(const hub::Action& action) {
  if (const auto* persist = std::get_if<hub::Persist>(&action)) {
    const Bytes record = hub::Encode(persist->record);
    life_->journal.AppendTorn(record, stage_->rng.Below(record.size() + 12));
  }
}

void CoordinatorActor::Do(const hub::Persist& action) {
  stage_->trace.Note(kHub, " persists ", hub::RecordName(action.record));
  if (stage_->Sabotages(Sabotage::kSkipPersist)) return;
  const Bytes record = hub::Encode(action.record);
  if (const Status status = life_->journal.Append(record); !status.ok()) return Exit(status);
  node_.Occupy(stage_->scenario.sync_latency);
  stage_->witness.OnRecordDurable(record);
}

void CoordinatorActor::Do(const hub::Send& action) {
  life_->access.Show(state());
  stage_->trace.Note(kHub, " says ", wire::MessageName(action.message), " to ", action.site.value());
  stage_->witness.OnCoordinatorSays(action.site, action.message);
  const auto session = life_->sessions.find(action.site);
  if (session == life_->sessions.end()) return;
  stage_->network.Send(session->second, kHub, wire::Encode(action.message));
}

void CoordinatorActor::Do(const hub::SetTimer& action) {
  node_.After(action.after, [this, id = action.id] { Step(hub::TimerFired{id}); });
}

Status CoordinatorActor::Check(const hub::CheckUpdate& action) const {
  const StatusOr<Bytes> update = life_->blobs.Read(action.update.digest);
  if (!update.ok()) return DataLoss("the update was announced but never uploaded");
  if (stage_->scenario.mode == "secure") return Status();  // the machine knows its size and name
  if (update->size() != stage_->scenario.model_values * sizeof(float)) return DataLoss("not the model's tensors");
  return hub::FirstNotFinite(ModelOf(*update)) ? DataLoss("a value is not finite") : Status();
}

// In a worker thread there; some time passes.
void CoordinatorActor::Do(const hub::CheckUpdate& action) {
  node_.After(Between(milliseconds(1), milliseconds(300)), [this, action] {
    Step(hub::UpdateChecked{action.site, action.task, Check(action), action.update.digest});
  });
}

void CoordinatorActor::Do(const hub::FoldRound& action) {
  node_.After(Between(milliseconds(1), seconds(1)), [this, action] {
    const StatusOr<hub::FoldDone> done = Fold(action);
    if (!done.ok()) return Exit(done.status());
    Step(*done);
  });
}

StatusOr<hub::FoldDone> CoordinatorActor::Fold(const hub::FoldRound& action) {
  if (!action.secure.empty()) return FoldInSecret(action);
  std::vector<hub::Contribution> contributions = action.contributions;
  if (stage_->Sabotages(Sabotage::kCountTwice)) contributions.push_back(contributions.front());
  std::vector<double> weights;
  for (const hub::Contribution& contribution : contributions) weights.push_back(contribution.weight);
  const std::vector<double> shares = hub::SharesOf(weights);
  std::vector<double> sum(stage_->scenario.model_values);
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const StatusOr<Bytes> update = life_->blobs.Read(contributions[i].update.digest);
    if (!update.ok()) {
      stage_->witness.Hold("an accepted update's body is gone: " + update.status().message());
      return update.status();
    }
    const Model values = ModelOf(*update);
    i == 0 ? hub::StartFold(shares[i], values, sum) : hub::AddToFold(shares[i], values, sum);
  }
  Model model(sum.size());
  hub::FinishFold(sum, model);
  ASSIGN_OR_RETURN(const wire::BlobManifest manifest, life_->blobs.Import(BytesOf(model)));
  return hub::FoldDone{action.round, manifest, manifest.digest};
}

StatusOr<hub::FoldDone> CoordinatorActor::FoldInSecret(const hub::FoldRound& action) {
  std::vector<Bytes> vectors;
  std::vector<SiteName> sites;
  for (const hub::Contribution& contribution : action.contributions) {
    StatusOr<Bytes> vector = life_->blobs.Read(contribution.update.digest);
    if (!vector.ok()) stage_->witness.Hold("a masked vector that counts is gone: " + vector.status().message());
    RETURN_IF_ERROR(vector.status());
    vectors.push_back(*std::move(vector));
    sites.push_back(contribution.site);
  }
  StatusOr<Model> mean = MeanInMemory(action.secure.front(), vectors);
  if (!mean.ok()) stage_->witness.Hold("a sum cannot be unmasked: " + mean.status().message());
  RETURN_IF_ERROR(mean.status());
  stage_->witness.OnSummedInSecret(action.round, sites, *mean);
  ASSIGN_OR_RETURN(const Bytes base, life_->blobs.Read(action.model.digest));
  Model model = ModelOf(base);
  for (std::size_t i = 0; i < model.size(); ++i) model[i] += (*mean)[i];
  ASSIGN_OR_RETURN(const wire::BlobManifest manifest, life_->blobs.Import(BytesOf(model)));
  return hub::FoldDone{action.round, manifest, manifest.digest};
}

void CoordinatorActor::Do(const hub::Publish&) {
  // The machine's, which has also what is being checked right now, and not the state's.
  life_->blobs.RetainOnly(life_->machine.LiveBlobs(), life_->transfers.Receiving());
}

void CoordinatorActor::Do(const hub::Finish&) {
  if (!stage_->witness.finished() && stage_->scenario.sabotage == Sabotage::kNone)
    stage_->witness.Hold("the job's result was written before its end was durable");
}

void CoordinatorActor::Do(const hub::Report& action) {
  stage_->trace.Note(kHub, ": ", action.event);
  stage_->trace.Comment("    ", action.fields);
}

// Updates are uncompressed weights here: each is its site's model.
void CoordinatorActor::Do(const hub::BuildLocalModels& action) {
  hub::LocalModelsBuilt built;
  for (const hub::Contribution& contribution : action.contributions)
    built.models[contribution.site] = contribution.update;
  node_.After(Between(milliseconds(1), seconds(1)), [this, built] { Step(built); });
}

// Jobs here begin with a model; planning is walked crash by crash in tests/unit/coordinator.
void CoordinatorActor::Do(const hub::MakePlan&) { stage_->witness.Hold("a plan that no job asked for"); }
void CoordinatorActor::Do(const hub::KeepModel&) { stage_->witness.Hold("a first model that no job asked for"); }

// Not in the middle of the machine's actions.
void CoordinatorActor::Do(const hub::Disconnect& action) {
  node_.After(Duration(), [this, action] { EndSession(action.site, action.reason); });
}

std::string CoordinatorActor::Waiting() const {
  if (!alive() || !life_) return "the coordinator is down";
  std::string text = Concat("round ", state().round(), " is ", hub::PhaseName(state().phase()), "; awaited:");
  for (const SiteName& site : life_->machine.awaited())
    text += Concat(" ", site, life_->machine.IsConnected(site) ? " (connected)" : " (not connected)");
  return text;
}

}  // namespace consilium::simtest
