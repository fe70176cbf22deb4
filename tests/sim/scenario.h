// One simulated federation: who takes part, what the network, the disks and the processes do to it.  All of it can be
// drawn from a seed, the configuration as well as the faults (a swarm: Groce et al., "Swarm testing", ISSTA 2012).
#pragma once

#include <string>
#include <vector>

#include "comm/base/ids.h"
#include "comm/sim/network.h"

namespace consilium::simtest {

inline constexpr char kHub[] = "hub";  // the coordinator's name among the actors

// A kill at one point of one actor's history.  Actions are counted from 1 over all lives of the actor.
struct CrashPoint {
  enum class When : std::uint8_t {
    kAfter,  // the action has been executed, nothing after it
    kTorn,   // in the middle of it: a Persist leaves half of its bytes; anything else has not happened
  };
  std::string actor;
  std::size_t action = 0;
  When when = When::kAfter;
  sim::Death death = sim::Death::kProcess;
};

// Means of exponential times between faults while the world is faulty; zero: never.
struct FaultRates {
  sim::LineOptions line;
  Duration cut_every{}, partition_every{}, partition_lasts{};
  Duration disk_full_every{}, disk_full_lasts{};
  double kill_per_action = 0;  // of every actor, after any action
  Duration kill_every{};       // of somebody, at any time
  double power_loss = 0;       // of kills: the machine goes, not only the process
  double torn_write = 0;       // of kills at a Persist: in the middle of it
  double trainer_death = 0;    // of tasks
};

// A fault put into the shell around a machine, to see whether the tests find it.
enum class Sabotage : std::uint8_t {
  kNone,
  kSkipPersist,      // one record of the coordinator's is not written
  kSkipSitePersist,  // one state of one site's is not written
  kSkipSync,         // the journal is written, never synced
  kCountTwice,       // one update goes into one fold twice
  kSayBeforePersist  // messages leave before the records that they reveal are written
};

struct Scenario {
  std::uint64_t seed = 1;
  std::size_t sites = 3;
  std::uint32_t rounds = 3;
  std::string mode = "wait";  // or close, async, secure
  std::size_t sites_min = 3;
  Duration round_deadline = std::chrono::seconds(100);
  std::string weighting = "examples";
  // Mode close: who is asked, and when enough have replied.
  double fraction = 1;
  std::size_t over_select = 0, enough = 0;
  // Mode async.
  std::size_t buffer = 2, staleness_max = 10;
  // Between the rounds, in modes close and wait; across sites at the end.
  std::uint32_t evaluate_every = 0;
  bool cross_site = false;
  Duration train_min = std::chrono::seconds(2), train_max = std::chrono::seconds(10);
  std::size_t model_values = 6;
  std::size_t unit_bytes = 8;  // of blob transfers: a model takes several
  Duration heartbeat = std::chrono::seconds(10);
  Duration sync_latency = std::chrono::milliseconds(2);
  double clock_drift_max = 0;  // a clock's rate is within 1 +- this
  bool sites_exit_when_done = true;

  Duration faulty_for{};  // then everything is healed, and the job must end
  FaultRates faults;
  sim::Delivery delivery = sim::Delivery::kOrdered;  // of what sites say; kUnruly: faulty sites

  std::vector<CrashPoint> crashes;
  Sabotage sabotage = Sabotage::kNone;
  std::size_t sabotage_at = 1;  // the how manieth occasion
};

Scenario DrawScenario(std::uint64_t seed);
// "a", "b", ...
std::vector<SiteName> SitesOf(const Scenario& scenario);
std::string JobJsonOf(const Scenario& scenario);
// One line, for people.
std::string Describe(const Scenario& scenario);

}  // namespace consilium::simtest
