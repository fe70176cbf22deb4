// project.yaml: who takes part, and where the coordinator is.
#pragma once

#include <string>
#include <vector>

#include "comm/base/config.h"
#include "comm/base/ids.h"
#include "comm/transport/peer_name.h"
#include "privacy/policy/site_policy.h"

namespace consilium::coordinator {

// A person, or a program, that hands in jobs and looks after them.
struct OperatorSpec {
  std::string name;
  transport::Rights rights = transport::AllRights();
  friend bool operator==(const OperatorSpec&, const OperatorSpec&) = default;
};

struct Project {
  std::string name;
  std::string coordinator_name = "coordinator";
  std::string host;  // a name or address that sites can reach
  int port = 0;
  std::string listen_address = "0.0.0.0";
  std::vector<std::string> extra_hosts;  // more names or addresses for the coordinator's certificate
  std::vector<SiteName> sites;
  std::vector<OperatorSpec> operators = {{"admin"}};
  // What the sample policy of the sites' kits says: a start, for each site to narrow and sign again.
  std::int64_t policy_min_cohort = 3;
  policy::Approval policy_approval = policy::Approval::kAutomatic;
  policy::Demand policy_secure = policy::Demand::kOptional;
  int valid_days = 365;
  int ca_valid_days = 3650;
};

//   name: hippocampus
//   coordinator: {address: "coordinator.example.org:8443"}   # also: name, listen, hosts
//   sites: [hospital-a, hospital-b]
//   operators: {ann: [submit, view, abort], board: [view]}     # or names alone, who may do everything: [admin]
//   site_policy: {min_cohort: 3, approval: automatic}           # of the sample in each site's kit; also:
//                                                               # secure_aggregation: optional or required
//   valid_days: 365
//   ca_valid_days: 3650
StatusOr<Project> ReadProject(const ConfigNode& node);
// As project.yaml, for ReadProject.
Json ProjectToJson(const Project& project);
// What ReadProject ends with: valid names and hosts, no two parties of one name, days that a certificate can have.
Status CheckProject(const Project& project);

}  // namespace consilium::coordinator
