#include "site_actor.h"

#include "secure_parts.h"

namespace consilium::simtest {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr char kSessionFile[] = "session.json";
constexpr auto kWelcomePatience = seconds(10);

std::string WorkFile(const std::string& file) { return "jobs/" + file; }

}  // namespace

SiteActor::SiteActor(Stage* stage, const SiteName& site, double clock_rate)
    : Actor(stage, site.value(), clock_rate), site_(site) {}

SiteActor::Life::Life(SiteActor* actor, client::SessionState state)
    : machine(std::move(state), actor->OptionsOf()),
      blobs(&actor->node_.disk()),
      transfers(&actor->stage_->network, &blobs, actor->name(), kHub,
                {.unit_bytes = actor->stage_->scenario.unit_bytes}, &actor->stage_->transfers) {}

client::SessionOptions SiteActor::OptionsOf() {
  client::SessionOptions options{.when_done = stage_->scenario.sites_exit_when_done
                                                  ? client::SessionOptions::WhenDone::kExit
                                                  : client::SessionOptions::WhenDone::kStay};
  if (stage_->scenario.mode == "secure")
    options.secure =
        std::make_shared<const client::SecureParty>(client::SecureParty{.name = site_,
                                                                        .signing = SigningKeyOf(site_),
                                                                        .roster = RosterOf(stage_->scenario),
                                                                        .entropy = &stage_->entropy});
  return options;
}

bool SiteActor::IsSettled() const {
  if (left_) return true;
  return alive() && life_ && life_->machine.state().outcomes().empty() && !life_->running;
}

StatusOr<client::SessionState> SiteActor::Load() {
  const StatusOr<Bytes> file = node_.disk().Read(kSessionFile);
  if (!file.ok()) return client::SessionState();
  ASSIGN_OR_RETURN(const Json json, ParseJson(std::string(AsText(*file)), kSessionFile));
  return client::SessionState::FromJson(json);
}

void SiteActor::Wake(bool power_was_lost) {
  if (power_was_lost) sim::BlobStore(&node_.disk()).Recover();
  StatusOr<client::SessionState> state = Load();
  if (!state.ok()) return stage_->witness.Hold(name() + " cannot read its session: " + state.status().message());
  stage_->witness.OnSessionRecovered(site_, *state);
  life_ = std::make_unique<Life>(this, std::move(*state));
  // Dialling needs the network, on which the node is once it has woken.
  node_.After(Duration(), [this] { Step(client::Started{}); });
}

// --- the connection

void SiteActor::OnConnected(sim::StreamId stream) {
  if (life_->transfers.OnConnected(stream) || life_->control != stream) return;
  const wire::Hello hello{.build = "sim", .capability = {.features = wire::FeaturesOfThisBuild()}};
  stage_->network.Send(stream, name(), wire::Encode(wire::SiteMessage(hello)));
  node_.After(kWelcomePatience, [this, stream] {
    if (life_->control == stream && !life_->welcomed) Lose(Unavailable("the coordinator does not answer Hello"));
  });
}

void SiteActor::OnMessage(sim::StreamId stream, Bytes bytes) {
  if (life_->transfers.OnMessage(stream, bytes) || life_->control != stream) return;
  StatusOr<wire::CoordinatorMessage> message = wire::DecodeCoordinatorMessage(bytes);
  if (!message.ok()) return stage_->witness.Hold("a message cannot be read: " + message.status().message());
  life_->welcomed = true;
  stage_->trace.Note(name(), " hears ", wire::MessageName(*message));
  Step(client::FromCoordinator{std::move(*message)});
}

void SiteActor::OnClosed(sim::StreamId stream, const Status& reason) {
  if (life_->transfers.OnClosed(stream, reason) || life_->control != stream) return;
  Lose(reason);
}

// What is in flight ends with the connection, and says so after it.
void SiteActor::Lose(const Status& reason) {
  Do(client::HangUp{});
  const std::set<client::TransferId> cut = std::exchange(life_->in_flight, {});
  for (const client::TransferId transfer : cut)
    node_.After(milliseconds(1), [this, transfer] {
      Step(client::TransferDone{transfer, Cancelled("the connection is gone")});
    });
  Step(client::ConnectionLost{reason, stage_->rng.Uniform()});
}

void SiteActor::Do(const client::Dial&) {
  Do(client::HangUp{});
  life_->control = stage_->network.Dial(name(), kHub, "control", stage_->scenario.delivery);
  life_->welcomed = false;
}

