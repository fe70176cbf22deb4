// The real coordinator machine and three real session machines in one process: a network, disks, trainers and clocks in
// memory, deliveries ordered by a seed, and a kill -9 of anybody after any of their actions.
//
// A trainer's update depends on the model, the site, the round and the optimizer state that it was given, so a lost or
// swapped state shows in the final weights.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "coordinator/core/job_machine.h"

namespace consilium::client {

inline constexpr char kHub[] = "hub";  // the coordinator's name among the actors

struct FederationOptions {
  std::string mode = "wait";
  std::string more;  // ", \"cross_site\": true": more keys of federation
  std::uint64_t seed = 1;
  // Actor -> it dies right after its nth executed action, counted over its lives.
  std::map<std::string, std::vector<std::size_t>> crashes;
};

struct FederationOutcome {
  bool finished = false;  // the job ended well and every client left
  std::string model;      // the final weights' bytes
  std::map<SiteName, wire::Metrics> evaluations;
  std::map<std::string, std::size_t> actions;  // executed, by actor
  std::size_t tasks_run = 0;                   // to their end
  std::size_t updates_used = 0;
  std::map<std::string, std::map<SiteName, wire::Metrics>> matrix;  // cross-site
};

FederationOutcome RunFederation(const FederationOptions& options);

}  // namespace consilium::client
