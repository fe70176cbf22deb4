// Makes a project's certificate authority and one kit per party.
//
// The CA's key stays in <out>/ca, which never leaves the machine it was made on; each other folder goes to its party.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "comm/base/config.h"
#include "comm/base/ids.h"

namespace consilium::coordinator {

struct Project {
  std::string name;
  std::string coordinator_name = "coordinator";
  std::string host;  // where sites connect to
  int port = 0;
  std::string listen_address = "0.0.0.0";
  std::vector<std::string> extra_hosts;  // more names or addresses in the coordinator's certificate
  std::vector<SiteName> sites;
  std::vector<std::string> operators = {"admin"};
  int valid_days = 365;
  int ca_valid_days = 3650;
};

// project.yaml:
//   name: hippocampus
//   coordinator: {address: "coordinator.example.org:8443"}   # also: name, listen, hosts
//   sites: [hospital-a, hospital-b]
//   operators: [admin]
//   valid_days: 365
//   ca_valid_days: 3650
StatusOr<Project> ReadProject(const ConfigNode& node);
// Names, host, port, days; no two parties of one name.
Status CheckProject(const Project& project);

struct KitOptions {
  std::chrono::system_clock::time_point now = std::chrono::system_clock::now();
};

// Makes `out` with ca/ and a kit folder per party; it appears whole or not at all.  Errors: AlreadyExists when `out`
// is there already.
Status MakeKits(const Project& project, const std::filesystem::path& out, const KitOptions& options = {});

// <kits>/<party>
std::filesystem::path KitFolder(const std::filesystem::path& kits, const std::string& party);

}  // namespace consilium::coordinator
