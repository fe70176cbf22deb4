#include "job_world.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "coordinator/core/fold.h"

namespace consilium::coordinator {
namespace {

using Model = std::vector<float>;
const Model kFirstModel = {0.25f, -0.5f, 3.0f, -0.0f};

struct Site {
  bool connected = false;
  std::deque<wire::CoordinatorMessage> inbox;                 // lost when the connection is cut
  std::deque<wire::SiteMessage> outbox;                       // so is this
  std::map<wire::TaskKey, wire::SiteMessage> unacknowledged;  // kept over everything until a receipt comes
  std::map<wire::TaskKey, wire::SiteMessage> done;            // worked out and not acknowledged
};

class World {
 public:
  explicit World(const WorldOptions& options) : options_(options), rng_(options.seed) {
    JobOpened job = NewJob();
    for (const SiteName& site : job.sites) sites_[site];
    machine_ = JobMachine::Open(std::move(job)).value();
    Begin();
  }

  WorldOutcome Run() {
    for (int step = 0; step < 100000 && !Settled(); ++step) {
      if (options_.restart_site_every > 0 && rng_.Below(options_.restart_site_every) == 0) CutOneSite();
      if (!DeliverOne() && !FireTimer()) break;
    }
    WorldOutcome outcome{.finished = Settled(), .actions = actions_, .rounds_trained = trained_};
    if (!machine_) return outcome;
    const JobState& state = machine_->state();
    outcome.code = state.outcome().code;
    outcome.model = blobs_.at(state.model().digest);
    for (const EvaluationResult& evaluation : state.evaluations()) {
      if (evaluation.purpose == Purpose::kFinal && !evaluation.metrics.empty())
        outcome.evaluations = evaluation.metrics.at("");
      if (evaluation.purpose == Purpose::kCrossSite) outcome.matrix = evaluation.metrics;
      if (evaluation.purpose == Purpose::kRound) ++outcome.round_evaluations;
    }
    if (state.best()) outcome.best = state.best()->round;
    outcome.updates_used = audit_.updates_used();
    return outcome;
  }

 private:
  // Everybody knows that the job is over.
  bool Settled() const {
    return machine_ && machine_->state().phase() == Phase::kFinished && answers_.empty() &&
           std::all_of(sites_.begin(), sites_.end(),
                       [](const auto& site) { return site.second.inbox.empty() && site.second.outbox.empty(); });
  }

  wire::BlobManifest Store(const Model& model) {
    const wire::BlobManifest manifest =
        FakeBlob(std::string(reinterpret_cast<const char*>(model.data()), model.size() * sizeof(float)));
    blobs_[manifest.digest] = model;
    return manifest;
  }

  JobOpened NewJob() {
    JobOpened job = MakeJob(options_.job);
    if (!plans()) job.model = Store(kFirstModel);
    return job;
  }
  bool plans() const { return options_.job.model == kPlanTogether; }

  // --- the coordinator's life

  void Begin() {
    Step(Started{});
    for (auto& [name, site] : sites_) reconnect_.push_back(name);
  }

  void Step(const Input& input) {
    const std::vector<Action> actions = machine_->Step(input, now_);
    for (const Action& action : actions) {
      Execute(action);
      if (std::find(options_.crashes.begin(), options_.crashes.end(), ++actions_) != options_.crashes.end())
        return Crash();
    }
    EXPECT_TRUE(replica_ == machine_->state()) << "seed " << options_.seed;
  }

  std::vector<Record> Journal() const {
    std::vector<Record> records;
    for (const Bytes& bytes : journal_) records.push_back(DecodeRecord(bytes).value());
    return records;
  }

  void Crash() {
    machine_.reset();
    answers_.clear();
    timers_.clear();
    reconnect_.clear();
    for (auto& [name, site] : sites_) {
      // What was said before the death may still arrive.
      std::deque<wire::CoordinatorMessage> last_words;
      last_words.swap(site.inbox);
      if (rng_.Bernoulli(0.5))
        for (const wire::CoordinatorMessage& message : last_words) Receive(name, &site, message);
      Cut(&site);
    }
    if (journal_.empty()) {
      machine_ = JobMachine::Open(NewJob()).value();  // died before it knew anything: a person starts it again
    } else {
      machine_ = JobMachine::Restore(Journal()).value();
    }
    Begin();
  }

