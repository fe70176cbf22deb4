#include "comm/transport/kit.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "comm/base/config.h"
#include "comm/base/file.h"
#include "comm/transport/host_port.h"

namespace consilium::transport {
namespace {

namespace fs = std::filesystem;

constexpr char kKitFile[] = "kit.json";
constexpr std::int64_t kKitVersion = 1;

Rule<std::string> ValidName() {
  return [](const std::string& name) {
    return IsValidName(name) ? std::string() : "a name of 1 to 63 of a-z, 0-9 and -, such as hospital-a";
  };
}

Status CheckKeyMode(const fs::path& key) {
  struct stat info {};
  if (::stat(key.c_str(), &info) != 0) return ErrnoStatus(errno, "opening the kit's private key " + key.string());
  if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return InvalidArgument("the private key ", key.string(),
                           " can be used by other users of this machine; run: chmod 600 ", key.string());
  return Status();
}

}  // namespace

TlsFiles TlsFilesIn(const fs::path& kit_folder) {
  const fs::path tls = kit_folder / "tls";
  return {tls / "ca.crt", tls / "tls.crt", tls / "tls.key"};
}

StatusOr<Kit> ReadKit(const fs::path& folder) {
  const fs::path file = folder / kKitFile;
  std::error_code error;
  if (!fs::exists(file, error))
    return NotFound(folder.string(), " is not a kit: it has no ", kKitFile, " (`consilium provision` makes kits)");
  ASSIGN_OR_RETURN(const ConfigNode node, ConfigNode::ReadFile(file));
  Kit kit;
  kit.folder = folder;
  kit.tls = TlsFilesIn(folder);
  std::int64_t version = 0, port = 0;
  std::string role;
  std::vector<std::string> sites;
  ConfigReader reader(node);
  reader.Require("version");
  reader.Read("version", &version, Between<std::int64_t>(kKitVersion, kKitVersion));
  for (const char* key : {"project", "role", "name", "coordinator"}) reader.Require(key);
  reader.Read("project", &kit.self.project, ValidName());
  reader.Read("role", &role, OneOf({"coordinator", "site", "operator"}));
  reader.Read("name", &kit.self.name, ValidName());
  reader.ReadMap("coordinator", [&](ConfigReader& coordinator) {
    for (const char* key : {"name", "host", "port"}) coordinator.Require(key);
    coordinator.Read("name", &kit.coordinator_name, ValidName());
    coordinator.Read("host", &kit.coordinator_host);
    coordinator.Read("port", &port, Between<std::int64_t>(1, 65535));
  });
  reader.Read("listen", &kit.listen_address);
  reader.Read("sites", &sites);
  RETURN_IF_ERROR(reader.Finish());
  ASSIGN_OR_RETURN(kit.self.role, RoleFromName(role));
  kit.coordinator_port = static_cast<int>(port);
  for (const std::string& site : sites) {
    if (!IsValidName(site)) return InvalidArgument(file.string(), ": sites: '", site, "' is not a valid name");
    kit.sites.emplace_back(site);
  }
  std::sort(kit.sites.begin(), kit.sites.end());
  if (!fs::exists(kit.tls.key, error) && fs::exists(folder / "enrolment", error))
    return FailedPrecondition(folder.string(), " waits for the administrator's answer to enrolment/request.json; then ",
                              "run: consilium enroll --kit ", folder.string(), " --install ANSWER");
  RETURN_IF_ERROR(CheckKeyMode(kit.tls.key));
  return kit;
}

StatusOr<Kit> ReadKit(const fs::path& folder, Role expected_role) {
  ASSIGN_OR_RETURN(Kit kit, ReadKit(folder));
  if (kit.self.role != expected_role)
    return InvalidArgument(folder.string(), " is the kit of the ", RoleName(kit.self.role), " '", kit.self.name,
                           "'; this command needs the kit of a", expected_role == Role::kOperator ? "n " : " ",
                           RoleName(expected_role));
  return kit;
}

Status WriteKitFile(const Kit& kit, const fs::path& folder) {
  Json json = {{"version", kKitVersion},
               {"project", kit.self.project},
               {"role", RoleName(kit.self.role)},
               {"name", kit.self.name},
               {"coordinator",
                {{"name", kit.coordinator_name}, {"host", kit.coordinator_host}, {"port", kit.coordinator_port}}}};
  if (kit.self.role == Role::kCoordinator) {
    json["listen"] = kit.listen_address;
    json["sites"] = Json::array();
    for (const SiteName& site : kit.sites) json["sites"].push_back(site.value());
  }
  return WriteJson(folder / kKitFile, json);
}

Status PointKitAt(const std::string& address, Kit* kit) {
  if (address.empty()) return Status();
  const std::optional<HostPort> split = SplitHostPort(address);
  if (!split || split->host.empty() || split->port < 1 || split->port > 65535)
    return InvalidArgument("--coordinator ", address, " is not host:port; write for example hub.example.org:8443");
  kit->coordinator_host = split->host;
  kit->coordinator_port = split->port;
  return Status();
}

}  // namespace consilium::transport
