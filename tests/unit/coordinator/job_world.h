// A coordinator's shell and three honest sites in memory: the real machine, the real fold on tiny vectors, a journal of
// bytes, a network whose deliveries a seed orders, and a coordinator that can be killed after any action.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "comm/base/rng.h"
#include "coordinator/core/job_machine.h"
#include "job_fixture.h"
#include "round_audit.h"

namespace consilium::coordinator {

struct WorldOptions {
  JobOptions job;
  std::uint64_t seed = 1;            // of the order of deliveries
  std::vector<std::size_t> crashes;  // the coordinator dies right after its nth executed action, counted over its lives
  std::uint64_t restart_site_every = 0;  // > 0: now and then a site loses its connection and comes back
};

struct WorldOutcome {
  bool finished = false;
  StatusCode code = StatusCode::kFailed;
  std::vector<float> model;                       // the final one
  std::size_t actions = 0;                        // executed by the coordinator
  std::size_t rounds_trained = 0;                 // updates that sites computed, each task once
  std::map<SiteName, wire::Metrics> evaluations;  // of the final model
  std::map<std::string, std::map<SiteName, wire::Metrics>> matrix;
  std::size_t round_evaluations = 0;
  std::optional<Round> best;
  std::size_t updates_used = 0;
};

WorldOutcome RunWorld(const WorldOptions& options);

}  // namespace consilium::coordinator