  void Execute(const Action& action) {
    if (const auto* persist = std::get_if<Persist>(&action)) {
      journal_.push_back(Encode(persist->record));
      audit_.Take(persist->record);
      EXPECT_TRUE(replica_.Apply(DecodeRecord(journal_.back()).value()).ok());
    }
    if (const auto* send = std::get_if<Send>(&action)) {
      Site& site = sites_.at(send->site);
      EXPECT_TRUE(site.connected);
      site.inbox.push_back(wire::DecodeCoordinatorMessage(wire::Encode(send->message)).value());
    }
    if (const auto* timer = std::get_if<SetTimer>(&action)) timers_.emplace(now_ + timer->after, timer->id);
    if (const auto* check = std::get_if<CheckUpdate>(&action))
      answers_.push_back(
          UpdateChecked{check->site, check->task,
                        blobs_.contains(check->update.digest) ? Status() : NotFound("the blob is missing")});
    if (const auto* fold = std::get_if<FoldRound>(&action)) answers_.push_back(Folded(*fold));
    if (const auto* build = std::get_if<BuildLocalModels>(&action)) {
      LocalModelsBuilt built;
      for (const Contribution& contribution : build->contributions) {
        EXPECT_TRUE(blobs_.contains(contribution.update.digest) && blobs_.contains(contribution.base));
        built.models[contribution.site] = contribution.update;
      }
      answers_.push_back(built);
    }
    if (const auto* plan = std::get_if<MakePlan>(&action)) {
      EXPECT_GE(plan->statistics.size(), static_cast<std::size_t>(options_.job.sites_min));
      for (const auto& [site, statistics] : plan->statistics) EXPECT_TRUE(blobs_.contains(statistics.digest));
      answers_.push_back(PlanMade{PlannedJson(options_.job), Store({1, 2}), Sha256Of("plan"), 12, 5});
    }
    if (const auto* keep = std::get_if<KeepModel>(&action)) {
      EXPECT_TRUE(blobs_.contains(keep->model.digest));
      answers_.push_back(ModelKept{keep->model});
    }
    if (const auto* disconnect = std::get_if<Disconnect>(&action)) {
      Cut(&sites_.at(disconnect->site));
      reconnect_.push_back(disconnect->site);
    }
    if (std::holds_alternative<Publish>(action)) {
      std::set<Digest> live = machine_->LiveBlobs();
      for (const auto& [name, site] : sites_)  // uploaded, and about to be announced
        for (const wire::SiteMessage& message : site.outbox)
          if (const auto* ready = std::get_if<wire::UpdateReady>(&message)) live.insert(ready->update.digest);
      std::erase_if(blobs_, [&](const auto& blob) { return !live.contains(blob.first); });
    }
  }

  FoldDone Folded(const FoldRound& fold) {
    audit_.Take(fold);
    std::vector<double> weights;
    for (const Contribution& contribution : fold.contributions) weights.push_back(contribution.weight);
    const std::vector<double> shares = SharesOf(weights);
    std::vector<double> sum(4);
    for (std::size_t i = 0; i < shares.size(); ++i) {
      const Model& update = blobs_.at(fold.contributions[i].update.digest);
      i == 0 ? StartFold(shares[i], update, sum) : AddToFold(shares[i], update, sum);
    }
    Model model(4);
    FinishFold(sum, model);
    const wire::BlobManifest manifest = Store(model);
    return {fold.round, manifest, manifest.digest};
  }

  // --- the network

  void Cut(Site* site) {
    site->connected = false;
    site->inbox.clear();
    site->outbox.clear();
  }

  void CutOneSite() {
    auto chosen = sites_.begin();
    std::advance(chosen, static_cast<std::ptrdiff_t>(rng_.Below(sites_.size())));
    if (!chosen->second.connected) return;
    Cut(&chosen->second);
    reconnect_.push_back(chosen->first);
    Step(SiteDisconnected{chosen->first, "cut"});
  }

  void Connect(const SiteName& name) {
    Site& site = sites_.at(name);
    site.connected = true;
    for (const auto& [task, message] : site.unacknowledged) Say(&site, message);
    Step(SiteConnected{name, AbleSite()});
  }

  void Say(Site* site, const wire::SiteMessage& message) {
    if (const auto* ready = std::get_if<wire::UpdateReady>(&message)) {
      (void)Store(updates_.at(ready->update.digest));  // the upload comes before the message
    }
    site->outbox.push_back(message);
  }

