#include "federation_world.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <optional>
#include <set>

#include "client/core/session_machine.h"
#include "comm/base/rng.h"
#include "coordinator/core/fold.h"
#include "tests/unit/coordinator/round_audit.h"

namespace consilium::client {
namespace {

namespace hub = coordinator;

constexpr std::size_t kValues = 4;

std::vector<float> Values(const std::string& bytes) {
  std::vector<float> values(kValues);
  std::memcpy(values.data(), bytes.data(), kValues * sizeof(float));
  return values;
}
std::string BytesOf(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}
wire::BlobManifest ManifestOf(const std::string& bytes) {
  const Digest digest = Sha256Of(bytes);
  return {digest, bytes.size(), {digest}};
}

struct Coordinator {
  std::optional<hub::JobMachine> machine;
  std::vector<Bytes> journal;           // disk
  std::map<Digest, std::string> blobs;  // disk
  std::deque<hub::Input> answers;       // of the shell's worker thread
  std::multimap<Instant, std::uint64_t> timers;
};

struct Site {
  std::optional<SessionMachine> machine;
  std::string persisted;                     // disk
  std::map<std::string, std::string> files;  // disk
  std::map<Digest, std::string> blobs;       // disk
  std::deque<Input> answers;
  std::optional<RunTask> running;
  std::multimap<Instant, std::uint64_t> timers;
  bool dialling = false, up = false, left = false;
  std::deque<wire::CoordinatorMessage> inbox;
  std::deque<wire::SiteMessage> outbox;
  std::set<wire::TaskKey> remembered;  // outcomes that were ever persisted
};

class World {
 public:
  explicit World(const FederationOptions& options) : options_(options), rng_(options.seed) {
    StartCoordinator();
    for (const char* name : {"a", "b", "c"}) {
      sites_[SiteName(name)];
      StartSite(SiteName(name));
    }
  }

  FederationOutcome Run() {
    for (int step = 0; step < 20000 && !Over(); ++step)
      if (!DeliverOne() && !AdvanceTime()) break;
    FederationOutcome outcome{.finished = Over(), .actions = actions_, .tasks_run = tasks_run_};
    const hub::JobState& state = coordinator_.machine->state();
    outcome.finished &= state.phase() == hub::Phase::kFinished && state.outcome().code == StatusCode::kOk;
    outcome.model = coordinator_.blobs[state.model().digest];
    for (const hub::EvaluationResult& result : state.evaluations()) {
      if (result.purpose == hub::Purpose::kFinal && result.metrics.contains(""))
        outcome.evaluations = result.metrics.at("");
      if (result.purpose == hub::Purpose::kCrossSite) outcome.matrix = result.metrics;
    }
    outcome.updates_used = audit_.updates_used();
    return outcome;
  }

 private:
  bool Over() const {
    return std::all_of(sites_.begin(), sites_.end(), [](const auto& site) { return site.second.left; });
  }

  // True when this was the actor's last action in this life.
  bool Dies(const std::string& actor) {
    const auto crashes = options_.crashes.find(actor);
    const std::size_t count = ++actions_[actor];
    return crashes != options_.crashes.end() &&
           std::find(crashes->second.begin(), crashes->second.end(), count) != crashes->second.end();
  }

  // --- the coordinator

  bool Async() const { return options_.mode == "async"; }

  hub::JobOpened NewJob() {
    hub::JobOpened job{.job = JobId("trial")};
    job.job_json =
        Concat(R"({"name": "trial", "data": {"dataset": "Dataset001_Toy"}, "model": {"patch_size": [8, 8, 8]},)",
               R"("federation": {"rounds": 3, "mode": ")", options_.mode, R"(", "sites": {"min": )", Async() ? 1 : 3,
               R"(}, "round_deadline": "600s")", options_.more, "}}");
    for (const char* name : {"a", "b", "c"}) job.sites.emplace_back(name);
    const std::string model = BytesOf({0.5f, -2.0f, 1.0f, 0.0f});
    job.model = ManifestOf(model);
    coordinator_.blobs[job.model.digest] = model;
    return job;
  }

