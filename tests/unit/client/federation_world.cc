#include "federation_world.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "comm/base/rng.h"
#include "coordinator/core/fold.h"
#include "federation_parts.h"
#include "privacy/private_sum/noisy_vector.h"
#include "tests/unit/coordinator/round_audit.h"

namespace consilium::client {
namespace {

class World {
 public:
  explicit World(const FederationOptions& options) : options_(options), rng_(options.seed), entropy_(options.seed) {
    SeededEntropy keys(7);
    for (const std::string& name : options.sites) keys_.emplace(SiteName(name), crypto::SigningKey::Generate(keys));
    StartCoordinator();
    for (const std::string& name : options.sites) {
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
    outcome.sums = sums_, outcome.skipped = skipped_, outcome.sessions = sessions_;
    outcome.refusals = refusals_, outcome.end = state.outcome().message, outcome.contributors = state.past();
    outcome.code = state.outcome().code;
    outcome.clips = clips_, outcome.next_clip = state.clip();
    outcome.groups = state.groups(), outcome.group_means = group_means_;
    for (const auto& [name, site] : sites_) outcome.charges[name] = site.charges;
    for (const auto& [key, body] : released_) outcome.released[key.first].insert(key.second);
    return outcome;
  }

 private:
  bool Over() const {
    return std::all_of(sites_.begin(), sites_.end(),
                       [this](const auto& site) { return site.second.left || gone_.contains(site.first); });
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
  bool Secure() const { return options_.mode == "secure"; }
  bool Grouped() const { return options_.groups > 0; }
  bool Noisy() const { return !options_.site_privacy.empty(); }

  hub::JobOpened NewJob() {
    hub::JobOpened job{.job = JobId("trial")};
    job.job_json = Concat(
        R"({"name": "trial", "data": {"dataset": "Dataset001_Toy"}, "model": {"patch_size": [8, 8, 8]},)",
        R"("federation": {"rounds": )", options_.rounds, R"(, "mode": ")", options_.mode, R"(", "sites": {"min": )",
        Async()     ? 1
        : Grouped() ? 24
                    : 3,
        R"(}, "round_deadline": "600s")",
        Noisy()     ? R"(, "secure_aggregation": {"enabled": true, "min_cohort": 3})"
        : Grouped() ? Concat(R"(, "strategy": {"name": "median"}, "secure_aggregation": {"enabled": true, "groups": )",
                             options_.groups, R"(, "clip": )", options_.clip, "}")
        : Secure()  ? R"(, "secure_aggregation": {"enabled": true, "min_cohort": 3, "examples_max": 8})"
                    : "",
        options_.more, "}", Noisy() ? Concat(R"(, "privacy": {"sites": )", options_.site_privacy, "}") : "", "}");
    for (const std::string& name : options_.sites) job.sites.emplace_back(name);
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
    hub::Started started;
    started.secure.elements = kValues;
    started.secure.audit = {1, Sha256Of("log")};
    for (const auto& [site, key] : keys_) started.secure.roster[site] = key.public_key();
    StepCoordinator(started);
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
      const auto* persist = std::get_if<hub::Persist>(&action);
      const bool ends = persist != nullptr && options_.restart_hub && options_.restart_hub(persist->record);
      if (ends) options_.restart_hub = nullptr;
      if (Dies(kHub) || ends) return CrashCoordinator();
    }
  }

  void Execute(const hub::Action& action) {
    if (const auto* persist = std::get_if<hub::Persist>(&action)) {
      coordinator_.journal.push_back(hub::Encode(persist->record));
      audit_.Take(persist->record);
      if (options_.record) options_.record(persist->record);
      skipped_ += std::holds_alternative<hub::RoundSkipped>(persist->record);
      sessions_ += std::holds_alternative<hub::SecureSessionOpened>(persist->record);
      if (const auto* published = std::get_if<hub::ModelPublished>(&persist->record); published != nullptr && Noisy())
        clips_.push_back(coordinator_.machine->state().clip());
    }
    if (const auto* send = std::get_if<hub::Send>(&action))
      if (Site& site = sites_.at(send->site); site.up) {
        site.inbox.push_back(send->message);
        if (options_.lie) options_.lie(send->site, site.inbox.back());
      }
    if (const auto* timer = std::get_if<hub::SetTimer>(&action))
      coordinator_.timers.emplace(now_ + timer->after, timer->id);
    if (const auto* check = std::get_if<hub::CheckUpdate>(&action))
      coordinator_.answers.push_back(hub::UpdateChecked{
          check->site, check->task,
          coordinator_.blobs.contains(check->update.digest) ? Status() : NotFound("the blob is missing"),
          check->update.digest});
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
        for (const Outcome& outcome : site.machine ? site.machine->state().outcomes() : std::vector<Outcome>())
          if (const auto* trained = std::get_if<Trained>(&outcome.result)) live.insert(trained->update.digest);
      std::erase_if(coordinator_.blobs, [&](const auto& blob) { return !live.contains(blob.first); });
    }
  }

