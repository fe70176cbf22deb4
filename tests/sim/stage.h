// What the actors of a simulated federation share: the world that they live in, and the hand that kills them.
#pragma once

#include <functional>
#include <map>

#include "comm/base/entropy.h"
#include "comm/sim/blob_transfer.h"
#include "comm/sim/network.h"
#include "scenario.h"
#include "witness.h"

namespace consilium::simtest {

struct Counters {
  std::map<std::string, std::size_t> actions;             // executed, by actor, over all its lives
  std::map<std::string, std::set<std::size_t>> persists;  // which of them were Persist
  std::size_t kills = 0, power_losses = 0, exits = 0, tasks_done = 0, sabotage_occasions = 0;
  Duration silence_max{};  // the longest time between two heartbeats of one connection
};

struct Stage {
  explicit Stage(const Scenario& scenario, std::function<void(const std::string&)> listener)
      : scenario(scenario),
        trace(&queue, std::move(listener)),
        network(&queue, &trace, {.seed = scenario.seed}),
        rng(scenario.seed, StreamOf({0x6163746f})),
        entropy(scenario.seed),
        witness(scenario, &trace) {}

  const Scenario scenario;
  sim::EventQueue queue;
  sim::Trace trace;
  sim::Network network;
  Rng rng;
  SeededEntropy entropy;
  Witness witness;
  Counters counters;
  sim::TransferStats transfers;
  bool faulty = true;  // the safety phase

  // True at the chosen occasion for a sabotage of this kind, once.
  bool Sabotages(Sabotage kind) {
    return scenario.sabotage == kind && ++counters.sabotage_occasions == scenario.sabotage_at;
  }
};

// A process that runs a machine on a node: what coordinator and client have in common.
class Actor : public sim::Endpoint {
 public:
  Actor(Stage* stage, std::string name, double clock_rate)
      : stage_(stage), node_(&stage->queue, {.name = std::move(name), .clock_rate = clock_rate}) {}

  const std::string& name() const { return node_.name(); }
  sim::Node& node() { return node_; }
  bool alive() const { return node_.alive(); }

  void Boot();
  void Die(sim::Death death);
  // The process ends by its own decision.
  void Exit(const Status& why);
  bool left() const { return left_; }  // for good

 protected:
  // A new life begins: read the disk, start the machine.  The node runs, and is not on the network yet.
  virtual void Wake(bool power_was_lost) = 0;

  // Called for every action that is about to be executed; what comes back says how far this life goes.
  enum class Fate : std::uint8_t { kGoOn, kDieAfter, kDieInside };
  struct Verdict {
    Fate fate = Fate::kGoOn;
    sim::Death death = sim::Death::kProcess;
  };
  Verdict NextAction(bool is_persist);

  // Executes `actions` in order, until one of them is the last of this life.
  template <typename Actions, typename IsPersist, typename Execute, typename Tear>
  void ExecuteAll(const Actions& actions, const IsPersist& is_persist, const Execute& execute, const Tear& tear) {
    const std::uint64_t life = node_.life();
    for (const auto& action : actions) {
      const Verdict verdict = NextAction(is_persist(action));
      if (verdict.fate == Fate::kDieInside) {
        tear(action);
        return Die(verdict.death);
      }
      execute(action);
      if (!alive() || node_.life() != life) return;
      if (verdict.fate == Fate::kDieAfter) return Die(verdict.death);
    }
  }
  Duration Between(Duration low, Duration high) {
    return low +
           Duration(static_cast<Duration::rep>(stage_->rng.Uniform() * static_cast<double>((high - low).count())));
  }

  Stage* stage_;
  sim::Node node_;
  bool left_ = false;
  sim::Death last_death_ = sim::Death::kProcess;
};

}  // namespace consilium::simtest