void SiteActor::Do(const client::HangUp&) {
  life_->transfers.Abort();
  if (life_->control) stage_->network.Close(*life_->control, name());
  life_->control.reset();
}

void SiteActor::Do(const client::Send& action) {
  stage_->trace.Note(name(), " says ", wire::MessageName(action.message));
  stage_->witness.OnSiteSays(site_, action.message);
  if (life_->control) stage_->network.Send(*life_->control, name(), wire::Encode(action.message));
}

// --- actions

void SiteActor::Step(const client::Input& input) {
  const auto is_persist = [](const client::Action& action) { return std::holds_alternative<client::Persist>(action); };
  ExecuteAll(
      life_->machine.Step(input, node_.LocalNow()), is_persist,
      [this](const client::Action& action) { Execute(action); },
      [this](const client::Action& action) { Tear(action); });
}

void SiteActor::Execute(const client::Action& action) {
  std::visit([this](const auto& alternative) { Do(alternative); }, action);
}

void SiteActor::Tear(const client::Action& action) {
  if (const auto* persist = std::get_if<client::Persist>(&action)) {
    const std::string text = persist->state.ToJson().dump();
    (void)node_.disk().Write(
        std::string(kSessionFile) + ".tmp",
        {text.begin(), text.begin() + static_cast<std::ptrdiff_t>(stage_->rng.Below(text.size()))});
  }
}

void SiteActor::Do(const client::SetTimer& action) {
  node_.After(action.after, [this, id = action.id] { Step(client::TimerFired{id}); });
}

void SiteActor::Do(const client::Persist& action) {
  stage_->trace.Note(name(), " persists");
  if (stage_->Sabotages(Sabotage::kSkipSitePersist)) return;
  const std::string text = action.state.ToJson().dump();
  if (const Status status = node_.disk().WriteAtomic(kSessionFile, AsBytes(text)); !status.ok())
    return Do(client::Finish{status});
  node_.Occupy(stage_->scenario.sync_latency);
  stage_->witness.OnSessionDurable(site_, action.state);
}

void SiteActor::EndTransfer(client::TransferId transfer, const Status& status) {
  if (life_->in_flight.erase(transfer) == 0) return;
  node_.After(Duration(), [this, transfer, status] { Step(client::TransferDone{transfer, status}); });
}

void SiteActor::Do(const client::Fetch& action) {
  life_->in_flight.insert(action.transfer);
  if (!life_->control) return EndTransfer(action.transfer, Unavailable("not connected"));
  life_->transfers.Fetch(action.model,
                         [this, transfer = action.transfer](const Status& status) { EndTransfer(transfer, status); });
}

void SiteActor::Do(const client::Upload& action) {
  life_->in_flight.insert(action.transfer);
  if (!life_->control) return EndTransfer(action.transfer, Unavailable("not connected"));
  StatusOr<Bytes> bytes = node_.disk().Read(WorkFile(action.file));
  if (!bytes.ok() || wire::ManifestOf(*bytes) != action.update) {
    stage_->witness.Hold(Concat(site_, " lost the update of finished work, ", action.file));
    return;
  }
  life_->transfers.Upload(action.task, action.update, std::move(*bytes),
                          [this, transfer = action.transfer](const Status& status) { EndTransfer(transfer, status); });
}

void SiteActor::Do(const client::Tidy&) {
  std::set<std::string> live;
  for (const std::string& file : life_->machine.LiveFiles()) live.insert(WorkFile(file));
  for (const std::string& file : node_.disk().List("jobs/"))
    if (!live.contains(file)) node_.disk().Remove(file);
  life_->blobs.RetainOnly(life_->machine.LiveBlobs(), life_->transfers.Receiving());
}

void SiteActor::Do(const client::Finish& action) {
  stage_->witness.OnSiteEnded(site_, action.status);
  Exit(action.status);
}

void SiteActor::Do(const client::Report& action) {
  stage_->trace.Note(name(), ": ", action.event);
  stage_->trace.Comment("    ", action.fields);
}

// --- the trainer