  // One delivery, chosen by the seed among all that are possible; false when there is none.
  bool DeliverOne() {
    std::vector<std::pair<int, SiteName>> choices;
    for (auto& [name, site] : sites_) {
      if (!site.inbox.empty()) choices.emplace_back(0, name);
      if (!site.outbox.empty()) choices.emplace_back(1, name);
    }
    for (const SiteName& name : reconnect_) choices.emplace_back(2, name);
    if (!answers_.empty()) choices.emplace_back(3, SiteName());
    if (choices.empty()) return false;
    const auto [kind, name] = choices[rng_.Below(choices.size())];
    if (kind == 2) {
      std::erase(reconnect_, name);
      Connect(name);
    } else if (kind == 3) {
      const Input answer = answers_.front();
      answers_.pop_front();
      Step(answer);
    } else {
      Site& site = sites_.at(name);
      if (kind == 0) {
        const wire::CoordinatorMessage message = site.inbox.front();
        site.inbox.pop_front();
        Receive(name, &site, message);
      } else {
        const wire::SiteMessage message = wire::DecodeSiteMessage(wire::Encode(site.outbox.front())).value();
        site.outbox.pop_front();
        Step(FromSite{name, message});
      }
    }
    return true;
  }

  bool FireTimer() {
    if (timers_.empty()) return false;
    const auto [at, id] = *timers_.begin();
    timers_.erase(timers_.begin());
    now_ = std::max(now_, at);
    for (auto& [name, site] : sites_)
      if (site.connected && machine_) Step(FromSite{name, wire::Heartbeat{}});
    Step(TimerFired{id});
    return true;
  }

  // --- a site

  void Receive(const SiteName& name, Site* site, const wire::CoordinatorMessage& message) {
    if (const auto* receipt = std::get_if<wire::Receipt>(&message)) {
      const bool honest = (options_.job.mode == "wait" || options_.job.mode == "close") && !plans();
      EXPECT_TRUE(receipt->reason == wire::DropReason::kNone || receipt->reason == wire::DropReason::kDuplicate ||
                  !honest || !options_.job.select.empty())
          << receipt->task << ": " << wire::DropReasonName(receipt->reason);
      site->unacknowledged.erase(receipt->task);
      site->done.erase(receipt->task);  // trusting the receipt: asked again, it would have to train again
    }
    if (std::holds_alternative<wire::JobEnded>(message)) site->unacknowledged.clear();
    if (const auto* down = std::get_if<wire::StandDown>(&message)) site->unacknowledged.erase(down->task);
    const auto* task = std::get_if<wire::Task>(&message);
    if (task == nullptr) return;
    if (const auto done = site->done.find(task->task); done == site->done.end()) {
      ++trained_;
      site->done[task->task] = Work(name, *task);
    }
    site->unacknowledged[task->task] = site->done[task->task];
    Say(site, site->done[task->task]);
  }

  wire::SiteMessage Work(const SiteName& name, const wire::Task& task) {
    if (task.task.kind == wire::TaskKind::kStatistics) {
      EXPECT_EQ(task.job_json, task.task.subject.empty() ? MakeJob(options_.job).job_json : PlannedJson(options_.job));
      const Model answer = task.task.subject.empty() ? Model{float(name.value()[0])} : kFirstModel;
      const wire::BlobManifest manifest = Store(answer);
      updates_[manifest.digest] = answer;
      return wire::UpdateReady{task.task, manifest, 1, {}};
    }
    if (plans()) {
      EXPECT_EQ(task.job_json, PlannedJson(options_.job)) << "every task after the plan is of the pinned job";
    }
    if (!blobs_.contains(task.model.digest))  // the round was over before the task arrived
      return wire::TaskFailed{task.task, StatusCode::kNotFound, "the model is not in force"};
    const Model& model = blobs_.at(task.model.digest);
    if (task.task.kind != wire::TaskKind::kTrain)
      return wire::EvaluationReport{task.task, {{"dice", model[0]}, {"cases", 2}}};
    Model update = model;
    Rng noise(7, StreamOf({std::uint64_t(name.value()[0]), ToInt(task.task.round), ToInt(task.task.attempt)}));
    for (float& value : update) value += static_cast<float>(noise.Normal());
    const wire::BlobManifest manifest = Store(update);
    updates_[manifest.digest] = update;
    return wire::UpdateReady{task.task, manifest, 1.0 + name.value()[0] % 7, {{"loss", update[1]}}};
  }

  WorldOptions options_;
  Rng rng_;
  Instant now_{};
  std::optional<JobMachine> machine_;
  std::vector<Bytes> journal_;
  RoundAudit audit_;
  JobState replica_;                 // the journal's records applied one by one
  std::map<Digest, Model> blobs_;    // the coordinator's store
  std::map<Digest, Model> updates_;  // what sites keep
  std::multimap<Instant, std::uint64_t> timers_;
  std::deque<Input> answers_;  // of the shell's worker thread
  std::vector<SiteName> reconnect_;
  std::map<SiteName, Site> sites_;
  std::size_t actions_ = 0, trained_ = 0;
};

}  // namespace

WorldOutcome RunWorld(const WorldOptions& options) { return World(options).Run(); }

}  // namespace consilium::coordinator
