#include "federation.h"

#include <algorithm>
#include <cmath>

#include "coordinator_actor.h"
#include "site_actor.h"

namespace consilium::simtest {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class Federation {
 public:
  Federation(const Scenario& scenario, const RunOptions& options) : stage_(scenario, options.listener) {
    stage_.network.SetAllLines(scenario.faults.line);
    actors_.push_back(std::make_unique<CoordinatorActor>(&stage_, DrawClock()));
    for (const SiteName& site : SitesOf(scenario)) {
      actors_.push_back(std::make_unique<SiteActor>(&stage_, site, DrawClock()));
      // What the coordinator says is never unruly: whoever lies to a site is not its coordinator.
      sim::LineOptions down = scenario.faults.line;
      down.message_loss = down.message_repetition = down.message_reordering = 0;
      stage_.network.SetLine(kHub, site.value(), down);
    }
  }

  Outcome Run() {
    for (const auto& actor : actors_)
      stage_.queue.After(Duration(stage_.rng.Below(3'000'000'000)), [&actor] { actor->Boot(); });
    ScheduleFaults();
    Until(Instant(stage_.scenario.faulty_for));
    if (!IsOver()) {
      Heal();
      Until(stage_.queue.Now() + Bound());
      if (!IsOver()) stage_.witness.OnNotLive(Hub().Waiting());
    }
    if (stage_.witness.finished()) stage_.witness.OnJobOver();
    return Report();
  }

 private:
  CoordinatorActor& Hub() { return static_cast<CoordinatorActor&>(*actors_.front()); }
  Actor& Anybody() { return *actors_[stage_.rng.Below(actors_.size())]; }
  Actor& AnySite() { return *actors_[1 + stage_.rng.Below(actors_.size() - 1)]; }
  double DrawClock() { return 1 + stage_.scenario.clock_drift_max * stage_.rng.Uniform(-1, 1); }

  bool IsOver() const {
    if (!stage_.witness.violations().empty()) return true;
    return stage_.witness.finished() && std::all_of(actors_.begin() + 1, actors_.end(), [](const auto& actor) {
             return static_cast<const SiteActor&>(*actor).IsSettled();
           });
  }

  void Until(Instant instant) {
    stage_.queue.RunUntil(instant, [this] { return IsOver(); });
  }

  // After healing a round may still lose its deadline to a site that dials with its longest pause, or is being
  // cancelled; none may take longer than two of them and a few times what training takes.
  Duration Bound() const {
    const Scenario& scenario = stage_.scenario;
    // A secure round may begin several sums, each of stages of up to a minute and one of a deadline.
    const Duration sums = scenario.mode == "secure" ? 3 * (scenario.round_deadline + minutes(5)) : Duration();
    const Duration round = 2 * scenario.round_deadline + 3 * scenario.train_max + minutes(3) + sums;
    const std::size_t subjects = scenario.cross_site ? scenario.sites + 1 : 0;  // one after the other
    return round * static_cast<Duration::rep>(scenario.rounds * (scenario.evaluate_every > 0 ? 2 : 1) + 2 + subjects);
  }

  // --- what goes wrong

  Duration Draw(Duration mean) {
    return Duration(static_cast<Duration::rep>(-std::log1p(-stage_.rng.Uniform()) * static_cast<double>(mean.count())));
  }

  void Again(Duration every, std::function<void()> fault) {
    if (every <= Duration()) return;
    stage_.queue.After(Draw(every), [this, every, fault = std::move(fault)] {
      if (!stage_.faulty) return;
      fault();
      Again(every, fault);
    });
  }

  void ScheduleFaults() {
    const FaultRates& faults = stage_.scenario.faults;
    Again(faults.cut_every, [this] { stage_.network.Cut(kHub, AnySite().name()); });
    Again(faults.partition_every, [this] { Partition(); });
    Again(faults.disk_full_every, [this] { FillDisk(); });
    Again(faults.kill_every, [this] {
      Anybody().Die(stage_.rng.Bernoulli(stage_.scenario.faults.power_loss) ? sim::Death::kMachine
                                                                            : sim::Death::kProcess);
    });
  }

  // Some sites lose the coordinator, in one direction or in both.
  void Partition() {
    for (std::size_t i = 1; i < actors_.size(); ++i) {
      if (!stage_.rng.Bernoulli(0.5)) continue;
      const std::uint64_t kind = stage_.rng.Below(4);
      if (kind != 0) stage_.network.Block(kHub, actors_[i]->name());
      if (kind != 1) stage_.network.Block(actors_[i]->name(), kHub);
    }
    stage_.queue.After(Draw(stage_.scenario.faults.partition_lasts), [this] { stage_.network.UnblockAll(); });
  }

  void FillDisk() {
    Actor& actor = Anybody();
    stage_.trace.Note(actor.name(), " has a full disk");
    actor.node().disk().SetFull(true);
    stage_.queue.After(Draw(stage_.scenario.faults.disk_full_lasts), [&actor] { actor.node().disk().SetFull(false); });
  }

  void Heal() {
    stage_.trace.Note("all is healed");
    stage_.faulty = false;
    stage_.network.UnblockAll();
    stage_.network.SetAllLines({});
    for (const auto& actor : actors_) actor->node().disk().SetFull(false);
    // What an unruly connection lost stays lost until the next connection.
    if (stage_.scenario.delivery == sim::Delivery::kUnruly)
      for (std::size_t i = 1; i < actors_.size(); ++i) stage_.network.Cut(kHub, actors_[i]->name());
  }

  Outcome Report() {
    Outcome outcome{.violations = stage_.witness.violations(), .finished = stage_.witness.finished()};
    const coordinator::JobState& state = stage_.witness.durable();
    outcome.code = state.outcome().code;
    outcome.model = state.model().digest;
    outcome.trace = stage_.trace.hash();
    outcome.events = stage_.queue.events_run();
    outcome.took = stage_.queue.Now().time_since_epoch();
    outcome.counters = stage_.counters;
    outcome.transfers = stage_.transfers;
    outcome.network = stage_.network.stats();
    return outcome;
  }

  Stage stage_;
  std::vector<std::unique_ptr<Actor>> actors_;  // the coordinator first
};

}  // namespace

Outcome Simulate(const Scenario& scenario, const RunOptions& options) { return Federation(scenario, options).Run(); }

}  // namespace consilium::simtest