  void StartCoordinator() {
    std::vector<hub::Record> records;
    for (const Bytes& bytes : coordinator_.journal) records.push_back(hub::DecodeRecord(bytes).value());
    coordinator_.machine =
        records.empty() ? hub::JobMachine::Open(NewJob()).value() : hub::JobMachine::Restore(records).value();
    StepCoordinator(hub::Started{});
  }

  void CrashCoordinator() {
    coordinator_.answers.clear();
    coordinator_.timers.clear();
    for (auto& [name, site] : sites_)
      if (site.up || site.dialling) LoseCoordinator(name, &site);
    StartCoordinator();
  }

  void StepCoordinator(const hub::Input& input) {
    for (const hub::Action& action : coordinator_.machine->Step(input, now_)) {
      Execute(action);
      if (Dies(kHub)) return CrashCoordinator();
    }
  }

  void Execute(const hub::Action& action) {
    if (const auto* persist = std::get_if<hub::Persist>(&action)) {
      coordinator_.journal.push_back(hub::Encode(persist->record));
      audit_.Take(persist->record);
    }
    if (const auto* send = std::get_if<hub::Send>(&action))
      if (Site& site = sites_.at(send->site); site.up) site.inbox.push_back(send->message);
    if (const auto* timer = std::get_if<hub::SetTimer>(&action))
      coordinator_.timers.emplace(now_ + timer->after, timer->id);
    if (const auto* check = std::get_if<hub::CheckUpdate>(&action))
      coordinator_.answers.push_back(hub::UpdateChecked{
          check->site, check->task,
          coordinator_.blobs.contains(check->update.digest) ? Status() : NotFound("the blob is missing")});
    if (const auto* fold = std::get_if<hub::FoldRound>(&action)) coordinator_.answers.push_back(Folded(*fold));
    if (const auto* build = std::get_if<hub::BuildLocalModels>(&action)) {
      hub::LocalModelsBuilt built;
      for (const hub::Contribution& contribution : build->contributions)
        built.models[contribution.site] = contribution.update;
      coordinator_.answers.push_back(built);
    }
    if (const auto* disconnect = std::get_if<hub::Disconnect>(&action))
      LoseCoordinator(disconnect->site, &sites_.at(disconnect->site));
    if (std::holds_alternative<hub::Publish>(action)) {
      std::set<Digest> live = coordinator_.machine->LiveBlobs();
      for (const auto& [name, site] : sites_)  // uploaded, and about to be announced
        for (const Outcome& outcome : site.machine->state().outcomes())
          if (const auto* trained = std::get_if<Trained>(&outcome.result)) live.insert(trained->update.digest);
      std::erase_if(coordinator_.blobs, [&](const auto& blob) { return !live.contains(blob.first); });
    }
  }

  hub::FoldDone Folded(const hub::FoldRound& fold) {
    audit_.Take(fold);
    std::vector<double> weights;
    for (const hub::Contribution& contribution : fold.contributions) weights.push_back(contribution.weight);
    const std::vector<double> shares = hub::SharesOf(weights);
    std::vector<double> sum(kValues);
    for (std::size_t i = 0; i < shares.size(); ++i) {
      const std::vector<float> update = Values(coordinator_.blobs.at(fold.contributions[i].update.digest));
      i == 0 ? hub::StartFold(shares[i], update, sum) : hub::AddToFold(shares[i], update, sum);
    }
    std::vector<float> model(kValues);
    hub::FinishFold(sum, model);
    const wire::BlobManifest manifest = ManifestOf(BytesOf(model));
    coordinator_.blobs[manifest.digest] = BytesOf(model);
    return {fold.round, manifest, manifest.digest};
  }

  // --- sites

  void StartSite(const SiteName& name) {
    Site& site = sites_.at(name);
    SessionState state;
    if (!site.persisted.empty()) state = SessionState::FromJson(Json::parse(site.persisted)).value();
    site.machine.emplace(std::move(state), SessionOptions{.when_done = SessionOptions::WhenDone::kExit});
    StepSite(name, Started{});
  }