  hub::FoldDone Folded(const hub::FoldRound& fold) {
    audit_.Take(fold);
    if (fold.groups_min > 0) return FoldedInGroups(fold);
    if (!fold.secure.empty()) return FoldedInSecret(fold);
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

  hub::FoldDone FoldedInSecret(const hub::FoldRound& fold) {
    std::vector<float> model = Values(coordinator_.blobs.at(fold.model.digest));
    std::optional<double> share_below;
    const std::vector<float> mean = MeanOfSum(fold, &share_below);
    for (std::size_t k = 0; k < kValues; ++k) model[k] += mean.at(k);
    hub::FoldDone done = Published(fold, model);
    done.share_below = share_below;
    return done;
  }

  // The sum of what was masked has to be the mean of what was trained.
  std::vector<float> MeanOfSum(const hub::FoldRound& fold, std::optional<double>* share_below) {
    secagg::ServerSession server = secagg::ServerSession::FromTranscript(fold.secure.front().transcript).value();
    for (const auto& [site, bytes] : fold.secure.front().releases)
      EXPECT_TRUE(server.AddRelease(secagg::DecodeShareRelease(bytes).value()).ok());
    const secagg::Unmasking unmasking = server.Unmask().value();
    std::vector<float> mean;
    const secagg::SumInput input = {.terms = server.terms(),
                                    .context = server.context(),
                                    .unmasking = &unmasking,
                                    .survivors = fold.contributions.size()};
    const auto read = [&](std::size_t i, std::uint64_t begin, std::span<std::uint32_t> out) {
      const std::string& words = coordinator_.blobs.at(fold.contributions[i].update.digest);
      std::memcpy(out.data(), words.data() + 4 * begin, out.size_bytes());
      return Status();
    };
    const auto write = [&](std::span<const float> means) {
      mean.insert(mean.end(), means.begin(), means.end());
      return Status();
    };
    if (Noisy()) {
      const private_sum::NoisePlan plan = PlanOf(server.terms());
      const StatusOr<private_sum::NoisySum> sum =
          private_sum::ReadNoisySum(input, plan, server.terms().clip, read, write);
      EXPECT_TRUE(sum.ok()) << sum.status();
      CheckNoisyMean(fold, plan, server.terms().clip, mean);
      *share_below = sum->share_below;
      return mean;
    }
    const StatusOr<secagg::SumResult> sum = secagg::SumVectors(input, read, write);
    EXPECT_TRUE(sum.ok()) << sum.status();
    double total = 0;
    std::vector<double> expected(kValues);
    for (const hub::Contribution& contribution : fold.contributions) {
      const auto& [delta, trained_on] = trained_.at({contribution.site, fold.round});
      const double weight = Grouped() ? 1 : trained_on;  // a rule that compares does not trust the sites' counts
      total += weight;
      for (std::size_t k = 0; k < kValues; ++k) expected[k] += weight * static_cast<double>(delta[k]);
    }
    for (std::size_t k = 0; k < kValues; ++k)
      EXPECT_NEAR(mean.at(k), expected[k] / total, 2.5e-6 * options_.clip) << "round " << fold.round;
    return mean;
  }

  // Each group's sum has to be the mean of what its own sites trained; the model takes the median of the means.
  hub::FoldDone FoldedInGroups(const hub::FoldRound& fold) {
    EXPECT_GE(fold.secure.size(), fold.groups_min);
    std::map<std::uint32_t, std::vector<float>>& means = group_means_.emplace_back();
    std::size_t summed = 0;
    for (const hub::SecureFold& secure : fold.secure) {
      hub::FoldRound group{.round = fold.round, .contributions = {}, .model = fold.model, .secure = {secure}};
      const std::vector<SiteName>& members = coordinator_.machine->state().groups().at(secure.group);
      for (const hub::Contribution& contribution : fold.contributions)
        if (std::ranges::binary_search(members, contribution.site)) group.contributions.push_back(contribution);
      EXPECT_GE(group.contributions.size(), coordinator_.machine->state().SumMin(secure.group));
      summed += group.contributions.size();
      std::optional<double> share_below;
      means[secure.group] = MeanOfSum(group, &share_below);
    }
    EXPECT_EQ(summed, fold.contributions.size()) << "every update is in one sum";
    std::vector<float> model = Values(coordinator_.blobs.at(fold.model.digest));
    for (std::size_t k = 0; k < kValues; ++k) {
      std::vector<float> column;
      for (const auto& [group, mean] : means) column.push_back(mean.at(k));
      std::ranges::sort(column);
      model[k] += (column[(column.size() - 1) / 2] + column[column.size() / 2]) / 2;
    }
    return Published(fold, model);
  }

  hub::FoldDone Published(const hub::FoldRound& fold, const std::vector<float>& model) {
    ++sums_;
    const wire::BlobManifest manifest = ManifestOf(BytesOf(model));
    coordinator_.blobs[manifest.digest] = BytesOf(model);
    return {fold.round, manifest, manifest.digest};
  }

  private_sum::NoisePlan PlanOf(const secagg::SessionTerms& terms) const {
    const hub::FederationPlan& job = coordinator_.machine->state().plan();
    return private_sum::PlanFor({.spec = job.site_privacy, .rounds = ToInt(job.rounds), .elements = kValues}, terms)
        .value();
  }

  // Within six deviations of the mean of the clipped updates.
  void CheckNoisyMean(const hub::FoldRound& fold, const private_sum::NoisePlan& plan, double clip,
                      const std::vector<float>& mean) {
    const auto n = static_cast<double>(fold.contributions.size());
    for (std::size_t k = 0; k < kValues; ++k) {
      double sum = 0;
      for (const hub::Contribution& contribution : fold.contributions) {
        const std::vector<float>& delta = trained_.at({contribution.site, fold.round}).first;
        double square = 0;
        for (const float value : delta) square += static_cast<double>(value) * static_cast<double>(value);
        sum += static_cast<double>(delta[k]) * std::min(1.0, clip / std::sqrt(square));
      }
      EXPECT_NEAR(mean.at(k), sum / n, 6 * clip * plan.DeviationOf(fold.contributions.size()) / n)
          << "round " << fold.round;
    }
  }

  // --- sites

  void StartSite(const SiteName& name) {
    Site& site = sites_.at(name);
    SessionState state;
    if (!site.persisted.empty()) state = SessionState::FromJson(Json::parse(site.persisted)).value();
    SessionOptions session{.when_done = SessionOptions::WhenDone::kExit};
    SecureParty party{.name = name, .signing = keys_.at(name), .roster = {}, .entropy = &entropy_};
    for (const auto& [other, key] : keys_) party.roster[other] = key.public_key();
    session.secure = std::make_shared<const SecureParty>(std::move(party));
    site.machine.emplace(std::move(state), session);
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
      if (Dies(name.value()) || restarting_.erase(name) > 0) return CrashSite(name);
    }
  }

