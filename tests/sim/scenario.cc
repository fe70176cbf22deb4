#include "scenario.h"

#include <cmath>
#include <iterator>

#include "comm/base/json.h"

namespace consilium::simtest {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Spread over magnitudes: small values are as likely as large ones.
Duration DrawBetween(Rng* rng, Duration low, Duration high) {
  const double ratio = static_cast<double>(high.count()) / static_cast<double>(low.count());
  return Duration(static_cast<Duration::rep>(static_cast<double>(low.count()) * std::pow(ratio, rng->Uniform())));
}

// Half of the scenarios do without a given kind of fault: faults that are always there hide what a calmer world shows.
bool Has(Rng* rng) { return rng->Bernoulli(0.5); }

sim::LineOptions DrawLine(Rng* rng) {
  sim::LineOptions line{.delay = DrawBetween(rng, milliseconds(1), milliseconds(400)),
                        .jitter = DrawBetween(rng, milliseconds(1), milliseconds(1000))};
  if (Has(rng)) line.loss = rng->Uniform(0, 0.2);
  if (Has(rng)) line.bytes_per_second = 200 << rng->Below(10);
  return line;
}

FaultRates DrawFaults(Rng* rng) {
  FaultRates faults{.line = DrawLine(rng)};
  if (Has(rng)) faults.cut_every = DrawBetween(rng, seconds(2), seconds(120));
  if (Has(rng)) {
    faults.partition_every = DrawBetween(rng, seconds(10), seconds(200));
    faults.partition_lasts = DrawBetween(rng, seconds(1), seconds(100));
  }
  if (rng->Bernoulli(0.3)) {
    faults.disk_full_every = DrawBetween(rng, seconds(20), seconds(200));
    faults.disk_full_lasts = DrawBetween(rng, seconds(1), seconds(60));
  }
  if (Has(rng)) faults.kill_per_action = 1.0 / static_cast<double>(10 + rng->Below(200));
  if (Has(rng)) faults.kill_every = DrawBetween(rng, seconds(2), seconds(60));
  if (Has(rng)) faults.power_loss = rng->Uniform();
  faults.torn_write = rng->Uniform();
  if (rng->Bernoulli(0.2)) faults.trainer_death = rng->Uniform(0, 0.3);
  return faults;
}

void DrawRounds(Rng* rng, Scenario* scenario) {
  static constexpr const char* kModes[] = {"wait", "wait", "close", "close", "async"};
  scenario->mode = kModes[rng->Below(std::size(kModes))];
  scenario->sites_min = scenario->mode == "wait" ? scenario->sites : 1 + rng->Below(scenario->sites);
  if (scenario->mode == "close" && Has(rng)) {
    if (Has(rng)) {
      scenario->fraction = rng->Uniform(0.2, 0.95);
      scenario->over_select = rng->Below(3);
    }
    if (Has(rng)) scenario->enough = scenario->sites_min + rng->Below(3);
  }
  if (scenario->mode == "async") {
    scenario->buffer = scenario->sites_min + rng->Below(4);
    scenario->staleness_max = rng->Below(6);
  } else if (rng->Bernoulli(0.3)) {
    scenario->evaluate_every = static_cast<std::uint32_t>(1 + rng->Below(3));
  }
  scenario->cross_site = rng->Bernoulli(0.2);
}

}  // namespace

