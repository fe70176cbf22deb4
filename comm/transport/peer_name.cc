#include "comm/transport/peer_name.h"

#include "comm/base/ids.h"

namespace consilium::transport {
namespace {

constexpr std::string_view kScheme = "spiffe://";

}  // namespace

std::string_view RoleName(Role role) {
  switch (role) {
    case Role::kCoordinator:
      return "coordinator";
    case Role::kSite:
      return "site";
    case Role::kOperator:
      return "operator";
  }
  return "unknown";
}

StatusOr<Role> RoleFromName(const std::string& name) {
  for (const Role role : {Role::kCoordinator, Role::kSite, Role::kOperator})
    if (name == RoleName(role)) return role;
  return InvalidArgument("'", name.substr(0, 64), "' is not a role; known: coordinator, site, operator");
}

std::string ToUri(const PeerName& peer) {
  return Concat(kScheme, peer.project, "/", RoleName(peer.role), "/", peer.name);
}

StatusOr<PeerName> PeerNameFromUri(const std::string& uri) {
  const auto bad = [&] {
    return Unauthenticated(
        "the certificate's URI '", uri.substr(0, 256),
        "' is not of the form spiffe://PROJECT/ROLE/NAME with a role of coordinator, site or operator");
  };
  if (!uri.starts_with(kScheme)) return bad();
  const std::string path = uri.substr(kScheme.size());
  const std::size_t first = path.find('/');
  const std::size_t second = first == std::string::npos ? first : path.find('/', first + 1);
  if (second == std::string::npos) return bad();
  const StatusOr<Role> role = RoleFromName(path.substr(first + 1, second - first - 1));
  if (!role.ok()) return bad();
  const PeerName peer{path.substr(0, first), *role, path.substr(second + 1)};
  // A valid name has no '/', so nothing can hide behind the third part.
  if (!IsValidName(peer.project) || !IsValidName(peer.name)) return bad();
  return peer;
}

std::string CoordinatorDnsName(const std::string& project, const std::string& coordinator) {
  return coordinator + "." + project + ".consilium";
}

}  // namespace consilium::transport