void SiteActor::Do(const client::RunTask& action) {
  if (life_->running) return stage_->witness.Hold(name() + " runs two tasks at once");
  if (!life_->blobs.Has(action.model)) return stage_->witness.Hold(name() + " trains a model that it does not have");
  if (!action.state_in.empty() && !node_.disk().Has(WorkFile(action.state_in)))
    return stage_->witness.Hold(name() + " lost its state " + action.state_in);
  life_->running = action;
  life_->cancelling = false;
  const Duration time = Between(stage_->scenario.train_min, stage_->scenario.train_max);
  const double halfway = stage_->rng.Uniform();
  const auto still = [this, task = action.task] { return life_->running && life_->running->task == task; };
  if (stage_->faulty && stage_->rng.Bernoulli(stage_->scenario.faults.trainer_death)) {
    node_.After(std::chrono::duration_cast<Duration>(time * halfway), [this, still, task = action.task] {
      if (!still()) return;
      life_->running.reset();
      Step(client::WorkerDied{task, "killed by signal 9 (Killed)"});
    });
    return;
  }
  node_.After(std::chrono::duration_cast<Duration>(time * halfway), [this, still, task = action.task] {
    if (still()) Step(client::WorkerProgressed{task, 0.5, {{"loss", 1}}});
  });
  node_.After(time, [this, still] {
    if (still() && !life_->cancelling) Step(FinishRunning());
  });
}

client::Input SiteActor::FinishRunning() {
  const client::RunTask run = *std::exchange(life_->running, std::nullopt);
  ++stage_->counters.tasks_done;
  const Model model = ModelOf(life_->blobs.Read(run.model).value());
  if (!wire::HasUpload(run.task.kind))
    return client::WorkerFinished{run.task, 1, {{"dice", model[0]}, {"cases", 2}}, {}};
  return TrainNow(run, model);
}

client::Input SiteActor::TrainNow(const client::RunTask& run, const Model& model) {
  std::string state;
  if (!run.state_in.empty()) state = AsText(node_.disk().Read(WorkFile(run.state_in)).value());
  TrainedModel trained = Train(model, site_, run.task.round, state);
  if (stage_->scenario.mode == "secure")  // differences, as every trainer in that mode
    for (std::size_t i = 0; i < model.size(); ++i) trained.update[i] -= model[i];
  const Bytes update = BytesOf(trained.update);
  Status kept = Keep(client::UpdateFile(run.task), update);
  if (kept.ok()) kept = Keep(client::StateFile(run.task), AsBytes(trained.state));
  if (!kept.ok()) {
    stage_->witness.OnSiteRefused();
    return client::WorkerRefused{run.task, kept.code(), kept.message()};
  }
  stage_->witness.OnTrained(site_, run.task, trained);
  return client::WorkerFinished{
      run.task, trained.weight, {{"loss", model[0]}}, wire::ManifestOf(update), trained.update.size()};
}

Status SiteActor::Keep(const std::string& file, ByteSpan bytes) {
  RETURN_IF_ERROR(node_.disk().Write(WorkFile(file), Bytes(bytes.begin(), bytes.end())));
  return node_.disk().Sync(WorkFile(file));
}

// In a worker thread there; what it makes need not survive its life.
void SiteActor::Do(const client::MaskVector& action) {
  node_.After(Between(milliseconds(1), seconds(2)), [this, action] {
    const StatusOr<Bytes> update = node_.disk().Read(WorkFile(action.update_file));
    if (!update.ok()) return stage_->witness.Hold(name() + " lost the update that it is to mask");
    const StatusOr<Bytes> masked = MaskInMemory(action, ModelOf(*update));
    client::VectorMasked done{.task = action.task, .session = action.session, .status = masked.status()};
    if (masked.ok()) {
      done.status = node_.disk().Write(WorkFile(action.masked_file), *masked);
      done.vector = wire::ManifestOf(*masked);
    }
    Step(done);
  });
}

// It stops soon, or the shell's patience ends it.
void SiteActor::Do(const client::CancelTask& action) {
  if (!life_->running || life_->running->task != action.task) return;
  life_->cancelling = true;
  const bool obeys = stage_->rng.Bernoulli(0.8);
  node_.After(obeys ? Between(milliseconds(1), seconds(2)) : Duration(seconds(10)), [this, obeys, task = action.task] {
    if (!life_->running || life_->running->task != task) return;
    life_->running.reset();
    if (obeys) return Step(client::WorkerRefused{task, StatusCode::kCancelled, "stopped"});
    Step(client::WorkerDied{task, "it did not stop within 10 s of being asked"});
  });
}

void SiteActor::Do(const client::StopWorker& action) {
  if (!life_->running || life_->running->task != action.task) return;
  life_->running.reset();
  node_.After(milliseconds(10), [this, action] { Step(client::WorkerDied{action.task, action.why}); });
}

}  // namespace consilium::simtest