Scenario DrawScenario(std::uint64_t seed) {
  Rng rng(seed, StreamOf({0x7363656e}));
  Scenario scenario{.seed = seed};
  scenario.sites = 1 + rng.Below(rng.Bernoulli(0.7) ? 4 : 8);
  scenario.rounds = static_cast<std::uint32_t>(1 + rng.Below(4));
  DrawRounds(&rng, &scenario);
  scenario.round_deadline = DrawBetween(&rng, seconds(15), seconds(300));
  scenario.weighting = Has(&rng) ? "examples" : "equal";
  scenario.train_min = DrawBetween(&rng, milliseconds(10), seconds(10));
  scenario.train_max = scenario.train_min * static_cast<Duration::rep>(1 + rng.Below(6));
  scenario.model_values = 1 + rng.Below(60);
  scenario.unit_bytes = 4u << rng.Below(6);
  scenario.heartbeat = DrawBetween(&rng, seconds(3), seconds(30));
  scenario.sync_latency = DrawBetween(&rng, milliseconds(1), milliseconds(200));
  if (Has(&rng)) scenario.clock_drift_max = 0.05;
  scenario.sites_exit_when_done = Has(&rng);
  scenario.faulty_for = DrawBetween(&rng, seconds(30), seconds(1200));
  scenario.faults = DrawFaults(&rng);
  // By a die of its own, so that the other seeds stay what they were before there was this mode.
  if (Rng secure(seed, StreamOf({0x73656375})); scenario.sites >= 3 && secure.Bernoulli(0.3)) {
    scenario.mode = "secure";
    scenario.sites_min = 3 + secure.Below(scenario.sites - 2);
    scenario.fraction = 1;
    scenario.over_select = scenario.enough = 0;
    scenario.cross_site = false;
  }
  if (rng.Bernoulli(0.2)) {
    scenario.delivery = sim::Delivery::kUnruly;
    scenario.faults.line.message_loss = Has(&rng) ? rng.Uniform(0, 0.1) : 0;
    scenario.faults.line.message_repetition = Has(&rng) ? rng.Uniform(0, 0.3) : 0;
    scenario.faults.line.message_reordering = Has(&rng) ? rng.Uniform(0, 0.3) : 0;
  }
  return scenario;
}

std::vector<SiteName> SitesOf(const Scenario& scenario) {
  std::vector<SiteName> sites;
  for (std::size_t i = 0; i < scenario.sites; ++i) sites.emplace_back(std::string(1, static_cast<char>('a' + i)));
  return sites;
}

std::string JobJsonOf(const Scenario& scenario) {
  const bool async = scenario.mode == "async";
  Json strategy = {{"name", async ? "fedbuff" : "fedavg"}, {"weighting", scenario.weighting}};
  if (async) strategy.update(Json{{"buffer", scenario.buffer}, {"staleness_max", scenario.staleness_max}});
  Json job = {{"name", "trial"},
              {"data", {{"dataset", "Dataset001_Toy"}}},
              {"model", {{"patch_size", {8, 8, 8}}}},
              {"federation",
               {{"rounds", scenario.rounds},
                {"mode", scenario.mode},
                {"sites",
                 {{"min", scenario.sites_min},
                  {"fraction", scenario.fraction},
                  {"over_select", scenario.over_select},
                  {"enough", scenario.enough}}},
                {"round_deadline", ExactDuration(scenario.round_deadline)},
                {"evaluate", {{"every", scenario.evaluate_every}}},
                {"cross_site", scenario.cross_site},
                {"strategy", strategy}}}};
  if (scenario.mode == "secure")
    job["federation"]["secure_aggregation"] = {{"enabled", true}, {"min_cohort", 3}, {"examples_max", 50}};
  return job.dump();
}

std::string Describe(const Scenario& scenario) {
  const FaultRates& faults = scenario.faults;
  std::string text =
      Concat("seed ", scenario.seed, ": ", scenario.sites, " sites, ", scenario.rounds, " rounds, mode ", scenario.mode,
             " (min ", scenario.sites_min, "), deadline ", FormatDuration(scenario.round_deadline), "; faulty for ",
             FormatDuration(scenario.faulty_for), ": loss ", faults.line.loss);
  const auto add = [&](const char* what, Duration every) {
    if (every > Duration()) text += Concat(", ", what, " every ", FormatDuration(every));
  };
  add("a cut", faults.cut_every);
  add("a partition", faults.partition_every);
  add("a full disk", faults.disk_full_every);
  add("a kill", faults.kill_every);
  if (faults.kill_per_action > 0) text += Concat(", kills per action ", faults.kill_per_action);
  if (faults.power_loss > 0) text += Concat(" (power ", faults.power_loss, ")");
  if (faults.trainer_death > 0) text += Concat(", dying trainers ", faults.trainer_death);
  if (scenario.delivery == sim::Delivery::kUnruly) text += ", unruly sites";
  return text;
}

}  // namespace consilium::simtest