  void Execute(const SiteName& name, Site* site, const Action& action) {
    if (std::holds_alternative<Dial>(action)) site->dialling = true;
    if (const auto* send = std::get_if<Send>(&action)) {
      if (site->up) site->outbox.push_back(send->message);
      Watch(name, send->message);
    }
    if (const auto* mask = std::get_if<MaskVector>(&action)) site->answers.push_back(Masked(site, *mask));
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
      EXPECT_EQ(upload->file.find("/masked-") != std::string::npos, Secure()) << upload->file;
      EXPECT_TRUE(!Noisy() || site->charges.contains(site->noisy.at(upload->file))) << "nobody paid for it";
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

  // Nothing of a round is released twice in different words, whatever happens.
  void Watch(const SiteName& name, const wire::SiteMessage& message) {
    if (options_.hear) options_.hear(name, message);
    if (const auto* failed = std::get_if<wire::TaskFailed>(&message)) refusals_[name].push_back(failed->message);
    const auto* answer = std::get_if<wire::SecureAnswer>(&message);
    if (answer == nullptr) return;
    if (answer->stage == wire::SecureStage::kRelease) {
      const auto [first, is_first] = released_.try_emplace({name, answer->task.round}, answer->body);
      EXPECT_TRUE(is_first || first->second == answer->body)
          << name << " released round " << answer->task.round << " twice";
    }
    const auto vanish = options_.vanish.find(name.value());
    if (vanish != options_.vanish.end() && vanish->second == answer->stage &&
        answer->task.round == options_.vanish_round)
      vanishing_.insert(name);
    const auto restart = options_.restart.find(name.value());
    if (restart != options_.restart.end() && restart->second == answer->stage) {
      options_.restart.erase(restart);
      restarting_.insert(name);
    }
  }

  // Each site has one of its own.
  std::uint8_t SecretOf(const Site& site) const {
    const auto found = std::ranges::find_if(sites_, [&](const auto& other) { return &other.second == &site; });
    return static_cast<std::uint8_t>(1 + std::distance(sites_.begin(), found));
  }

  VectorMasked Masked(Site* site, const MaskVector& mask) {
    const std::vector<float> delta = Values(site->files.at(mask.update_file));
    std::string words;
    const auto read = [&](std::uint64_t begin, std::span<float> out) {
      std::copy_n(delta.begin() + static_cast<std::ptrdiff_t>(begin), out.size(), out.begin());
      return Status();
    };
    const auto write = [&](std::span<const std::uint32_t> piece) {
      words.append(reinterpret_cast<const char*>(piece.data()), piece.size_bytes());
      return Status();
    };
    Status made;
    if (Noisy()) {
      const NoisyRelease& noisy = *std::get<std::shared_ptr<const NoisyRelease>>(mask.content);
      const bool paid = site->charges.contains(noisy.release);
      if (!paid && options_.releases_max > 0 && site->charges.size() == options_.releases_max)
        return {mask.task, mask.session, PrivacyBudget("the account is empty"), {}};
      site->charges.insert(noisy.release);
      site->noisy[mask.masked_file] = noisy.release;
      made = private_sum::MaskNoisyVector(*mask.masks,
                                          {.plan = noisy.plan,
                                           .clip = noisy.clip,
                                           .secret = SecretBytes(Bytes(32, SecretOf(*site))),
                                           .release = noisy.release},
                                          read, write)
                 .status();
    } else {
      const auto& input = *std::get<std::shared_ptr<const secagg::VectorInput>>(mask.content);
      made = secagg::MaskVector(*mask.masks, input, read, write).status();
    }
    site->files[mask.masked_file] = words;
    return {mask.task, mask.session, made, ManifestOf(words)};
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
    std::vector<float> delta(kValues);
    for (std::size_t k = 0; k < kValues; ++k) {
      delta[k] = std::clamp(static_cast<float>(rng.Normal()), -3.9f, 3.9f);
      if (name.value() == options_.loud) delta[k] = static_cast<float>(options_.clip);
      update[k] = Secure() ? delta[k] : update[k] + delta[k];
    }
    site->files[UpdateFile(run.task)] = BytesOf(update);
    site->files[StateFile(run.task)] = state.ToHex();
    const double weight = 1.0 + static_cast<double>(rng.Below(5));
    trained_[{name, run.task.round}] = {delta, weight};
    StepSite(name, WorkerFinished{run.task, weight, {{"loss", update[1]}}, ManifestOf(BytesOf(update)), kValues});
  }

  // --- the world goes on

  // Power and network of these sites are gone for good.
  void TakeAwayTheVanishing() {
    for (const SiteName& name : std::exchange(vanishing_, {})) {
      Site& site = sites_.at(name);
      site = Site();
      gone_.insert(name);
      StepCoordinator(hub::SiteDisconnected{name, "gone"});
    }
  }

  bool DeliverOne() {
    if (std::ranges::all_of(vanishing_, [this](const SiteName& name) { return sites_.at(name).outbox.empty(); }))
      TakeAwayTheVanishing();
    std::vector<std::function<void()>> choices;
    if (!coordinator_.answers.empty())
      choices.emplace_back([this] {
        const hub::Input answer = coordinator_.answers.front();
        coordinator_.answers.pop_front();
        StepCoordinator(answer);
      });
    for (auto& [name, state] : sites_) {
      Site* site = &state;
      if (site->left || gone_.contains(name)) continue;
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
  SeededEntropy entropy_;
  std::map<SiteName, crypto::SigningKey> keys_;
  Instant now_{};
  Coordinator coordinator_;
  hub::RoundAudit audit_;
  std::map<SiteName, Site> sites_;
  std::map<std::string, std::size_t> actions_;
  std::size_t tasks_run_ = 0;
  // Mode secure.
  std::map<std::pair<SiteName, Round>, std::pair<std::vector<float>, double>> trained_;  // difference and weight
  std::map<std::pair<SiteName, Round>, Bytes> released_;
  std::map<SiteName, std::vector<std::string>> refusals_;
  std::set<SiteName> vanishing_, gone_, restarting_;
  std::size_t sums_ = 0, skipped_ = 0, sessions_ = 0;
  std::vector<double> clips_;
  std::vector<std::map<std::uint32_t, std::vector<float>>> group_means_;
};

}  // namespace

FederationOutcome RunFederation(const FederationOptions& options) { return World(options).Run(); }

}  // namespace consilium::client
