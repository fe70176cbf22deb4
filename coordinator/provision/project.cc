#include "coordinator/provision/project.h"

#include <arpa/inet.h>

#include <algorithm>
#include <set>

#include "comm/transport/host_port.h"

namespace consilium::coordinator {
namespace {

constexpr int kDaysMax = 36500;
constexpr char kCaFolder[] = "ca";  // a party of this name would share the authority's folder

bool IsHost(const std::string& text) {
  const auto is_label_character = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == ':';
  };
  return !text.empty() && text.size() <= 253 && std::all_of(text.begin(), text.end(), is_label_character);
}

// "host:port", "10.0.0.1:8443", "[::1]:8443".
bool SplitAddress(const std::string& address, Project* project) {
  const std::optional<transport::HostPort> split = transport::SplitHostPort(address);
  if (!split || split->host.empty()) return false;
  project->host = split->host;
  project->port = split->port;
  return true;
}

// A list of names, or a map from names to what each may do.
void ReadOperators(ConfigReader* reader, std::vector<OperatorSpec>* operators) {
  if (reader->node()["operators"].IsMap()) {
    operators->clear();
    return reader->ReadMap("operators", [&](ConfigReader& map) {
      for (const std::string& name : map.node().keys()) {
        std::vector<std::string> roles;
        map.Read(name, &roles);
        OperatorSpec spec{name, {}};
        for (const std::string& role : roles) {
          const StatusOr<transport::Right> right = transport::RightFromName(role);
          if (!right.ok()) return map.Refuse(name, "a list of submit, view and abort");
          spec.rights.insert(*right);
        }
        if (spec.rights.empty()) return map.Refuse(name, "at least one of submit, view and abort");
        operators->push_back(std::move(spec));
      }
    });
  }
  std::vector<std::string> names;
  const bool given = reader->Has("operators");
  reader->Read("operators", &names);
  if (!given) return;
  operators->clear();
  for (const std::string& name : names) operators->push_back({name});
}

}  // namespace

StatusOr<Project> ReadProject(const ConfigNode& node) {
  Project project;
  std::vector<std::string> sites;
  std::int64_t valid_days = project.valid_days, ca_valid_days = project.ca_valid_days;
  ConfigReader reader(node);
  for (const char* key : {"name", "coordinator", "sites"}) reader.Require(key);
  reader.Read("name", &project.name);
  reader.ReadMap("coordinator", [&](ConfigReader& coordinator) {
    std::string address;
    coordinator.Require("address");
    coordinator.Read("address", &address);
    if (coordinator.status().ok() && !SplitAddress(address, &project))
      coordinator.Refuse("address", "HOST:PORT, such as coordinator.example.org:8443 or [2001:db8::1]:8443");
    coordinator.Read("name", &project.coordinator_name);
    coordinator.Read("listen", &project.listen_address);
    coordinator.Read("hosts", &project.extra_hosts);
  });
  reader.Read("sites", &sites);
  ReadOperators(&reader, &project.operators);
  reader.ReadMap("site_policy", [&](ConfigReader& sample) {
    std::string approval = "automatic", secure = "optional";
    sample.Read("min_cohort", &project.policy_min_cohort, Between<std::int64_t>(1, 100000));
    sample.Read("approval", &approval, OneOf({"automatic", "manual"}));
    sample.Read("secure_aggregation", &secure, OneOf({"optional", "required"}));
    project.policy_secure = secure == "required" ? policy::Demand::kRequired : policy::Demand::kOptional;
    project.policy_approval = approval == "manual" ? policy::Approval::kManual : policy::Approval::kAutomatic;
  });
  reader.Read("valid_days", &valid_days, Between<std::int64_t>(1, kDaysMax));
  reader.Read("ca_valid_days", &ca_valid_days, Between<std::int64_t>(1, kDaysMax));
  RETURN_IF_ERROR(reader.Finish());
  for (const std::string& site : sites) project.sites.emplace_back(site);
  project.valid_days = static_cast<int>(valid_days);
  project.ca_valid_days = static_cast<int>(ca_valid_days);
  RETURN_IF_ERROR(Annotate(CheckProject(project), node.where()));
  return project;
}

Json ProjectToJson(const Project& project) {
  const std::string host = project.host.find(':') == std::string::npos ? project.host : "[" + project.host + "]";
  Json json = {{"name", project.name},
               {"coordinator",
                {{"address", Concat(host, ":", project.port)},
                 {"name", project.coordinator_name},
                 {"listen", project.listen_address},
                 {"hosts", project.extra_hosts}}},
               {"sites", Json::array()},
               {"operators", Json::object()},
               {"site_policy",
                {{"min_cohort", project.policy_min_cohort},
                 {"approval", project.policy_approval == policy::Approval::kManual ? "manual" : "automatic"},
                 {"secure_aggregation", project.policy_secure == policy::Demand::kRequired ? "required" : "optional"}}},
               {"valid_days", project.valid_days},
               {"ca_valid_days", project.ca_valid_days}};
  for (const SiteName& site : project.sites) json["sites"].push_back(site.value());
  for (const OperatorSpec& spec : project.operators)
    for (const transport::Right right : spec.rights)
      json["operators"][spec.name].push_back(transport::RightName(right));
  return json;
}

Status CheckProject(const Project& project) {
  std::set<std::string> parties = {kCaFolder};
  const auto check_name = [&](const std::string& key, const std::string& name) -> Status {
    if (!IsValidName(name))
      return InvalidArgument(
          key, ": '", name.substr(0, 80),
          "' is not a name: use 1 to 63 of a-z, 0-9 and -, beginning and ending with a letter or digit");
    if (key != "name" && !parties.insert(name).second)
      return InvalidArgument(key, ": '", name, "' is taken: each party, and the folder ca, needs a name of its own");
    return Status();
  };
  RETURN_IF_ERROR(check_name("name", project.name));
  RETURN_IF_ERROR(check_name("coordinator.name", project.coordinator_name));
  for (const SiteName& site : project.sites) RETURN_IF_ERROR(check_name("sites", site.value()));
  for (const OperatorSpec& spec : project.operators) RETURN_IF_ERROR(check_name("operators", spec.name));
  if (project.sites.empty()) return InvalidArgument("sites: at least one is needed");
  if (!IsHost(project.host)) return InvalidArgument("coordinator.address: '", project.host, "' is not a host");
  for (const std::string& host : project.extra_hosts)
    if (!IsHost(host)) return InvalidArgument("coordinator.hosts: '", host, "' is not a host name or address");
  unsigned char address[sizeof(in6_addr)];
  if (::inet_pton(AF_INET, project.listen_address.c_str(), address) != 1 &&
      ::inet_pton(AF_INET6, project.listen_address.c_str(), address) != 1)
    return InvalidArgument(
        "coordinator.listen: '", project.listen_address,
        "' is not an address of this machine, such as 0.0.0.0 (all) or 127.0.0.1 (this machine only)");
  if (project.port < 1 || project.port > 65535)
    return InvalidArgument("coordinator.address: port ", project.port, " is not between 1 and 65535");
  for (const int days : {project.valid_days, project.ca_valid_days})
    if (days < 1 || days > kDaysMax)
      return InvalidArgument("valid_days and ca_valid_days must be between 1 and ", kDaysMax, ", one is ", days);
  if (project.valid_days > project.ca_valid_days)
    return InvalidArgument("valid_days: certificates of ", project.valid_days,
                           " days would outlive their authority of ", project.ca_valid_days, " days (ca_valid_days)");
  return Status();
}

}  // namespace consilium::coordinator