  void CrashSite(const SiteName& name) {
    Site& site = sites_.at(name);
    const bool was_up = site.up;
    site.answers.clear();
    site.timers.clear();
    site.running.reset();
    site.dialling = site.up = false;
    site.inbox.clear();
    site.outbox.clear();
    if (was_up) StepCoordinator(hub::SiteDisconnected{name, "gone"});
    StartSite(name);
  }

  // The connection breaks.  What the coordinator said before its death may still arrive, or be lost.
  void LoseCoordinator(const SiteName& name, Site* site) {
    site->dialling = site->up = false;
    site->outbox.clear();
    std::deque<wire::CoordinatorMessage> last_words;
    last_words.swap(site->inbox);
    if (rng_.Bernoulli(0.5))
      for (const wire::CoordinatorMessage& message : last_words)
        if (!site->left) StepSite(name, FromCoordinator{message});
    site->answers.push_back(ConnectionLost{Unavailable("cut"), 0.5});
  }

  void StepSite(const SiteName& name, const Input& input) {
    Site& site = sites_.at(name);
    for (const Action& action : site.machine->Step(input, now_)) {
      Execute(name, &site, action);
      if (Dies(name.value())) return CrashSite(name);
    }
  }

  void Execute(const SiteName& name, Site* site, const Action& action) {
    if (std::holds_alternative<Dial>(action)) site->dialling = true;
    if (const auto* send = std::get_if<Send>(&action))
      if (site->up) site->outbox.push_back(send->message);
    if (const auto* timer = std::get_if<SetTimer>(&action)) site->timers.emplace(now_ + timer->after, timer->id);
    if (const auto* persist = std::get_if<Persist>(&action)) {
      site->persisted = persist->state.ToJson().dump();
      for (const Outcome& outcome : persist->state.outcomes()) site->remembered.insert(outcome.task);
    }
    if (const auto* fetch = std::get_if<Fetch>(&action)) {
      const auto blob = coordinator_.blobs.find(fetch->model.digest);
      if (blob != coordinator_.blobs.end()) site->blobs[blob->first] = blob->second;
      site->answers.push_back(
          TransferDone{fetch->transfer, blob != coordinator_.blobs.end() ? Status() : NotFound("no such blob")});
    }
    if (const auto* upload = std::get_if<Upload>(&action)) {
      EXPECT_TRUE(site->files.contains(upload->file)) << upload->file;
      coordinator_.blobs[upload->update.digest] = site->files[upload->file];
      site->answers.push_back(TransferDone{upload->transfer, Status()});
    }
    if (const auto* run = std::get_if<RunTask>(&action)) {
      EXPECT_FALSE(site->remembered.contains(run->task)) << name << " does " << run->task << " again";
      site->running = *run;
    }
    if (std::holds_alternative<CancelTask>(action) && site->running) {
      site->answers.push_back(WorkerRefused{site->running->task, StatusCode::kCancelled, "stopped"});
      site->running.reset();
    }
    if (std::holds_alternative<Tidy>(action)) {
      const std::set<std::string> live = site->machine->LiveFiles();
      std::erase_if(site->files, [&](const auto& file) { return !live.contains(file.first); });
    }
    if (std::holds_alternative<HangUp>(action) && site->up) {
      site->up = false;
      site->inbox.clear();
      site->outbox.clear();
      StepCoordinator(hub::SiteDisconnected{name, "left"});
    }
    if (std::holds_alternative<Finish>(action)) site->left = true;
  }

