// The real coordinator machine and three real session machines in one process: a network, disks, trainers and clocks in
// memory, deliveries ordered by a seed, and a kill -9 of anybody after any of their actions.
//
// A trainer's update depends on the model, the site, the round and the optimizer state that it was given, so a lost or
// swapped state shows in the final weights.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "coordinator/core/job_machine.h"

namespace consilium::client {

inline constexpr char kHub[] = "hub";  // the coordinator's name among the actors

// What a lying coordinator says instead; the honest machine does not know.
using Lie = std::function<void(const SiteName& to, wire::CoordinatorMessage& message)>;

struct FederationOptions {
  std::string mode = "wait";
  std::string more;  // ", \"cross_site\": true": more keys of federation
  std::uint64_t seed = 1;
  int rounds = 3;
  std::string site_privacy;      // the job's privacy.sites, as JSON; with mode secure
  std::size_t releases_max = 0;  // that a site's account bears; 0: any number
  // Actor -> it dies right after its nth executed action, counted over its lives.
  std::map<std::string, std::vector<std::size_t>> crashes;
  Lie lie{};
  // Told of everything that sites say, and of what the coordinator writes down.
  std::function<void(const SiteName& from, const wire::SiteMessage& message)> hear{};
  std::function<void(const coordinator::Record& record)> record{};
  std::vector<std::string> sites = {"a", "b", "c"};
  // A site that is never heard of again once it has answered this stage of a secure sum in round 1.
  std::map<std::string, wire::SecureStage> vanish{};
  Round vanish_round{1};
  // A site that dies, once, as it answers this stage, and comes back; and the coordinator, once it has written this.
  std::map<std::string, wire::SecureStage> restart{};
  std::function<bool(const coordinator::Record& record)> restart_hub{};
};

struct FederationOutcome {
  bool finished = false;  // the job ended well and every client left
  std::string model;      // the final weights' bytes
  std::map<SiteName, wire::Metrics> evaluations;
  std::map<std::string, std::size_t> actions;  // executed, by actor
  std::size_t tasks_run = 0;                   // to their end
  std::size_t updates_used = 0;
  std::map<std::string, std::map<SiteName, wire::Metrics>> matrix;  // cross-site
  // Mode secure.
  std::size_t sums = 0, skipped = 0, sessions = 0;
  std::map<SiteName, std::set<Round>> released;
  std::map<SiteName, std::vector<std::string>> refusals;  // what sites said why they failed a task
  std::string end;                                        // the job's message
  StatusCode code = StatusCode::kOk;                      // the job's
  // Under privacy.sites.
  std::map<SiteName, std::set<std::string>> charges;  // releases that were paid for
  std::vector<double> clips;                          // after each round
  double next_clip = 0;                               // as the coordinator's state ends
  std::vector<std::set<SiteName>> contributors;       // of the rounds
};

FederationOutcome RunFederation(const FederationOptions& options);

}  // namespace consilium::client
