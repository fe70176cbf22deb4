// A whole federation in simulation, from its first boot until everybody knows that the job is over.
//
// The safety phase: everything in the scenario goes wrong at its rate, and nothing that the witness forbids may happen.
// The liveness phase: all faults are healed, and the job must end within a bound (TigerBeetle's VOPR has the same two).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "scenario.h"
#include "stage.h"

namespace consilium::simtest {

struct Outcome {
  std::vector<std::string> violations;  // of safety or liveness; empty: all is well
  StatusCode code = StatusCode::kOk;    // of the job
  bool finished = false;
  Digest model;             // the newest durable one
  std::uint64_t trace = 0;  // the history's hash
  std::uint64_t events = 0;
  Duration took{};  // in the world's time
  Counters counters;
  sim::TransferStats transfers;
  sim::NetworkStats network;
};

struct RunOptions {
  std::function<void(const std::string&)> listener;  // of the trace
};

Outcome Simulate(const Scenario& scenario, const RunOptions& options = {});

}  // namespace consilium::simtest