  void FinishRunning(const SiteName& name, Site* site) {
    const RunTask run = *std::exchange(site->running, std::nullopt);
    ++tasks_run_;
    EXPECT_TRUE(site->blobs.contains(run.model));
    std::vector<float> update = Values(site->blobs.at(run.model));
    if (run.task.kind != wire::TaskKind::kTrain)
      return StepSite(name, WorkerFinished{run.task, 1, {{"dice", update[0]}}, {}});
    EXPECT_TRUE(run.state_in.empty() || site->files.contains(run.state_in)) << run.state_in;
    if (!Async()) {
      EXPECT_EQ(run.state_in.empty(), ToInt(run.task.round) == 0);
    }
    const std::string state_in = run.state_in.empty() ? "" : site->files.at(run.state_in);
    const Digest state = Sha256Of(Concat(state_in, name, run.task.round, Async() ? ToInt(run.task.attempt) : 0));
    Rng rng(state.bytes[0] | state.bytes[1] << 8 | state.bytes[2] << 16);
    for (float& value : update) value += static_cast<float>(rng.Normal());
    site->files[UpdateFile(run.task)] = BytesOf(update);
    site->files[StateFile(run.task)] = state.ToHex();
    StepSite(name, WorkerFinished{run.task, 1.0 + rng.Below(5), {{"loss", update[1]}}, ManifestOf(BytesOf(update))});
  }

  // --- the world goes on

  bool DeliverOne() {
    std::vector<std::function<void()>> choices;
    if (!coordinator_.answers.empty())
      choices.emplace_back([this] {
        const hub::Input answer = coordinator_.answers.front();
        coordinator_.answers.pop_front();
        StepCoordinator(answer);
      });
    for (auto& [name, state] : sites_) {
      Site* site = &state;
      if (site->left) continue;
      const SiteName& key = name;
      if (site->dialling) choices.emplace_back([this, key, site] { Connect(key, site); });
      if (site->running) choices.emplace_back([this, key, site] { FinishRunning(key, site); });
      if (!site->answers.empty())
        choices.emplace_back([this, key, site] {
          const Input answer = site->answers.front();
          site->answers.pop_front();
          StepSite(key, answer);
        });
      if (!site->inbox.empty())
        choices.emplace_back([this, key, site] {
          const Bytes bytes = wire::Encode(site->inbox.front());
          site->inbox.pop_front();
          StepSite(key, FromCoordinator{wire::DecodeCoordinatorMessage(bytes).value()});
        });
      if (!site->outbox.empty())
        choices.emplace_back([this, key, site] {
          const Bytes bytes = wire::Encode(site->outbox.front());
          site->outbox.pop_front();
          StepCoordinator(hub::FromSite{key, wire::DecodeSiteMessage(bytes).value()});
        });
    }
    if (choices.empty()) return false;
    choices[rng_.Below(choices.size())]();
    return true;
  }

  void Connect(const SiteName& name, Site* site) {
    site->dialling = false;
    site->up = true;
    site->inbox.push_back(wire::Welcome{.coordinator = kHub});
    StepCoordinator(hub::SiteConnected{name, {.features = wire::FeaturesOfThisBuild()}});
  }

  bool AdvanceTime() {
    std::multimap<Instant, std::uint64_t>* earliest = nullptr;
    SiteName owner;
    const auto consider = [&](std::multimap<Instant, std::uint64_t>* timers, const SiteName& name) {
      if (timers->empty() || (earliest != nullptr && earliest->begin()->first <= timers->begin()->first)) return;
      earliest = timers;
      owner = name;
    };
    consider(&coordinator_.timers, SiteName());
    for (auto& [name, site] : sites_)
      if (!site.left) consider(&site.timers, name);
    if (earliest == nullptr) return false;
    const auto [at, id] = *earliest->begin();
    earliest->erase(earliest->begin());
    now_ = std::max(now_, at);
    owner.empty() ? StepCoordinator(hub::TimerFired{id}) : StepSite(owner, TimerFired{id});
    return true;
  }

  FederationOptions options_;
  Rng rng_;
  Instant now_{};
  Coordinator coordinator_;
  hub::RoundAudit audit_;
  std::map<SiteName, Site> sites_;
  std::map<std::string, std::size_t> actions_;
  std::size_t tasks_run_ = 0;
};

}  // namespace

FederationOutcome RunFederation(const FederationOptions& options) { return World(options).Run(); }

}  // namespace consilium::client
